import { describe, expect, test } from 'vitest';
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

describe('a rate whose interval divides that of the keyframes', () => {
  /** Numbers of the pictures of 25 a second that pass, with a keyframe at `first` and each 50 from there. */
  function passing(fps: number, first: number, from: number, to: number): number[] {
    const gate = new RateGate(fps);
    const passed: number[] = [];
    for (let n = from; n < to; n++) {
      if ((n - first) % 50 === 0) gate.keyframesAt(n * 3600, 50 * 3600);
      if (!gate.isDue(n * 3600)) continue;
      gate.pass(n * 3600);
      passed.push(n);
    }
    return passed;
  }

  test.each([1, 2, 5, 10, 12.5])('%d of 25 pictures a second are laid over the keyframes', (fps) => {
    const passed = passing(fps, 3, 0, 1003).filter((n) => n >= 103);
    for (let keyframe = 103; keyframe < 1003; keyframe += 50) expect(passed).toContain(keyframe);
    expect(passed).toHaveLength(36 * fps);
  });

  test('timestamps that are off by milliseconds do not tear it off the keyframes', () => {
    const gate = new RateGate(5);
    let keyframes = 0;
    for (let n = 0; n < 1000; n++) {
      const pts = n * 3600 + ((n * 7919) % 360) - 180;
      if (n % 50 === 0) gate.keyframesAt(pts, 50 * 3600 + ((n * 31) % 300) - 150);
      if (!gate.isDue(pts)) continue;
      gate.pass(pts);
      if (n % 50 === 0) keyframes++;
    }
    expect(keyframes).toBe(20);
  });

  test('where it does not divide it the rate is what was asked for, and keyframes do not matter', () => {
    expect(passing(7.3, 0, 0, 2500)).toHaveLength(730);
    expect(passing(0.4, 0, 0, 2500)).toHaveLength(40);
  });
});
