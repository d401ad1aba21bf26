import { describe, expect, it } from 'vitest';
import { rescale, TimestampUnwrapper } from './timestamps.ts';

describe('an RTP timestamp', () => {
  it('goes on for ever over its wrap at 2^32', () => {
    const unwrapper = new TimestampUnwrapper();
    const start = 2 ** 32 - 7200;
    expect([start, 2 ** 32 - 3600, 0, 3600].map((t) => unwrapper.unwrap(t))).toEqual([
      start,
      2 ** 32 - 3600,
      2 ** 32,
      2 ** 32 + 3600,
    ]);
  });

  it('may step back, as with B-frames, also across the wrap', () => {
    const unwrapper = new TimestampUnwrapper();
    const stamps = [2 ** 32 - 3600, 3600, 0, 7200];
    expect(stamps.map((t) => unwrapper.unwrap(t))).toEqual([
      2 ** 32 - 3600,
      2 ** 32 + 3600,
      2 ** 32,
      2 ** 32 + 7200,
    ]);
  });

  it('survives a thousand wraps', () => {
    const unwrapper = new TimestampUnwrapper();
    const step = 2 ** 30;
    let last = unwrapper.unwrap(0);
    for (let n = 1; n < 4000; n++) {
      const value = unwrapper.unwrap((n * step) % 2 ** 32);
      expect(value - last).toBe(step);
      last = value;
    }
  });
});

describe('rescaling', () => {
  it('rounds to the nearest tick', () => {
    expect(rescale(1024, 44_100, 90_000)).toBe(2090);
    expect(rescale(3600, 90_000, 90_000)).toBe(3600);
  });
});
