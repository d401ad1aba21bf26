import { describe, expect, it } from 'vitest';
import { measureSkew, type SkewRun } from '../support/av-skew.ts';
import { madeUpClip } from '../support/fault-camera/clip.ts';
import type { ClockFaults, FaultCameraOptions, ReportFaults } from '../support/fault-camera/options.ts';

/** Sound and picture as readers of fMP4 and RTSP play them, against the camera's truth, on virtual time. */

const clip = madeUpClip();
/** Largest distance between sound and picture that readers may see, ms. */
const LIMIT = 20;

function expectInStep(run: SkewRun): void {
  for (const seen of [run.fmp4, run.rtsp]) {
    expect(Math.abs(seen.worst), `at ${seen.at} s`).toBeLessThanOrEqual(LIMIT);
    expect(seen.backward).toBe(0);
    expect(seen.pictures).toBeGreaterThan(1000);
    expect(seen.sounds).toBeGreaterThan(2000);
  }
}

type Faults = Omit<FaultCameraOptions, 'clip'>;
const jitter = { packets: { jitterMs: 10 } };
const reports = (faults: ReportFaults, clocks: ClockFaults = {}): Faults => ({ reports: faults, clocks });

describe('sound and picture stay within 20 ms for an hour', () => {
  it.each<[string, Faults]>([
    ['an audio clock 200 ppm fast', { clocks: { audioPpm: 200 } }],
    ['an audio clock 200 ppm slow', { clocks: { audioPpm: -200 } }],
    ['such a clock without any reports', { ...jitter, ...reports({ tracks: [] }, { audioPpm: 200 }) }],
    ['a slow one without any reports', { ...jitter, ...reports({ tracks: [] }, { audioPpm: -200 }) }],
    ['reports of the picture alone', { ...jitter, ...reports({ tracks: ['video'] }, { audioPpm: 200 }) }],
    ['reports of the sound alone', { ...jitter, ...reports({ tracks: ['audio'] }, { audioPpm: -200 }) }],
  ])(
    'with %s',
    (_, faults) => {
      expectInStep(measureSkew({ clip, ...faults }, 60));
    },
    60_000,
  );

  it('and the drift is known', () => {
    const { clock } = measureSkew({ clip, clocks: { audioPpm: 200 } }, 5);
    expect(clock.track(0, 90_000).state).toMatchObject({ source: 'sender-report', lagMs: 0 });
    expect(clock.track(0, 90_000).state.skewPpm).toBeCloseTo(0, 0);
    expect(clock.track(1, 48_000).state.skewPpm).toBeCloseTo(-200, 0);
    const { clock: arrival } = measureSkew(
      { clip, ...jitter, ...reports({ tracks: [] }, { audioPpm: 200 }) },
      5,
    );
    expect(arrival.track(1, 48_000).source).toBe('arrival');
    expect(Math.abs(arrival.track(1, 48_000).state.skewPpm + 200)).toBeLessThan(20);
  });
});

describe('sound and picture stay within 20 ms when sender reports', () => {
  const shifted = { audioShiftMs: 2500 };
  it.each<[string, Faults]>([
    ['come first after 12 s', { ...jitter, ...reports({ ...shifted, firstMs: 12_000 }, { audioPpm: 200 }) }],
    [
      'show a clock that is an hour slow',
      { ...jitter, ...reports({ ...shifted, wallOffsetMs: -3_600_000 }) },
    ],
    ['do both', { ...jitter, ...reports({ ...shifted, firstMs: 12_000, wallOffsetMs: -3_600_000 }) }],
    ['arrive 3 s late', reports({ ...shifted, delayMs: 3000 }, { audioPpm: 200 })],
    ['are off by up to 3 ms', reports({ ...shifted, jitterMs: 3 }, { audioPpm: 200 })],
    ['have no wall clock now and then', reports({ falseShare: 0.2, falseKind: 'zero-ntp' })],
    ['have no RTP time now and then', reports({ falseShare: 0.2, falseKind: 'zero-rtp' })],
    ['say anything now and then', reports({ falseShare: 0.2, falseKind: 'random' })],
    ['jump by 300 ms', reports({ ...shifted, wallJumps: [{ atMs: 61_000, byMs: 300 }] })],
    [
      'jump by seconds, forth and back',
      reports({
        ...shifted,
        wallJumps: [
          { atMs: 61_000, byMs: 3000 },
          { atMs: 121_000, byMs: -7000 },
        ],
      }),
    ],
    ['jump by an hour', reports({ ...shifted, wallJumps: [{ atMs: 61_000, byMs: 3_600_000 }] })],
  ])('%s', (_, faults) => {
    expectInStep(measureSkew({ clip, ...faults }, 5));
  });

  it('jitter, as far as their own jitter lets them', () => {
    const { fmp4, rtsp } = measureSkew({ clip, ...reports({ jitterMs: 40 }, { audioPpm: 200 }) }, 20);
    expect(Math.abs(fmp4.worst)).toBeLessThan(80);
    expect(Math.abs(rtsp.worst)).toBeLessThan(80);
  });

  it('are off by seconds now and then', () => {
    // With this seed the first report of each track is right; nothing could show that it is not.
    expectInStep(measureSkew({ clip, seed: 2, ...reports({ falseShare: 0.2, falseKind: 'off' }) }, 10));
  });
});

describe('sound and picture stay within 20 ms when timestamps', () => {
  const jumps = (byMs: number, track?: 'video' | 'audio'): Faults => ({
    ...jitter,
    clocks: { jumps: [{ atMs: 61_000, byMs, ...(track && { track }) }] },
  });
  const pause = (forMs: number, timestamps: 'go-on' | 'stop'): Faults => ({
    ...jitter,
    clocks: { pauses: [{ atMs: 61_000, forMs, timestamps }] },
    reports: { audioShiftMs: 2500 },
  });
  it.each<[string, Faults]>([
    ['wrap soon', { clocks: { rtpStart: { video: 2 ** 32 - 9000, audio: 2 ** 32 - 480_000 } } }],
    [
      'begin with the last one before the wrap',
      { clocks: { rtpStart: { video: 2 ** 32 - 1, audio: 2 ** 32 - 1 } } },
    ],
    ['begin at 0', { clocks: { rtpStart: { video: 0, audio: 0 } } }],
    ['step back by half a minute', jumps(-30_000)],
    ['step back by 5 s', jumps(-5000)],
    ['step back by half a second', jumps(-500)],
    ['step back without any reports', { ...jumps(-5000), reports: { tracks: [] } }],
    ['leap ahead', jumps(5000)],
    ['of the picture leap ahead', jumps(1000, 'video')],
    ['of the picture step back', jumps(-3000, 'video')],
    ['of the sound step back', jumps(-3000, 'audio')],
    ['go on in a pause', pause(4000, 'go-on')],
    ['stop in a pause', pause(4000, 'stop')],
    ['stop for a second', pause(1000, 'stop')],
    ['stop in a pause without any reports', { ...pause(4000, 'stop'), reports: { tracks: [] } }],
  ])('%s', (_, faults) => {
    expectInStep(measureSkew({ clip, ...faults }, 3));
  });

  it.each<[string, Faults]>([
    ['reports', {}],
    ['arrival', { ...jitter, reports: { tracks: [] } }],
  ])('claim 25 pictures a second where 21 come: after 12 s, by %s', (_, faults) => {
    expectInStep(measureSkew({ clip, clocks: { deliveredFps: 21 }, ...faults }, 10, 12_000));
  });
});
