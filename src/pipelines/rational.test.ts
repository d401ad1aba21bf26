import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toNanoseconds, toTicks } from './rational.ts';

test('ticks are rounded to the nearest, halves away from zero', () => {
  expect(toTicks(1n, { num: 1n, den: 12_800n }, 90_000)).toBe(7n);
  expect(toTicks(1n, { num: 1n, den: 2n }, 1)).toBe(1n);
  expect(toTicks(-1n, { num: 1n, den: 2n }, 1)).toBe(-1n);
  expect(toTicks(1n, { num: 1n, den: 3n }, 1)).toBe(0n);
});

test('ticks of the same rate stay as they are, however large', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }), (ticks) => {
      expect(toTicks(ticks, { num: 1n, den: 90_000n }, 90_000)).toBe(ticks);
    }),
  );
});

test('nanoseconds keep the order of times in different bases', () => {
  expect(toNanoseconds(1001n, { num: 1n, den: 30_000n })).toBe(33_366_666n);
});
