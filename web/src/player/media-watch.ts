import type { Setback } from './ladder.ts';

/** What a peer connection has counted since it began (`RTCInboundRtpStreamStats`). */
export interface MediaCounts {
  /** Of all tracks. */
  readonly packets: number;
  /** Pictures that arrived whole, and that were decoded. */
  readonly received: number;
  readonly decoded: number;
  /** Keyframes that the browser asked for. */
  readonly keyframeRequests: number;
}

/** So long nothing may come of a stream that is live. */
const STALL_MS = 4_000;
/** So long pictures may come that are not decoded: beyond the longest wait for a keyframe that is worth it. */
const UNDECODED_MS = 6_000;
/** What is judged together. */
const WINDOW_MS = 5_000;
/** Pictures and requests that say enough about how well decoding goes. */
const ENOUGH_PICTURES = 40;
const ENOUGH_REQUESTS = 3;

/** Tells from the counters of a peer connection when it is of no use any more. */
export class MediaWatch {
  readonly #window: { readonly at: number; readonly counts: MediaCounts }[] = [];
  #packets = 0;
  #decoded = 0;
  #moved: number | undefined;
  #shown: number | undefined;

  /** @param now any monotonic clock, ms. @param isLive the stream has a publisher, as far as is known */
  update(now: number, counts: MediaCounts, isLive: boolean): Setback | undefined {
    if (!isLive || this.#moved === undefined || counts.packets !== this.#packets) this.#moved = now;
    if (!isLive || this.#shown === undefined || counts.decoded !== this.#decoded) this.#shown = now;
    this.#packets = counts.packets;
    this.#decoded = counts.decoded;
    if (now - this.#moved >= STALL_MS) return { kind: 'stalled' };
    if (counts.received > 0 && now - this.#shown >= UNDECODED_MS) return { kind: 'garbled' };
    return this.#isGarbled(now, counts) ? { kind: 'garbled' } : undefined;
  }

  /** Most of the pictures that come are not decoded, though keyframes were asked for and came. */
  #isGarbled(now: number, counts: MediaCounts): boolean {
    this.#window.push({ at: now, counts });
    while (now - (this.#window[0]?.at ?? now) > WINDOW_MS) this.#window.shift();
    const first = this.#window[0]?.counts ?? counts;
    const received = counts.received - first.received;
    const asked = counts.keyframeRequests - first.keyframeRequests;
    return (
      received >= ENOUGH_PICTURES && asked >= ENOUGH_REQUESTS && counts.decoded - first.decoded < received / 2
    );
  }
}
