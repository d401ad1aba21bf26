import { describe, expect, test } from 'vitest';
import { VideoTiming } from './video-timing.ts';

function run(dts: readonly number[], fps?: number) {
  const timing = new VideoTiming(90_000, fps);
  return dts.map((time) => timing.next(time));
}

/** Steps that a browser would take for a break. */
function breaks(samples: readonly { time: number; duration: number }[]): number {
  return samples.filter(
    (sample, i) => i > 0 && sample.time - samples[i - 1]!.time >= 2 * samples[i - 1]!.duration,
  ).length;
}

describe('decode times of video', () => {
  test('are those of the source, and the duration is the last distance', () => {
    expect(run([9000, 12_000, 15_000], 30)).toEqual([
      { time: 9000, duration: 3000 },
      { time: 12_000, duration: 3000 },
      { time: 15_000, duration: 3000 },
    ]);
  });

  test('begin with a duration of 40 ms where the parameter sets say no rate', () => {
    expect(run([0])[0]?.duration).toBe(3600);
    expect(run([0], 100_000)[0]?.duration).toBe(3600);
  });

  test('of a camera that stutters are never taken for a break', () => {
    const dts = [0, 3600, 5400, 10_800, 12_600, 18_000, 19_800, 25_200];
    const samples = run(dts);
    expect(samples.map(({ time }) => time)).toEqual(dts);
    expect(breaks(samples)).toBe(0);
  });

  test('go over a gap of lost pictures in steps, until they have caught up', () => {
    const dts = [0, 3600, 7200, ...Array.from({ length: 40 }, (_, i) => 97_200 + i * 3600)];
    const samples = run(dts);
    expect(breaks(samples)).toBe(0);
    expect(samples.every(({ time }, i) => time <= dts[i]!)).toBe(true);
    expect(samples.at(-1)?.time).toBe(dts.at(-1));
  });

  test('strictly increase as long as the source does', () => {
    const samples = run([0, 1, 2, 90_000, 90_001, 90_002]);
    expect(samples.every(({ time }, i) => i === 0 || time > samples[i - 1]!.time)).toBe(true);
  });

  test('are never negative', () => {
    expect(run([-7200, -3600, 0, 3600]).map(({ time }) => time)).toEqual([0, 0, 0, 3600]);
  });

  test('jump where the stream began anew', () => {
    expect(run([0, 3600, 9_000_000]).at(-1)?.time).toBe(9_000_000);
    expect(run([9_000_000, 9_003_600, 0]).at(-1)?.time).toBe(0);
  });
});
