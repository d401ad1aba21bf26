/** Events per second over a sliding window. */
export class Rate {
  readonly #times: number[] = [];
  readonly #windowMs: number;

  constructor(windowMs = 3_000) {
    this.#windowMs = windowMs;
  }

  add(now: number): void {
    this.#times.push(now);
  }

  /** Per second; 0 after a quiet window. */
  at(now: number): number {
    while (this.#times.length > 0 && now - (this.#times[0] as number) > this.#windowMs) this.#times.shift();
    const first = this.#times[0];
    if (first === undefined || this.#times.length < 2) return 0;
    const last = this.#times.at(-1) as number;
    // Until the next event is due the span ends with the last one; afterwards the rate falls.
    const span = Math.max(last - first, ((now - first) * (this.#times.length - 1)) / this.#times.length);
    return span > 0 ? ((this.#times.length - 1) * 1000) / span : 0;
  }
}
