/** Ticks of a picture's timestamp per second. */
const CLOCK_RATE = 90_000;
/** Ticks (10 ms) by which timestamps may miss the grid, since those of cameras are not exact, and the same as a share. */
const SLACK = 900;
const SLACK_SHARE = 0.05;

/**
 * Thins a stream of pictures out to a number per second of the stream's own time. The grid of due times goes on
 * unrounded, so that 10 of 25 pictures a second are 10 on average, whichever way the single intervals fall.
 */
export class RateGate {
  /** Ticks between two pictures; 0 lets all pass. */
  readonly #interval: number;
  readonly #slack: number;
  #due = Number.NEGATIVE_INFINITY;
  /** A point of the grid where it is laid over the keyframes. */
  #keyframe: number | undefined;

  /** @param fps at most so many pictures a second; 0: all of them */
  constructor(fps: number) {
    this.#interval = fps > 0 ? CLOCK_RATE / fps : 0;
    this.#slack = Math.min(SLACK, SLACK_SHARE * this.#interval);
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

  /**
   * A keyframe comes at `pts`, and others every `ticks`. Where our interval divides that, the grid is laid over the
   * keyframes, so that each is among the pictures that pass: what stands between the last one that passed and a keyframe
   * need not be decoded, 4 of 50 pictures at 5 of 25 a second, 24 of 50 at one.
   */
  keyframesAt(pts: number, ticks: number): void {
    const off = Math.abs(ticks - Math.round(ticks / this.#interval) * this.#interval);
    this.#keyframe = ticks >= this.#interval && off <= this.#slack ? pts : undefined;
  }

  /** This picture passes; the next one is due an interval later. */
  pass(pts: number): void {
    if (this.#interval === 0) return;
    if (this.#keyframe !== undefined) {
      const cell = Math.floor((pts + this.#slack - this.#keyframe) / this.#interval);
      this.#due = this.#keyframe + (cell + 1) * this.#interval - this.#slack;
      return;
    }
    const next = this.#due + this.#interval;
    this.#due = next > pts ? next : pts + this.#interval;
  }
}
