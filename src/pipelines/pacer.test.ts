import { expect, test } from 'vitest';
import { Pacer } from './pacer.ts';

test('media goes out when its time has come, counted from the first unit', () => {
  const pacer = new Pacer();
  expect(pacer.wait(5000, 100)).toBe(0);
  expect(pacer.wait(5040, 100)).toBe(40);
  expect(pacer.wait(5040, 139)).toBe(1);
  expect(pacer.wait(5040, 141)).toBe(0);
});

test('a short delay is caught up, so that it leaves no trace', () => {
  const pacer = new Pacer(200);
  pacer.wait(0, 0);
  expect(pacer.wait(40, 230)).toBe(0);
  expect(pacer.wait(240, 230)).toBe(10);
});

test('a long delay is caught up by 200 ms at most', () => {
  const pacer = new Pacer(200);
  pacer.wait(0, 0);
  // The process was asleep from 0 to 3000: what was due at 0 counts as due at 2800.
  expect(pacer.wait(0, 3000)).toBe(0);
  expect(pacer.wait(199, 3000)).toBe(0);
  expect(pacer.wait(240, 3000)).toBe(40);
});
