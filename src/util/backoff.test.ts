import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.ts';

const row = (backoff: Backoff, length: number) => Array.from({ length }, () => backoff.next());

describe('Backoff', () => {
  it('doubles from the minimum to the maximum and stays there', () => {
    const backoff = new Backoff({ random: () => 0 });
    expect(row(backoff, 9)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('gives a short first wait when one is asked for', () => {
    expect(row(new Backoff({ first: 100, random: () => 0 }), 3)).toEqual([100, 500, 1000]);
  });

  it('shortens each wait by at most a half', () => {
    expect(row(new Backoff({ first: 100, random: () => 0.999_999 }), 3).map(Math.round)).toEqual([
      50, 250, 500,
    ]);
  });

  it('begins anew after a reset', () => {
    const backoff = new Backoff({ random: () => 0 });
    row(backoff, 5);
    backoff.reset();
    expect(backoff.attempts).toBe(0);
    expect(backoff.next()).toBe(500);
  });

  it('never overflows, however long something is down', () => {
    const backoff = new Backoff({ random: () => 0 });
    row(backoff, 2000);
    expect(backoff.next()).toBe(30_000);
  });
});
