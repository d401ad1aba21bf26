import { describe, expect, it } from 'vitest';
import { StepTarget } from './step-target.ts';

describe('StepTarget', () => {
  it('guesses until the first result, with what the server says', () => {
    const target = new StepTarget();
    expect(target.update(0, undefined)).toBe(0.5);
    target.expect(600);
    expect(target.update(0, undefined)).toBeCloseTo(0.9);
  });

  it('is the delay and a margin, and grows at once with it', () => {
    const target = new StepTarget();
    expect(target.update(0, 200)).toBeCloseTo(0.35);
    expect(target.update(10, 1_200)).toBeCloseTo(1.35);
  });

  it('never waits for an algorithm without end', () => {
    expect(new StepTarget().update(0, 60_000)).toBe(12);
  });
});
