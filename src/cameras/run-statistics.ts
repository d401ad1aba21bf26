import type { RunStatistics } from '#algorithms/contract.ts';

/** A run that has not begun to look. */
export const noStatistics: RunStatistics = {
  offered: 0,
  inferred: 0,
  skipped: 0,
  expired: 0,
  failed: 0,
  resultAgeMs: { p50: 0, p95: 0 },
  inferMs: { p50: 0, p95: 0 },
  decoded: 0,
  frames: { made: 0, skipped: 0 },
};

/** Counters of both; what is no counter of the run (delays, the decoder's own count) is that of the later one. */
export function sumStatistics(earlier: RunStatistics, later: RunStatistics): RunStatistics {
  return {
    ...later,
    offered: earlier.offered + later.offered,
    inferred: earlier.inferred + later.inferred,
    skipped: earlier.skipped + later.skipped,
    expired: earlier.expired + later.expired,
    failed: earlier.failed + later.failed,
    frames: {
      made: earlier.frames.made + later.frames.made,
      skipped: earlier.frames.skipped + later.frames.skipped,
    },
  };
}
