import type { RunStatistics } from '#algorithms/contract.ts';

/** How many of the latest values the percentiles are made from. */
const KEPT = 200;

/** The latest values of something, for percentiles. */
export class Recent {
  readonly #values: number[] = [];
  #next = 0;

  add(value: number): void {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % KEPT;
  }

  /** Nearest-rank percentiles, to a tenth; 0 while there is nothing. */
  get percentiles(): { readonly p50: number; readonly p95: number } {
    const sorted = this.#values.toSorted((a, b) => a - b);
    const at = (share: number) => {
      const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
      return Math.round(value * 10) / 10;
    };
    return { p50: at(0.5), p95: at(0.95) };
  }
}

/** What a run counts itself; the rest of {@link RunStatistics} its picture reader and the decoder know. */
export class RunCounters {
  inferred = 0;
  expired = 0;
  failed = 0;
  readonly age = new Recent();
  readonly infer = new Recent();

  statistics(
    reader: { offered: number; skipped: number },
    decoder: { decoded: number },
    frames: { made: number; skipped: number },
  ): RunStatistics {
    return {
      offered: reader.offered,
      inferred: this.inferred,
      skipped: reader.skipped,
      expired: this.expired,
      failed: this.failed,
      resultAgeMs: this.age.percentiles,
      inferMs: this.infer.percentiles,
      decoded: decoder.decoded,
      frames: { made: frames.made, skipped: frames.skipped },
    };
  }
}
