import { describe, expect, it } from 'vitest';
import { VirtualClock } from './clock.ts';
import { SlidingMean } from './sliding-mean.ts';

describe('SlidingMean', () => {
  it('is the mean of the values in the window, and nothing without any', () => {
    const clock = new VirtualClock();
    const mean = new SlidingMean(10_000, clock);
    expect(mean.mean).toBeUndefined();
    mean.add(1);
    clock.advance(6000);
    mean.add(4);
    expect(mean.mean).toBe(2.5);
    clock.advance(4000);
    expect(mean.mean).toBe(4);
    clock.advance(6000);
    expect(mean.mean).toBeUndefined();
  });

  it('stays bounded in a flood', () => {
    const mean = new SlidingMean(10_000, new VirtualClock());
    for (let i = 0; i < 2048; i++) mean.add(0);
    for (let i = 0; i < 2048; i++) mean.add(1);
    expect(mean.mean).toBe(1);
  });
});
