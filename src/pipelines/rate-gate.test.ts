import { expect, test } from 'vitest';
import { RateGate } from './rate-gate.ts';

function passed(gate: RateGate, pts: Iterable<number>): number[] {
  const result: number[] = [];
  for (const value of pts) {
    if (!gate.isDue(value)) continue;
    gate.pass(value);
    result.push(value);
  }
  return result;
}

function* pictures(count: number, fps: number, jitter = 0): Generator<number> {
  for (let n = 0; n < count; n++) yield Math.round((n * 90_000) / fps) - (n % 2) * jitter;
}

test('5 of 20 pictures a second are each fourth', () => {
  expect(passed(new RateGate(5), pictures(12, 20))).toEqual([0, 18_000, 36_000]);
});

test('10 of 25 pictures a second are 10 on average', () => {
  expect(passed(new RateGate(10), pictures(250, 25))).toHaveLength(100);
});

test('timestamps that tremble do not lower the rate', () => {
  expect(passed(new RateGate(5), pictures(200, 20, 1)).length).toBeGreaterThanOrEqual(49);
});

test('0 lets every picture pass', () => {
  expect(passed(new RateGate(0), pictures(10, 25))).toHaveLength(10);
});

test('after a pause the rate is held from then on, without a burst', () => {
  const gate = new RateGate(5);
  expect(passed(gate, [0, 90_000, 93_600, 97_200, 108_000])).toEqual([0, 90_000, 108_000]);
});

test('a stream that begins anew at zero is looked at without delay', () => {
  const gate = new RateGate(5);
  passed(gate, [9_000_000]);
  expect(passed(gate, [0, 3600])).toEqual([0]);
});
