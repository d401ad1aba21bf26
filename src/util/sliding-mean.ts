import type { Clock } from './clock.ts';

/** More values than any window here needs; a flood makes the window shorter, not the memory larger. */
const MAX_VALUES = 2048;

/** The mean of the values of the last `windowMs` milliseconds. */
export class SlidingMean {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #values: { readonly at: number; readonly value: number }[] = [];

  constructor(windowMs: number, clock: Clock) {
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  add(value: number): void {
    this.#values.push({ at: this.#clock.now(), value });
    if (this.#values.length > MAX_VALUES) this.#values.shift();
    this.#forget();
  }

  /** Undefined when there was no value in the window. */
  get mean(): number | undefined {
    this.#forget();
    if (this.#values.length === 0) return undefined;
    return this.#values.reduce((sum, { value }) => sum + value, 0) / this.#values.length;
  }

  #forget(): void {
    const from = this.#clock.now() - this.#windowMs;
    while (this.#values[0] && this.#values[0].at <= from) this.#values.shift();
  }
}
