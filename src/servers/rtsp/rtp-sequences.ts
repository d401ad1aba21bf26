import { randomInt } from 'node:crypto';
import type { Stream } from '#hub/stream.ts';

/** The RTP identity of one track in one feed. */
export interface RtpSequence {
  readonly ssrc: number;
  /** Sequence number of the next packet, 16 bits. */
  next: number;
}

/**
 * Remembers where the RTP of each feed stands while its stream lives, so that a reader that pauses and plays again
 * finds the same source and numbers that go on, even if the feed had ended in between.
 */
export class RtpSequences {
  readonly #streams = new WeakMap<Stream, Map<string, RtpSequence>>();

  of(stream: Stream, feedKey: string, trackId: number): RtpSequence {
    let sequences = this.#streams.get(stream);
    if (!sequences) this.#streams.set(stream, (sequences = new Map()));
    const key = `${feedKey}#${trackId}`;
    let sequence = sequences.get(key);
    if (!sequence) {
      // RFC 3550 section 5.1: both begin at random. The upper half is left free so that clients see no early wrap.
      sequence = { ssrc: randomInt(1, 2 ** 32), next: randomInt(0, 2 ** 15) };
      sequences.set(key, sequence);
    }
    return sequence;
  }
}
