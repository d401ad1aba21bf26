/** NAL units as H.264 and H.265 share them (ITU-T H.264 and H.265, annex B). */

const START_CODE = Buffer.from([0, 0, 0, 1]);

/** Splits a byte stream of annex B into NAL units (slices, without start codes and trailing zeros), `limit` at most. */
export function splitAnnexB(bytes: Buffer, limit = Number.POSITIVE_INFINITY): Buffer[] {
  const nals: Buffer[] = [];
  let start = -1;
  let at = 0;
  for (;;) {
    const code = bytes.indexOf('\0\0\u0001', at, 'latin1');
    if (start >= 0) {
      const nal = trimZeros(bytes.subarray(start, code < 0 ? bytes.length : code));
      if (nal.length > 0) nals.push(nal);
    }
    if (code < 0 || nals.length >= limit) return nals;
    start = at = code + 3;
  }
}

/** Joins NAL units into a byte stream of annex B with 4-byte start codes. */
export function joinAnnexB(nals: readonly Buffer[]): Buffer {
  return Buffer.concat(nals.flatMap((nal) => [START_CODE, nal]));
}

/** Without zero bytes at the end: they belong to the byte stream, not to the NAL unit, but cameras send them. */
export function trimZeros(nal: Buffer): Buffer {
  let end = nal.length;
  while (end > 0 && nal[end - 1] === 0) end--;
  return end === nal.length ? nal : nal.subarray(0, end);
}

/** The payload of a NAL unit without its emulation prevention bytes (RBSP); a copy only where there are any. */
export function toRbsp(nal: Buffer): Buffer {
  if (nal.indexOf('\0\0\u0003', 0, 'latin1') < 0) return nal;
  const out = Buffer.allocUnsafe(nal.length);
  let length = 0;
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

/** What a sequence parameter set says, as far as it could be read. */
export interface SequenceInfo {
  /** Pixels after cropping. */
  readonly width: number;
  readonly height: number;
  /** profile_idc and level_idc as the codec codes them. */
  readonly profile: number;
  readonly level: number;
  /** chroma_format_idc and bits per sample. */
  readonly chromaFormat: number;
  readonly bitDepthLuma: number;
  readonly bitDepthChroma: number;
  /** How many pictures may precede a picture in decoding order and follow it in output; undefined where not said. */
  readonly maxReorderFrames: number | undefined;
  /** Pictures per second by the timing information; undefined where there is none. */
  readonly fps: number | undefined;
  /** Width to height of one pixel as it is to be shown; undefined where not said, which means square. */
  readonly pixelAspect?: readonly [horizontal: number, vertical: number] | undefined;
}

/** Two lists of NAL units with the same bytes. */
export function sameNals(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a.length === b.length && a.every((nal, i) => nal.equals(b[i] ?? Buffer.alloc(0)));
}
