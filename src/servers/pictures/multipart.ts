import type { ServerResponse } from 'node:http';
import type { Chunk, FeedWriter } from '#hub/feed.ts';
import type { Transport } from '#hub/transport.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { type JpegPicture, timeHeaders } from '#media/jpeg-picture.ts';
import type { Track } from '#media/track.ts';

const BOUNDARY = 'sluice-picture';

/** Of a response whose body is one picture after the other, each in the place of the one before. */
export const MULTIPART_TYPE = `multipart/x-mixed-replace; boundary=${BOUNDARY}`;

/** A picture as the only unit of a feed: the track is ours, the stream has none of it. */
export function pictureUnit({ jpeg, pts, ntp }: JpegPicture): AccessUnit {
  return { track: TRACK, pts, dts: pts, keyframe: true, ntp, payload: [jpeg] };
}

const TRACK: Track = {
  id: 0xffff,
  clockRate: 90_000,
  format: { kind: 'video', codec: 'mjpeg', parameterSets: [], width: 0, height: 0, codecString: '' },
};

/** Parts of `multipart/x-mixed-replace`, made once for all viewers of a feed (R3). */
export class MultipartWriter implements FeedWriter {
  readonly #onClose: () => void;

  /** @param onClose the last viewer is gone */
  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void {
    const size = unit.payload.reduce((sum, part) => sum + part.length, 0);
    const lines = Object.entries({
      'Content-Type': 'image/jpeg',
      'Content-Length': size,
      ...timeHeaders(unit),
    });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    // The boundary stands behind the picture: browsers show it when they have read that, not one picture later.
    const bytes = Buffer.concat([
      Buffer.from(`${head}\r\n`),
      ...unit.payload,
      Buffer.from(`\r\n--${BOUNDARY}\r\n`),
    ]);
    emit({ bytes, track: unit.track.id, kind: 'video', keyframe: true });
  }

  /** What stands in front of the first part. */
  greeting(): readonly Buffer[] {
    return [Buffer.from(`--${BOUNDARY}\r\n`)];
  }

  close(): void {
    this.#onClose();
  }
}

/** The body of a response as the way to a reader. */
export class ResponseTransport implements Transport {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  write(bytes: Buffer): void {
    if (this.#response.writable) this.#response.write(bytes);
  }

  get backlog(): number {
    return this.#response.writableLength;
  }

  onDrain(callback: () => void): void {
    this.#response.on('drain', callback);
  }

  close(): void {
    // Behind a viewer that takes nothing an end would wait for ever.
    if (this.#response.writableLength > 0) this.#response.destroy();
    else this.#response.end();
  }
}
