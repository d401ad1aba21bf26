/** Ticks of a picture's timestamp per second. */
const CLOCK_RATE = 90_000;

/**
 * Thins a stream of pictures out to a number per second of the stream's own time. The grid of due times goes on
 * unrounded, so that 10 of 25 pictures a second are 10 on average, whichever way the single intervals fall.
 */
export class RateGate {
  /** Ticks between two pictures; 0 lets all pass. */
  readonly #interval: number;
  #due = Number.NEGATIVE_INFINITY;

  /** @param fps at most so many pictures a second; 0: all of them */
  constructor(fps: number) {
    this.#interval = fps > 0 ? CLOCK_RATE / fps : 0;
  }

  /** The timestamp from which on a picture passes. */
  get due(): number {
    return this.#due;
  }

  isDue(pts: number): boolean {
    // Far before what was due: the stream began anew, and waiting for the old time could take for ever.
    if (this.#due - pts > 2 * this.#interval + CLOCK_RATE) this.#due = Number.NEGATIVE_INFINITY;
    return pts >= this.#due;
  }

  /** This picture passes; the next one is due an interval later. */
  pass(pts: number): void {
    if (this.#interval === 0) return;
    const next = this.#due + this.#interval;
    this.#due = next > pts ? next : pts + this.#interval;
  }
}
