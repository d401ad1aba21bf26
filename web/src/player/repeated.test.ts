import { expect, it } from 'vitest';
import { Repeated } from './repeated.ts';

it('Repeated tells an accident from a fault', () => {
  const breaks = new Repeated(3, 30_000);
  expect([0, 20_000, 40_000, 45_000, 46_000].map((now) => breaks.count(now))).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
});
