import { describe, expect, it } from 'vitest';
import { SourceRate } from './source-rate.ts';

describe('the rate of a source', () => {
  it('is measured over what was seen, the last picture aside', () => {
    const rate = new SourceRate(90_000);
    // 25 pictures a second, a keyframe of 50 kB and 49 pictures of 4 kB in two seconds: 984 kbit/s.
    for (let n = 0; n <= 100; n++) rate.note(n * 3600, n % 50 === 0 ? 50_000 : 4000);
    expect(rate.fps).toBeCloseTo(25, 5);
    expect(rate.bitRate(1280, 720)).toBe(984_000 * 1.25);
  });

  it('is guessed by the size of the picture while too little was seen', () => {
    const rate = new SourceRate(90_000);
    rate.note(0, 200_000);
    rate.note(3600, 4000);
    expect(rate.fps).toBe(25);
    expect(rate.bitRate(1920, 1080)).toBe(Math.round(1920 * 1080 * 25 * 0.1 * 1.25));
  });

  it('is bounded, and begins anew when the time jumps back', () => {
    const rate = new SourceRate(90_000);
    for (let n = 0; n <= 50; n++) rate.note(900_000 + n * 3600, 4_000_000);
    expect(rate.bitRate(1920, 1080)).toBe(20_000_000);
    for (let n = 0; n <= 50; n++) rate.note(n * 3600, 10);
    expect(rate.bitRate(1920, 1080)).toBe(200_000);
  });
});
