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
 * finds the same source and numbers that go on, even if the feed had ended in between. A track is the same source in
 * all feeds of its stream, so that SETUP can name it before it is known which feed its reader will join.
 */
export class RtpSequences {
  readonly #streams = new WeakMap<
    Stream,
    { sources: Map<number, number>; feeds: Map<string, RtpSequence> }
  >();

  /** The synchronisation source of a track. */
  ssrc(stream: Stream, trackId: number): number {
    const { sources } = this.#known(stream);
    let ssrc = sources.get(trackId);
    // RFC 3550 section 5.1: sources and numbers begin at random.
    if (ssrc === undefined) sources.set(trackId, (ssrc = randomInt(1, 2 ** 32)));
    return ssrc;
  }

  of(stream: Stream, feedKey: string, trackId: number): RtpSequence {
    const { feeds } = this.#known(stream);
    const key = `${feedKey}#${trackId}`;
    let sequence = feeds.get(key);
    if (!sequence) {
      // The upper half is left free so that clients see no early wrap.
      sequence = { ssrc: this.ssrc(stream, trackId), next: randomInt(0, 2 ** 15) };
      feeds.set(key, sequence);
    }
    return sequence;
  }

  #known(stream: Stream) {
    let known = this.#streams.get(stream);
    if (!known) this.#streams.set(stream, (known = { sources: new Map(), feeds: new Map() }));
    return known;
  }
}
