import { describe, expect, it } from 'vitest';
import { HeldMaximum } from './held-maximum.ts';

describe('HeldMaximum', () => {
  it('follows upwards at once', () => {
    const held = new HeldMaximum(0.2);
    expect(held.update(0, 0.3)).toBe(0.3);
    expect(held.update(10, 0.9)).toBe(0.9);
  });

  it('gives way only after less was enough for a while, and then to the most that was needed meanwhile', () => {
    const held = new HeldMaximum(1);
    expect(held.update(0, 0.2)).toBe(1);
    expect(held.update(6_000, 0.5)).toBe(1);
    expect(held.update(11_000, 0.2)).toBe(1);
    expect(held.update(12_000, 0.2)).toBe(0.5);
    expect(held.update(24_000, 0.2)).toBe(0.2);
  });

  it('stays where it is when the difference is not worth bending the sound for', () => {
    const held = new HeldMaximum(0.5);
    held.update(0, 0.45);
    expect(held.update(60_000, 0.45)).toBe(0.5);
  });
});
