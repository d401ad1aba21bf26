import { expect, test } from 'vitest';
import { A_LAW, decodeG711, encodeG711, MU_LAW } from './g711.ts';

/** Values at 16 bits of full scale, by tables 1a to 2b of ITU-T G.711. */
test('A-law bytes have the values of the recommendation', () => {
  const value = (byte: number) => A_LAW[byte]! * 32_768;
  expect(value(0xd5)).toBe(8);
  expect(value(0x55)).toBe(-8);
  expect(value(0xaa)).toBe(32_256);
  expect(value(0x2a)).toBe(-32_256);
});

test('µ-law bytes have the values of the recommendation', () => {
  const value = (byte: number) => MU_LAW[byte]! * 32_768;
  expect(value(0xff)).toBe(0);
  expect(value(0x80)).toBe(32_124);
  expect(value(0x00)).toBe(-32_124);
});

test('both laws rise through all their values', () => {
  for (const law of [A_LAW, MU_LAW]) expect(new Set(law).size).toBeGreaterThanOrEqual(255);
});

test('what is encoded is the byte whose value is nearest, channels side by side, and never wraps', () => {
  for (const [codec, law] of [
    ['pcma', A_LAW],
    ['pcmu', MU_LAW],
  ] as const) {
    const bytes = encodeG711(codec, [law]);
    // Of the two zeros of the µ-law one is as good as the other.
    expect(decodeG711(codec, bytes, 1)[0]).toEqual(law.map((value) => value + 0));
    const loud = Float32Array.of(1, -1, 2, -2);
    const [decoded] = decodeG711(codec, encodeG711(codec, [loud]), 1);
    expect([...decoded!].map((value) => Math.round(value * 10))).toEqual([10, -10, 10, -10]);
    const stereo = encodeG711(codec, [Float32Array.of(0.5, 0.5), Float32Array.of(-0.5, -0.5)]);
    const [left, right] = decodeG711(codec, stereo, 2);
    expect(Math.abs(left![1]! - 0.5)).toBeLessThan(0.02);
    expect(Math.abs(right![0]! + 0.5)).toBeLessThan(0.02);
  }
});
