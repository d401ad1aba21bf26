import type { Chunk, FeedWriter } from '#hub/feed.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { frameHeaderSize, textFrame, writeBinaryHeader } from '#util/websocket-frame.ts';
import { encodeMessage, unitSize, writeUnit } from './framing.ts';
import type { HubToWorker } from './messages.ts';

/**
 * The link's wire format of one subscription: complete WebSocket frames, so that they can wait in the reader's queue
 * like any other door's bytes. Formats travel in line with the units: the subscription begins with the announcement, and
 * another one goes before the first unit of a format that was not announced.
 */
export class LinkFeedWriter implements FeedWriter {
  readonly #subscription: number;
  readonly #tracks: Map<number, Track>;

  constructor(subscription: number, tracks: readonly Track[]) {
    this.#subscription = subscription;
    this.#tracks = new Map(tracks.map((track) => [track.id, track]));
  }

  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void {
    const { track } = unit;
    if (this.#tracks.get(track.id) !== track) {
      this.#tracks.set(track.id, track);
      emit({ bytes: this.announcement(), track: track.id, kind: 'config', keyframe: true });
    }
    const size = unitSize(unit);
    const start = frameHeaderSize(size);
    const bytes = Buffer.allocUnsafe(start + size);
    writeBinaryHeader(bytes, size);
    writeUnit(bytes, start, this.#subscription, unit);
    emit({ bytes, track: track.id, kind: track.format.kind, keyframe: unit.keyframe });
  }

  /** The `tracks` message with the formats of now. */
  announcement(): Buffer {
    const message: HubToWorker = {
      type: 'tracks',
      subscription: this.#subscription,
      tracks: [...this.#tracks.values()],
    };
    return textFrame(encodeMessage(message));
  }
}
