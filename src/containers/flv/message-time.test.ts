import { describe, expect, it } from 'vitest';
import { MessageTime } from './message-time.ts';

const unwrapped = (...timestamps: number[]) => {
  const time = new MessageTime();
  return timestamps.map((timestamp) => time.unwrap(timestamp));
};

describe('milliseconds of RTMP', () => {
  it('go on over the wrap of 32 bits, for sound that comes after the picture too', () => {
    const wrap = 2 ** 32;
    expect(unwrapped(wrap - 20, 20, wrap - 10, 30)).toEqual([wrap - 20, wrap + 20, wrap - 10, wrap + 30]);
  });

  it('go on over the wrap of 24 bits that encoders have which know no other timestamps', () => {
    const wrap = 2 ** 24;
    expect(unwrapped(wrap - 20, 20, wrap - 10, 30, 60)).toEqual([
      wrap - 20,
      wrap + 20,
      wrap - 10,
      wrap + 30,
      wrap + 60,
    ]);
    const time = new MessageTime();
    let last = -1;
    for (let ms = 0; ms < 3.5 * wrap; ms += 5000) {
      const now = time.unwrap(ms % wrap);
      expect(now).toBe(ms);
      expect(now).toBeGreaterThan(last);
      last = now;
    }
  });

  it('pass 2^24 as any other number where the encoder goes on counting', () => {
    expect(unwrapped(2 ** 24 - 20, 2 ** 24 + 20, 2 ** 24 + 60)).toEqual([
      2 ** 24 - 20,
      2 ** 24 + 20,
      2 ** 24 + 60,
    ]);
  });

  it('begin anew where the publisher does', () => {
    expect(unwrapped(600_000, 600_040, 0, 40)).toEqual([600_000, 600_040, 0, 40]);
  });
});
