import { TimestampUnwrapper } from '#media/timestamps.ts';

/** A step back further than this many seconds is a source that began anew, not reordering. */
const RESTART = 10;

/**
 * Unwraps the 32-bit timestamps of one RTP track into ticks that go on for ever.
 *
 * A first timestamp shortly after 0 is taken as shortly after a wrap, so that what precedes it (B-frames, decoding
 * times, reports) does not become negative; in RTP time it is the same number. Where the source begins anew with
 * earlier timestamps, a constant is added so that time goes on from where it was.
 */
export class RtpTimeline {
  readonly #clockRate: number;
  readonly #unwrapper = new TimestampUnwrapper();
  #lift: number | undefined;
  #shift = 0;
  #last: { timestamp: number; ticks: number; now: number } | undefined;
  #first: number | undefined;

  constructor(clockRate: number) {
    this.#clockRate = clockRate;
  }

  /** Constant added after restarts of the source, in ticks. */
  get shift(): number {
    return this.#shift;
  }

  /** Fixes where the timeline begins, before the first unit is there. */
  begin(timestamp: number): void {
    if (this.#lift !== undefined) return;
    this.#lift = timestamp < RESTART * this.#clockRate ? 2 ** 32 : 0;
    this.#first = timestamp;
    this.#unwrapper.unwrap(timestamp);
  }

  /** Ticks of the next unit, in decoding order, that arrived at `now`. */
  unwrap(timestamp: number, now: number): number {
    this.begin(timestamp);
    let ticks = this.#unwrapper.unwrap(timestamp) + (this.#lift ?? 0) + this.#shift;
    const last = this.#last;
    if (last && ticks < last.ticks - RESTART * this.#clockRate) {
      const elapsed = Math.max(Math.round(((now - last.now) * this.#clockRate) / 1000), 1);
      this.#shift += last.ticks + elapsed - ticks;
      ticks = last.ticks + elapsed;
    }
    if (!last || ticks > last.ticks) this.#last = { timestamp, ticks, now };
    return ticks;
  }

  /** Ticks of any RTP time near the last unit, such as a sender report's; undefined before the first unit. */
  relate(timestamp: number): number | undefined {
    if (this.#last) return this.#last.ticks + signed(timestamp - this.#last.timestamp);
    if (this.#first === undefined) return undefined;
    return this.#first + (this.#lift ?? 0) + signed(timestamp - this.#first);
  }
}

/** A difference of 32-bit timestamps as a signed number. */
function signed(difference: number): number {
  return difference | 0;
}
