import { expect, test } from 'vitest';
import { Upsampler } from './upsampler.ts';

const FACTOR = 6;

function sine(frequency: number, rate: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, n) => Math.sin((2 * Math.PI * frequency * n) / rate));
}

/** The output with the look-ahead taken off, so that index `6 n` is the time of input sample n. */
function upsample(input: Float32Array, chunk = input.length): Float32Array {
  const upsampler = new Upsampler(FACTOR);
  const parts: number[] = [];
  for (let at = 0; at < input.length; at += chunk)
    parts.push(...upsampler.process(input.subarray(at, at + chunk)));
  return Float32Array.from(parts.slice(Upsampler.lookahead * FACTOR));
}

test('a tone keeps its shape and its place in time', () => {
  for (const frequency of [100, 1000, 3000]) {
    const output = upsample(sine(frequency, 8000, 1000));
    const wanted = sine(frequency, 48_000, 6000);
    for (let n = 300; n < output.length - 300; n++) expect(output[n]).toBeCloseTo(wanted[n]!, 2);
  }
});

test('a step stays where it is, to the sample', () => {
  const input = new Float32Array(200).fill(1, 100);
  const output = upsample(input);
  const crossing = output.findIndex((value) => value >= 0.5);
  // The middle between input samples 99 and 100.
  expect(Math.abs(crossing - 99.5 * FACTOR)).toBeLessThanOrEqual(1);
});

test('how the input is cut into pieces makes no difference', () => {
  const input = sine(440, 8000, 960);
  expect(upsample(input, 160)).toEqual(upsample(input));
});

test('a constant stays constant', () => {
  const output = upsample(new Float32Array(200).fill(0.5));
  for (let n = 200; n < output.length; n++) expect(output[n]).toBeCloseTo(0.5, 4);
});
