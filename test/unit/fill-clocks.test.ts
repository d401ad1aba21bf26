import { describe, expect, it } from 'vitest';
import { measureFillSkew, type Span } from '../support/fill-skew.ts';

/** The picture of one camera and the sound of another, as readers of fMP4 and RTSP play them, against the truth of both. */

/** Largest distance between sound and picture that readers may see, ms. */
const LIMIT = 40;

type Faults = NonNullable<Span['faults']>;
const from = (fromMs: number, faults: Faults = {}): Span => ({ fromMs, faults });

interface Case {
  readonly pictures: readonly Span[];
  readonly sounds: readonly Span[];
  readonly settleMs?: number;
  readonly serverAheadMs?: number;
}

const late = (delayMs: number): Faults => ({ packets: { delayMs } });

describe('the pictures of one stream and the sound of another, merged, are within 40 ms of each other', () => {
  it.each<[string, Case]>([
    ['at once', { pictures: [from(0)], sounds: [from(0)] }],
    ['when the sound comes first', { pictures: [from(3000)], sounds: [from(0)] }],
    ['when the picture takes 3 s longer', { pictures: [from(0, late(3000))], sounds: [from(500)] }],
    ['when the sound takes 2 s longer', { pictures: [from(0)], sounds: [from(0, late(2000))] }],
    [
      'when the picture begins anew, and takes 2 s longer from then on',
      { pictures: [{ fromMs: 0, untilMs: 8000 }, from(11_000, late(2000))], sounds: [from(0)] },
    ],
    [
      'when the picture begins anew, and takes 2 s no longer',
      { pictures: [{ ...from(0, late(2000)), untilMs: 8000 }, from(11_000)], sounds: [from(0)] },
    ],
    [
      'when the sound begins anew, with a clock that is an hour wrong from then on',
      {
        pictures: [from(0)],
        sounds: [{ fromMs: 0, untilMs: 8000 }, from(11_000, { reports: { wallOffsetMs: 3_600_000 } })],
      },
    ],
    [
      'when the sound has no reports, begins anew, and its way jitters by 30 ms',
      {
        pictures: [from(0)],
        sounds: [
          { fromMs: 0, untilMs: 8000, faults: { reports: { tracks: [] } } },
          from(11_000, { reports: { tracks: [] }, packets: { jitterMs: 30 } }),
        ],
      },
    ],
    [
      'when both clocks are 10 s ahead of ours, and the picture takes 1 s longer',
      { pictures: [from(0, late(1000))], sounds: [from(2000)], serverAheadMs: -10_000 },
    ],
    [
      'when one clock is 200 ppm fast and has no reports',
      {
        pictures: [from(0)],
        sounds: [from(0, { reports: { tracks: [] }, clocks: { audioPpm: 200 }, packets: { jitterMs: 10 } })],
      },
    ],
  ])('%s', (_, options) => {
    const run = measureFillSkew({ forMs: 40_000, settleMs: 500, merged: true, ...options });
    for (const seen of [run.fmp4, run.rtsp]) {
      expect(Math.abs(seen.worst), `at ${seen.at} s`).toBeLessThanOrEqual(LIMIT);
      expect(seen.backward).toBe(0);
      expect(seen.pictures).toBeGreaterThan(700);
      expect(seen.sounds).toBeGreaterThan(1000);
    }
  });
});

describe('the picture of one camera and the sound of another are within 40 ms of each other', () => {
  it.each<[string, Case]>([
    ['at once', { pictures: [from(0)], sounds: [from(0)] }],
    ['when the sound comes 3 s later', { pictures: [from(0)], sounds: [from(3000)] }],
    ['when the sound comes first', { pictures: [from(3000)], sounds: [from(0)] }],
    [
      'when the microphone is restarted',
      { pictures: [from(0)], sounds: [{ fromMs: 0, untilMs: 8000 }, from(11_000)] },
    ],
    [
      'when the camera is restarted',
      { pictures: [{ fromMs: 0, untilMs: 8000 }, from(11_000)], sounds: [from(0)] },
    ],
    [
      'when the camera takes 300 ms longer, and both say by reports when they captured',
      { pictures: [from(0, { packets: { delayMs: 300 } })], sounds: [from(0)] },
    ],
    [
      'when both clocks, set by the same time, are 10 s ahead of ours',
      { pictures: [from(0)], sounds: [from(2000)], serverAheadMs: -10_000 },
    ],
    [
      'when one clock is an hour wrong: by arrival',
      { pictures: [from(0)], sounds: [from(1000, { reports: { wallOffsetMs: 3_600_000 } })] },
    ],
    [
      'when the camera has no reports: by arrival',
      { pictures: [from(0, { reports: { tracks: [] } })], sounds: [from(1000)] },
    ],
    [
      'when the microphone has no reports, and the clock of the camera is 10 s behind ours: by arrival',
      { pictures: [from(0)], sounds: [from(1000, { reports: { tracks: [] } })], serverAheadMs: 10_000 },
    ],
    [
      'when neither has any: by arrival',
      {
        pictures: [from(0, { reports: { tracks: [] } })],
        sounds: [from(3000, { reports: { tracks: [] } })],
      },
    ],
    [
      'when neither has any, and both ways jitter by 30 ms',
      {
        pictures: [from(0, { reports: { tracks: [] }, packets: { jitterMs: 30 } })],
        sounds: [from(3000, { reports: { tracks: [] }, packets: { jitterMs: 30 } })],
      },
    ],
    [
      'when one clock is 200 ppm fast and has no reports',
      {
        pictures: [from(0)],
        sounds: [from(0, { reports: { tracks: [] }, clocks: { audioPpm: 200 }, packets: { jitterMs: 10 } })],
      },
    ],
  ])('%s', (_, options) => {
    const run = measureFillSkew({ forMs: 40_000, settleMs: 500, ...options });
    for (const seen of [run.fmp4, run.rtsp]) {
      expect(Math.abs(seen.worst), `at ${seen.at} s`).toBeLessThanOrEqual(LIMIT);
      expect(seen.backward).toBe(0);
      expect(seen.pictures).toBeGreaterThan(700);
      expect(seen.sounds).toBeGreaterThan(1000);
    }
  });
});
