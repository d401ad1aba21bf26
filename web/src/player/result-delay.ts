/** How long a delay counts, milliseconds; and how many of them at most. */
const WINDOW_MS = 30_000;
const WINDOW_COUNT = 400;
/** Beyond the slowest 5 %, results are waited for only within reason: one straggler must not hold the view for long. */
const STRAGGLER_FACTOR = 1.5;
const STRAGGLER_MS = 250;
/** How fast a target that became too large is given up, seconds per second. */
const RETURN_RATE = 0.02;

/**
 * How far behind the live edge of the buffer the frame of a result is when the result arrives. That, and not the
 * server's clock, is what a viewer must hold back to see every result on its own frame: it contains the algorithm's
 * time, the way of the result, and how early the media came.
 */
export class ResultDelay {
  readonly #delays: { at: number; ms: number }[] = [];

  /** @param now any monotonic clock, ms. @param ms delay; negative where the result was faster than its frame. */
  add(now: number, ms: number): void {
    this.#delays.push({ at: now, ms });
    const list = this.#delays;
    while (list.length > WINDOW_COUNT || now - (list[0]?.at ?? now) > WINDOW_MS) list.shift();
  }

  get count(): number {
    return this.#delays.length;
  }

  /** The delay that a share of the results does not exceed, ms; undefined before the first. */
  quantile(share: number): number | undefined {
    if (this.#delays.length === 0) return undefined;
    const sorted = this.#delays.map((delay) => delay.ms).sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  }

  /** What has to be held back so that results are in time, ms: the 95th percentile, stragglers within reason. */
  get hold(): number | undefined {
    const p95 = this.quantile(0.95);
    const worst = this.quantile(1);
    if (p95 === undefined || worst === undefined) return undefined;
    return Math.max(0, p95, Math.min(worst, p95 * STRAGGLER_FACTOR + STRAGGLER_MS));
  }

  clear(): void {
    this.#delays.length = 0;
  }
}

/** Bounds and margin of the *in step* target, in seconds. */
export interface StepTargetOptions {
  /** Before the first result shows what is needed. */
  readonly initial: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Kept beyond the delay: one frame and the unevenness of arrival. */
  readonly margin: number;
}

/** The distance from the live edge at which every analysed frame finds its result: up at once, down slowly. */
export class StepTarget {
  readonly #options: StepTargetOptions;
  #value: number;
  #updated: number | undefined;

  constructor(options: StepTargetOptions) {
    this.#options = options;
    this.#value = options.initial;
  }

  /** Seconds. */
  get value(): number {
    return this.#value;
  }

  /** @param now ms. @param holdMs {@link ResultDelay.hold}. @returns the target in seconds. */
  update(now: number, holdMs: number | undefined): number {
    const elapsed = (now - (this.#updated ?? now)) / 1000;
    this.#updated = now;
    if (holdMs === undefined) return this.#value;
    const { minimum, maximum, margin } = this.#options;
    const wanted = Math.min(maximum, Math.max(minimum, holdMs / 1000 + margin));
    this.#value = wanted > this.#value ? wanted : Math.max(wanted, this.#value - elapsed * RETURN_RATE);
    return this.#value;
  }
}
