import { expect, test } from 'vitest';
import { A_LAW, MU_LAW } from './g711.ts';

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
