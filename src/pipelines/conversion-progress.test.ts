import { expect, test } from 'vitest';
import { ConversionProgress } from './conversion-progress.ts';

test('a conversion says twice a second how far it is, how fast, and how large the file is', () => {
  const progress = new ConversionProgress(10_000);
  expect(progress.isEmpty).toBe(true);
  expect(progress.statistics(1000, () => 0, false)).toBeUndefined();
  for (let n = 0; n < 50; n++) progress.note(n * 40, true);
  progress.note(1990, false);
  expect(progress.statistics(1400, () => 1, false)).toBeUndefined();
  expect(progress.statistics(2000, () => 500_000, false)).toEqual({
    timeMs: 1990,
    durationMs: 10_000,
    speed: 1.99,
    fps: 50,
    bitRate: 2_010_050,
    bytesSent: 500_000,
  });
  expect(progress.statistics(2100, () => 500_000, true)).toMatchObject({ fps: 0, timeMs: 1990 });
  expect(progress.isEmpty).toBe(false);
});
