import { describe, expect, it } from 'vitest';
import { ResultDelay, ResultDelays } from './result-delay.ts';

describe('ResultDelay', () => {
  it('gives quantiles of the last results', () => {
    const delay = new ResultDelay();
    for (let i = 1; i <= 100; i++) delay.add(i, i);
    expect(delay.quantile(0.5)).toBe(50);
    expect(delay.quantile(0.95)).toBe(95);
  });

  it('forgets what is older than half a minute', () => {
    const delay = new ResultDelay();
    delay.add(0, 5_000);
    delay.add(31_000, 100);
    expect(delay.quantile(1)).toBe(100);
  });

  it('holds for the slowest result within reason, and not for one straggler', () => {
    const delay = new ResultDelay();
    for (let i = 0; i < 100; i++) delay.add(i, 200);
    delay.add(101, 400);
    expect(delay.hold).toBe(400);
    delay.add(102, 9_000);
    expect(delay.hold).toBe(550);
  });
});

describe('ResultDelays', () => {
  it('holds for the slowest algorithm though a fast one speaks far more often', () => {
    const delays = new ResultDelays();
    for (let i = 0; i < 250; i++) delays.add('fast', i * 40, 50);
    for (let i = 0; i < 8; i++) delays.add('slow', i * 1_200, 1_200);
    expect(delays.hold).toBe(1_200);
    delays.keepOnly(new Set(['fast']));
    expect(delays.hold).toBe(50);
    delays.clear();
    expect(delays.hold).toBeUndefined();
  });
});
