/**
 * A JPEG on its way from a worker to the hub, or to a worker whose task draws it; one binary message of the link:
 *
 *     offset  size
 *     0       1     2 = picture
 *     1       1     flags: bit 0 the algorithm gave it back
 *     2       2     width in pixels
 *     4       2     height in pixels
 *     6       2     bytes of the task's id, n
 *     8       4     epoch of the task
 *     12      8     pts, float64 (ticks of the track's clock rate)
 *     20      8     ntp, float64 (milliseconds since 1970)
 *     28      n     the task's id, UTF-8
 *     28+n          the JPEG
 *
 * Big endian. Both times are the access unit's own: nothing is rounded on the way.
 */
const HEADER = 28;
const PICTURE = 2;
const FLAG_BY_ALGORITHM = 1;
/** Start and end of every JPEG (ITU-T T.81 annex B.1.1.3). */
const START_OF_IMAGE = 0xffd8;
const END_OF_IMAGE = 0xffd9;

/** One picture of a stream as JPEG. */
export interface JpegPicture {
  /** Never changed: all who look at it share it. */
  readonly jpeg: Buffer;
  /** Of the picture, ticks of its track's clock rate. */
  readonly pts: number;
  /** When it was captured, ms since 1970. */
  readonly ntp: number;
  readonly width: number;
  readonly height: number;
}

/** A picture as it comes from a link: whose it is, and for which attempt of its task. */
export interface FramedPicture extends JpegPicture {
  readonly task: string;
  readonly epoch: number;
  /** An algorithm gave it back for the picture of this time; else it is that picture. */
  readonly byAlgorithm?: true;
}

/** The bytes of one picture message. */
export function encodePicture(picture: FramedPicture): Buffer {
  const idBytes = Buffer.byteLength(picture.task);
  const bytes = Buffer.allocUnsafe(HEADER + idBytes + picture.jpeg.length);
  bytes.writeUInt16BE((PICTURE << 8) | (picture.byAlgorithm ? FLAG_BY_ALGORITHM : 0), 0);
  bytes.writeUInt16BE(picture.width, 2);
  bytes.writeUInt16BE(picture.height, 4);
  bytes.writeUInt16BE(idBytes, 6);
  bytes.writeUInt32BE(picture.epoch, 8);
  bytes.writeDoubleBE(picture.pts, 12);
  bytes.writeDoubleBE(picture.ntp, 20);
  bytes.write(picture.task, HEADER);
  picture.jpeg.copy(bytes, HEADER + idBytes);
  return bytes;
}

/** Reads a picture message; the JPEG points into `bytes`. Undefined when it is none, or a broken one. */
export function decodePicture(bytes: Buffer): FramedPicture | undefined {
  if (bytes.length < HEADER || bytes[0] !== PICTURE) return undefined;
  const start = HEADER + bytes.readUInt16BE(6);
  if (bytes.length < start + 4) return undefined;
  const jpeg = bytes.subarray(start);
  const pts = bytes.readDoubleBE(12);
  const ntp = bytes.readDoubleBE(20);
  const whole =
    jpeg.readUInt16BE(0) === START_OF_IMAGE && jpeg.readUInt16BE(jpeg.length - 2) === END_OF_IMAGE;
  if (!whole || !Number.isSafeInteger(pts) || !Number.isFinite(ntp)) return undefined;
  const width = bytes.readUInt16BE(2);
  const height = bytes.readUInt16BE(4);
  const task = bytes.toString('utf8', HEADER, start);
  const byAlgorithm = (bytes[1]! & FLAG_BY_ALGORITHM) !== 0;
  const found = { task, epoch: bytes.readUInt32BE(8), pts, ntp, width, height, jpeg };
  return byAlgorithm ? { ...found, byAlgorithm } : found;
}
