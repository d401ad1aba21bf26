/** Counts what happens, and says when it is more than may happen in a second. */
export class RateLimit {
  readonly #perSecond: number;
  #second = 0;
  #count = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** It happened at `now` (ms): false when that was too often. */
  take(now: number): boolean {
    if (now - this.#second >= 1000) {
      this.#second = now;
      this.#count = 0;
    }
    return ++this.#count <= this.#perSecond;
  }
}
