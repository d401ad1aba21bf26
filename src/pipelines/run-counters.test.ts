import { expect, test } from 'vitest';
import { Recent } from './run-counters.ts';

test('percentiles are values that occurred', () => {
  const recent = new Recent();
  for (let value = 1; value <= 100; value++) recent.add(value);
  expect(recent.percentiles).toEqual({ p50: 50, p95: 95 });
});

test('only the last 200 values count', () => {
  const recent = new Recent();
  for (let i = 0; i < 200; i++) recent.add(1000);
  for (let i = 0; i < 200; i++) recent.add(7);
  expect(recent.percentiles).toEqual({ p50: 7, p95: 7 });
});

test('nothing yet is zero', () => {
  expect(new Recent().percentiles).toEqual({ p50: 0, p95: 0 });
});
