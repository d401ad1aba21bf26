/** The rounding to whole milliseconds, in ms: sound that is no further from its place stays where the frames put it. */
const ROUNDING_MS = 1;

/**
 * Turns the milliseconds of RTMP into ticks of a sound track.
 *
 * A frame of AAC lasts 21.3 or 23.2 ms and is sent with whole ones, so taken at their word frames would overlap and
 * part in turn. Frames follow each other without a seam as long as that is within a millisecond of what was sent; a
 * clock that runs otherwise moves them by no more than what exceeds it. A frame that is half a frame or more from there
 * is put where its timestamp says.
 */
export class SoundClock {
  readonly #rate: number;
  #next: number | undefined;
  #last: number | undefined;

  /** @param rate ticks per second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /**
   * Ticks of a frame, strictly increasing; undefined for one that is not later than the last one.
   * @param ms what the publisher says, unwrapped
   * @param duration ticks of the frame
   */
  place(ms: number, duration: number): number | undefined {
    const sent = (ms * this.#rate) / 1000;
    const slack = (ROUNDING_MS * this.#rate) / 1000;
    const next = this.#next;
    const follows = next !== undefined && Math.abs(sent - next) < Math.max(duration / 2, slack);
    const ticks = Math.round(follows ? Math.min(Math.max(next, sent - slack), sent + slack) : sent);
    const back = this.#last === undefined ? 0 : this.#last - ticks;
    // Far back means that the publisher began anew, which the hub joins on.
    if (this.#last !== undefined && back >= 0 && back < this.#rate) return undefined;
    this.#last = ticks;
    this.#next = ticks + duration;
    return ticks;
  }
}
