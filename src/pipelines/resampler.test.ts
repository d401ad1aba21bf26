import { describe, expect, it } from 'vitest';
import { Resampler } from './resampler.ts';

function sine(frequency: number, rate: number, length: number, first = 0): Float32Array {
  return Float32Array.from({ length }, (_, n) => Math.sin((2 * Math.PI * frequency * (n + first)) / rate));
}

/** The output, and the number of its first sample. */
function resample(from: number, to: number, input: Float32Array, first = 0, chunk = input.length) {
  const resampler = new Resampler(from, to);
  resampler.begin(first);
  const number = resampler.next;
  const samples: number[] = [];
  for (let at = 0; at < input.length; at += chunk) {
    samples.push(...resampler.process(input.subarray(at, at + chunk)));
  }
  return { number, samples: Float32Array.from(samples) };
}

describe('a changed sample rate', () => {
  it.each([
    [8000, 48_000],
    [44_100, 48_000],
    [22_050, 48_000],
    [48_000, 48_000],
    [96_000, 48_000],
  ])('keeps the shape and the place in time of tones: %i to %i', (from, to) => {
    // Far from zero, where a ratio that is rounded would have drifted.
    const first = from * 86_400;
    for (const frequency of [100, 1000, 3000]) {
      const { number, samples } = resample(from, to, sine(frequency, from, 3000, first), first);
      const wanted = sine(frequency, to, samples.length, number);
      const edge = Math.ceil((100 * to) / from);
      for (let n = edge; n < samples.length - edge; n++) expect(samples[n]).toBeCloseTo(wanted[n]!, 2);
    }
  });

  it('lets a step stay where it is, to the sample', () => {
    const { number, samples } = resample(8000, 48_000, new Float32Array(200).fill(1, 100));
    // The middle between input samples 99 and 100.
    expect(Math.abs(number + samples.findIndex((value) => value >= 0.5) - 99.5 * 6)).toBeLessThanOrEqual(1);
  });

  it('does not hang on how the input is cut into pieces', () => {
    for (const from of [8000, 44_100, 96_000]) {
      const input = sine(440, from, 960);
      expect(resample(from, 48_000, input, 7, 160)).toEqual(resample(from, 48_000, input, 7));
    }
  });

  it('lets a constant stay constant, and takes out what the lower rate cannot hold', () => {
    const { samples } = resample(44_100, 48_000, new Float32Array(400).fill(0.5));
    for (const value of samples.subarray(200)) expect(value).toBeCloseTo(0.5, 4);
    const high = resample(96_000, 48_000, sine(40_000, 96_000, 2000)).samples;
    for (const value of high.subarray(100, -100)) expect(Math.abs(value)).toBeLessThan(0.001);
  });

  it('is not tried for rates that have next to nothing in common', () => {
    expect(Resampler.canDo(44_100, 48_000)).toBe(true);
    expect(Resampler.canDo(16_001, 48_000)).toBe(false);
  });
});
