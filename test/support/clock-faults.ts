import { expect } from 'vitest';
import type { SkewRun } from './av-skew.ts';
import { madeUpClip } from './fault-camera/clip.ts';
import type { ClockFaults, FaultCameraOptions, ReportFaults } from './fault-camera/options.ts';

/** The clip of all tests of clocks. */
export const clip = madeUpClip();
/** Largest distance between sound and picture that readers may see, ms. */
export const LIMIT = 20;

export function expectInStep(run: SkewRun): void {
  for (const seen of [run.fmp4, run.rtsp]) {
    expect(Math.abs(seen.worst), `at ${seen.at} s`).toBeLessThanOrEqual(LIMIT);
    expect(seen.backward).toBe(0);
    expect(seen.pictures).toBeGreaterThan(1000);
    expect(seen.sounds).toBeGreaterThan(2000);
  }
}

export type Faults = Omit<FaultCameraOptions, 'clip'>;
export const jitter = { packets: { jitterMs: 10 } };
export const reports = (faults: ReportFaults, clocks: ClockFaults = {}): Faults => ({
  reports: faults,
  clocks,
});
