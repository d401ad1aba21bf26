import { describe, expect, it } from 'vitest';
import { PictureOrder } from './picture-order.ts';

describe('the order of pictures', () => {
  it('is known to be another than that of display with the first picture that is shown before its predecessor', () => {
    const order = new PictureOrder();
    // I P B B as they come.
    expect([0, 10_800, 3600].map((pts) => order.note({ pts }))).toEqual([false, false, true]);
    expect(order).toMatchObject({ reordered: true, settled: true });
    expect(order.note({ pts: 7200 })).toBe(false);
  });

  it('is known to be that of display after two seconds of it, and news once', () => {
    const order = new PictureOrder();
    const news = Array.from({ length: 100 }, (_, n) => order.note({ pts: n * 3600 }));
    expect(news.flatMap((is, n) => (is ? [n] : []))).toEqual([49]);
    expect(order).toMatchObject({ reordered: false, settled: true });
    expect(order.note({ pts: 0 })).toBe(true);
    expect(order.reordered).toBe(true);
  });
});
