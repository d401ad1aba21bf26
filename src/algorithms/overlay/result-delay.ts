/** How long a delay counts, milliseconds; and how many of them at most. */
const WINDOW_MS = 30_000;
const WINDOW_COUNT = 400;
/** Beyond the slowest 5 %, results are waited for only within reason: one straggler must not hold the view for long. */
const STRAGGLER_FACTOR = 1.5;
const STRAGGLER_MS = 250;

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
}

/** The delays of several algorithms on one stream: the slowest one decides, however seldom it speaks. */
export class ResultDelays {
  readonly #delays = new Map<string, ResultDelay>();

  add(algorithm: string, now: number, ms: number): void {
    let delay = this.#delays.get(algorithm);
    if (!delay) this.#delays.set(algorithm, (delay = new ResultDelay()));
    delay.add(now, ms);
  }

  /** {@link ResultDelay.quantile} of the algorithm for which it is largest. */
  quantile(share: number): number | undefined {
    return largest([...this.#delays.values()].map((delay) => delay.quantile(share)));
  }

  /** {@link ResultDelay.hold} of the algorithm that needs most. */
  get hold(): number | undefined {
    return largest([...this.#delays.values()].map((delay) => delay.hold));
  }

  /** Forgets algorithms that no longer run. */
  keepOnly(algorithms: ReadonlySet<string>): void {
    for (const algorithm of this.#delays.keys()) {
      if (!algorithms.has(algorithm)) this.#delays.delete(algorithm);
    }
  }

  clear(): void {
    this.#delays.clear();
  }
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}
