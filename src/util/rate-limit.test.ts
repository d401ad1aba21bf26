import { expect, it } from 'vitest';
import { RateLimit } from './rate-limit.ts';

it('lets so many through in a second, and again in the next', () => {
  const limit = new RateLimit(3);
  expect([0, 10, 20, 30, 999].map((ms) => limit.take(5000 + ms))).toEqual([true, true, true, false, false]);
  expect([1000, 1010].map((ms) => limit.take(5000 + ms))).toEqual([true, true]);
});
