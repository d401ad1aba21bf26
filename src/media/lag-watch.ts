/** Ms of one look; the lag is the longest of so many of them, counted while something comes. */
const LOOK = 1000;
const LOOKS = 10;
/** A lag that changes by so many ms from one unit to the next is that of a clock that was set. */
const STEP = 10_000;

/**
 * How long after their capture the units of one source come lately: what has to be waited for them. While nothing comes
 * it is what it was, so that one that is restarted is still waited for as long as before.
 *
 * What comes first after a restart is often a burst of what the other side had kept, and says nothing of how late the
 * rest will be: of the first second the least counts.
 */
export class LagWatch {
  #looks: { readonly began: number; readonly isFirst: boolean; lag: number }[] = [];
  #restarted = true;
  #last: number | undefined;

  /** Ms from capture to arrival by clocks that may differ: only differences of lags mean something. */
  get lag(): number | undefined {
    let longest: number | undefined;
    for (const { lag } of this.#looks) if (longest === undefined || lag > longest) longest = lag;
    return longest;
  }

  /**
   * @param at capture, and @param now arrival, ms
   * @returns whether its clock was set: what was seen before says nothing any more
   */
  observe(at: number, now: number): boolean {
    const lag = now - at;
    const isStep = this.#last !== undefined && Math.abs(lag - this.#last) > STEP;
    this.#last = lag;
    if (isStep) this.#looks = [];
    const look = this.#looks.at(-1);
    if (this.#restarted || !look || now - look.began >= LOOK) {
      this.#looks.push({ began: now, isFirst: this.#restarted, lag });
      if (this.#looks.length > LOOKS) this.#looks.shift();
      this.#restarted = false;
    } else {
      look.lag = look.isFirst ? Math.min(look.lag, lag) : Math.max(look.lag, lag);
    }
    return isStep;
  }

  /** What comes next is of a new connection. */
  restart(): void {
    this.#restarted = true;
  }
}
