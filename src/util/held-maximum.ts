/** Less than this less is not worth a change, seconds. */
const WORTH_S = 0.08;
/** What is needed must have been less for so long before less is taken, ms. */
const PATIENCE_MS = 12_000;

/**
 * A distance that must be enough: it follows what is needed upwards at once, and downwards only in steps, when less
 * was enough for a while. Every change of distance is a change of the playback rate, which bends the sound; so it is
 * better to stay a little farther away than to follow every breath of the network.
 */
export class HeldMaximum {
  #value: number;
  #since: number | undefined;
  /** The most that was needed since then. */
  #peak = 0;

  constructor(initial: number) {
    this.#value = initial;
  }

  get value(): number {
    return this.#value;
  }

  /** @param now any monotonic clock, ms. @param needed in the unit of the value. */
  update(now: number, needed: number): number {
    if (needed > this.#value) {
      this.#value = needed;
      this.#restart(now, needed);
      return this.#value;
    }
    this.#since ??= now;
    this.#peak = Math.max(this.#peak, needed);
    if (now - this.#since >= PATIENCE_MS) {
      if (this.#value - this.#peak > WORTH_S) this.#value = this.#peak;
      this.#restart(now, needed);
    }
    return this.#value;
  }

  #restart(now: number, needed: number): void {
    this.#since = now;
    this.#peak = needed;
  }
}
