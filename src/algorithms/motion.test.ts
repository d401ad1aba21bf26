import { expect, test } from 'vitest';
import { MovingValue } from './motion.ts';

test('the speed of a steady motion is found, also from measurements at irregular times', () => {
  const value = new MovingValue(0, 0.1, 5);
  let time = 0;
  for (const seconds of [0.04, 0.2, 0.2, 1, 0.04, 0.5, 0.2, 0.7, 0.04, 0.3]) {
    time += seconds;
    value.advance(seconds, 0.5);
    value.measure(2 * time, 0.1);
  }
  expect(value.speed).toBeCloseTo(2, 1);
  value.advance(1, 0.5);
  expect(value.position).toBeCloseTo(2 * (time + 1), 0);
});

test('uncertainty grows with time and shrinks with each measurement', () => {
  const value = new MovingValue(0, 0.1, 1);
  value.advance(0.5, 1);
  const late = value.deviation;
  value.advance(0.5, 1);
  expect(value.deviation).toBeGreaterThan(late);
  value.measure(0, 0.1);
  expect(value.deviation).toBeLessThan(0.1);
});
