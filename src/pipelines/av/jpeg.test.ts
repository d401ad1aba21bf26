import { describe, expect, it } from 'vitest';
import { quantiserOf } from './jpeg.ts';

describe("FFmpeg's quantiser for a quality of libjpeg", () => {
  it('is the one with the same error, and grows as the quality falls', () => {
    const steps = [100, 95, 94, 86, 77, 67, 60, 42, 20, 10, 1].map(quantiserOf);
    expect(steps).toEqual([1, 1, 1, 2, 3, 4, 5, 8, 16, 31, 31]);
    for (let quality = 2; quality <= 100; quality++) {
      expect(quantiserOf(quality)).toBeLessThanOrEqual(quantiserOf(quality - 1));
    }
  });
});
