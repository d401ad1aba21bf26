/** Tells an accident from a fault: the same thing so often in so short a time. */
export class Repeated {
  readonly #times: number[] = [];
  readonly #often: number;
  readonly #withinMs: number;

  constructor(often: number, withinMs: number) {
    this.#often = often;
    this.#withinMs = withinMs;
  }

  /** It happened. @param now any monotonic clock, ms. @returns true where that was once too often. */
  count(now: number): boolean {
    this.#times.push(now);
    while (now - (this.#times[0] ?? now) > this.#withinMs) this.#times.shift();
    return this.#times.length >= this.#often;
  }
}
