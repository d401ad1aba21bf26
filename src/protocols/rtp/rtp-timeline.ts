import { TimestampUnwrapper } from '#media/timestamps.ts';

/**
 * A step back further than this many seconds, and further than the last step ahead (B-frames lie between two pictures
 * that came before them), is a source that began anew, not reordering.
 */
const RESTART = 1;
/** A first timestamp of less than this many seconds is taken as one after a wrap. */
const BEGINNING = 10;

/**
 * Unwraps the 32-bit timestamps of one RTP track into ticks that go on for ever.
 *
 * A first timestamp shortly after 0 is taken as shortly after a wrap, so that what precedes it (B-frames, decoding
 * times, reports) does not become negative; in RTP time it is the same number. Where the source begins anew with
 * earlier timestamps, a constant is added so that time goes on from where it was.
 */
export class RtpTimeline {
  readonly #clockRate: number;
  #unwrapper = new TimestampUnwrapper();
  #shift: number | undefined;
  /** The unit with the latest time; before the first unit, where the timeline begins. */
  #last: { timestamp: number; ticks: number; now: number | undefined } | undefined;
  /** Ticks by which the latest time was ahead of the one before. */
  #ahead = 0;

  constructor(clockRate: number) {
    this.#clockRate = clockRate;
  }

  /** Fixes where the timeline begins, before the first unit is there. */
  begin(timestamp: number): void {
    if (this.#last) return;
    this.#shift = timestamp < BEGINNING * this.#clockRate ? 2 ** 32 : 0;
    const ticks = this.#unwrapper.unwrap(timestamp) + this.#shift;
    this.#last = { timestamp, ticks, now: undefined };
  }

  /** Ticks of the next unit, in decoding order, that arrived at `now`. */
  unwrap(timestamp: number, now: number): number {
    this.begin(timestamp);
    let ticks = this.#unwrapper.unwrap(timestamp) + (this.#shift ?? 0);
    const last = this.#last;
    if (last && ticks < last.ticks - Math.max(RESTART * this.#clockRate, this.#ahead)) {
      const elapsed = Math.round(((now - (last.now ?? now)) * this.#clockRate) / 1000);
      ticks = last.ticks + Math.max(elapsed, 1);
      this.#unwrapper = new TimestampUnwrapper();
      this.#shift = ticks - this.#unwrapper.unwrap(timestamp);
    }
    if (!last || ticks >= last.ticks) {
      this.#ahead = last ? ticks - last.ticks : 0;
      this.#last = { timestamp, ticks, now };
    }
    return ticks;
  }

  /** Ticks of any RTP time near the last unit, such as a sender report's; undefined before the beginning. */
  relate(timestamp: number): number | undefined {
    // A difference of 32-bit timestamps is a signed number of 32 bits.
    return this.#last && this.#last.ticks + ((timestamp - this.#last.timestamp) | 0);
  }
}
