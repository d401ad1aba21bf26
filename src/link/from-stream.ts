import type { Chunk, FeedWriter } from '#hub/feed.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { frameHeaderSize, textFrame, writeBinaryHeader } from '#util/websocket-frame.ts';
import { AT_ONCE, encodeMessage, unitSize, writeUnit } from './framing.ts';
import { HeldUnits, type Released } from './held-units.ts';
import type { HubToWorker, Want } from './messages.ts';

/**
 * The link's wire format of one subscription: complete WebSocket frames, so that they can wait in the reader's queue
 * like any other door's bytes. Formats travel in line with the units: the subscription begins with the announcement, and
 * another one goes before the first unit of a format that was not announced.
 */
export class LinkFeedWriter implements FeedWriter {
  readonly #subscription: number;
  readonly #tracks: Map<number, Track>;
  /** Where the worker says what it wants. */
  readonly #held: HeldUnits | undefined;
  readonly #now: () => number;

  /** @param now a steady clock, ms */
  constructor(subscription: number, tracks: readonly Track[], held: boolean, now: () => number) {
    this.#subscription = subscription;
    this.#tracks = new Map(tracks.map((track) => [track.id, track]));
    this.#held = held ? new HeldUnits() : undefined;
    this.#now = now;
  }

  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void {
    const released = this.#held ? this.#held.push(unit, this.#now()) : [{ unit, passage: AT_ONCE }];
    for (const chunk of this.#chunks(released)) emit(chunk);
  }

  /** The worker wants something; what there is of it already is returned. */
  want(want: Want): Chunk[] {
    return this.#chunks(this.#held?.want(want, this.#now()) ?? []);
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

  /** Units that go together become one chunk: one write. */
  #chunks(released: readonly Released[]): Chunk[] {
    const chunks: Chunk[] = [];
    let from = 0;
    for (const [at, { unit }] of released.entries()) {
      const { track } = unit;
      if (this.#tracks.get(track.id) === track) continue;
      if (at > from) chunks.push(this.#chunk(released.slice(from, at)));
      from = at;
      this.#tracks.set(track.id, track);
      chunks.push({ bytes: this.announcement(), track: track.id, kind: 'config', keyframe: true });
    }
    if (released.length > from) chunks.push(this.#chunk(released.slice(from)));
    return chunks;
  }

  #chunk(released: readonly Released[]): Chunk {
    const sizes = released.map(({ unit }) => unitSize(unit));
    const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + frameHeaderSize(size) + size, 0));
    let at = 0;
    for (const [n, { unit, passage }] of released.entries()) {
      const size = sizes[n]!;
      writeBinaryHeader(bytes.subarray(at), size);
      at += frameHeaderSize(size);
      writeUnit(bytes, at, this.#subscription, unit, passage);
      at += size;
    }
    const { track, keyframe } = released[0]!.unit;
    // What was asked for is never dropped: the worker would wait for it for ever. It is one answer to one question.
    const kind = this.#held?.flows === false ? 'config' : track.format.kind;
    return { bytes, track: track.id, kind, keyframe };
  }
}
