/** Distance from its place, in seconds, up to which a frame simply follows the one before it. */
const TOLERANCE_SECONDS = 0.005;

/**
 * Places audio frames so that they never overlap, which browsers answer by cutting sound away, and follow each other
 * without a seam wherever the clock allows. Small jitter is absorbed; a gap is kept; a source whose clock runs fast
 * loses one frame whenever it is a whole frame ahead, so sound cannot drift off the picture.
 */
export class AudioTiming {
  readonly #tolerance: number;
  #end: number | undefined;

  constructor(clockRate: number) {
    this.#tolerance = Math.round(clockRate * TOLERANCE_SECONDS);
  }

  /** Where a frame wanted at `time` goes; undefined where it has to be left out. */
  next(time: number, duration: number): number | undefined {
    if (time < 0) return undefined;
    let start = time;
    if (this.#end !== undefined) {
      const lead = this.#end - time;
      // Hours behind is no overlap but a clock that began anew.
      if (lead >= duration + this.#tolerance && lead < duration * 100) return undefined;
      if (lead < duration * 100 && lead > -this.#tolerance) start = this.#end;
    }
    this.#end = start + duration;
    return start;
  }
}
