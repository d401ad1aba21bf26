import { describe, expect, it } from 'vitest';
import { measureSkew } from '../support/av-skew.ts';
import { clip, expectInStep, type Faults, jitter, reports } from '../support/clock-faults.ts';

/** Sound and picture as readers of fMP4 and RTSP play them, against the camera's truth, over an hour of virtual time. */

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
