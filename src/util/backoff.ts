/** How long to wait between attempts; all times in milliseconds. */
export interface BackoffOptions {
  /** Longest wait before the first attempt after a failure; absent: the first wait is `minimum` like any other. */
  readonly first?: number;
  /** Where the exponential row begins. Default 500. */
  readonly minimum?: number;
  /** Where it ends. Default 30 000. */
  readonly maximum?: number;
  /** Random numbers in [0, 1); a test injects its own. */
  readonly random?: () => number;
}

/**
 * Jittered exponential back-off: the waits double from `minimum` to `maximum`, and each is shortened by a random
 * share of up to a half, so that many who failed together do not come back together. The named times are therefore
 * upper bounds, and no wait but the first is under a quarter of a second by default.
 */
export class Backoff {
  readonly #first: number | undefined;
  readonly #minimum: number;
  readonly #maximum: number;
  readonly #random: () => number;
  #attempts = 0;

  constructor(options: BackoffOptions = {}) {
    this.#first = options.first;
    this.#minimum = options.minimum ?? 500;
    this.#maximum = options.maximum ?? 30_000;
    this.#random = options.random ?? Math.random;
  }

  /** Waits given since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Milliseconds to wait before the next attempt; each call is a further failure. */
  next(): number {
    const attempt = this.#attempts++;
    const step = this.#first === undefined ? attempt : attempt - 1;
    // A whole double holds 2^1023; the row has reached any sensible maximum long before.
    const full =
      step < 0 ? (this.#first ?? 0) : Math.min(this.#maximum, this.#minimum * 2 ** Math.min(step, 60));
    return full * (1 - this.#random() / 2);
  }

  /** Begins anew: the last attempt has proved itself. */
  reset(): void {
    this.#attempts = 0;
  }
}
