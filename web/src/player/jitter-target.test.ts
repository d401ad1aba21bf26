import { describe, expect, it } from 'vitest';
import { JitterTarget, LONGEST_MS } from './jitter-target.ts';

/** A browser that stays off its target by `off` seconds and moves by 100 ms in a second; gives its latency in the end. */
function settle(wanted: number, off: number, seconds = 30): { latency: number; asked: number } {
  const target = new JitterTarget();
  let latency = 0.05;
  let asked = 0;
  for (let now = 0; now < seconds * 1000; now += 250) {
    asked = target.update(now, wanted, latency) ?? 0;
    const goal = Math.max(0.02, asked / 1000 + off);
    latency += Math.min(0.025, Math.max(-0.025, goal - latency));
  }
  return { latency, asked };
}

describe('JitterTarget', () => {
  it.each([-0.13, 0, 0.25])('reaches what is wanted in a browser that is off by %d s', (off) => {
    const { latency } = settle(0.7, off);
    expect(latency).toBeGreaterThan(0.7 - 0.03);
    expect(latency).toBeLessThan(0.7 + 0.12);
  });

  it('asks for no more than a browser takes', () => {
    expect(settle(3.9, -0.5, 90).asked).toBe(LONGEST_MS);
  });

  it('leaves the choice to the browser at the live edge, and begins afresh after it', () => {
    const target = new JitterTarget();
    expect(target.update(0, undefined, 0.05)).toBeUndefined();
    expect(target.update(100, 0.5, 0.05)).toBe(500);
  });
});
