import { expect, it } from 'vitest';
import { SoundLag } from './sound-lag.ts';

it('sound is waited for when it has been too far behind for five seconds, and not for less', () => {
  const lag = new SoundLag();
  const late = { audio: 1_000, video: 1_200 };
  expect(lag.update(0, late)).toBe(false);
  expect(lag.update(4_000, late)).toBe(false);
  expect(lag.update(4_500, { audio: 1_100, video: 1_200 })).toBe(false);
  expect(lag.update(5_000, late)).toBe(false);
  expect(lag.update(9_900, late)).toBe(false);
  expect(lag.update(10_000, late)).toBe(true);
});

it('sound that is early, or of which nothing is known, is nothing to wait for', () => {
  const lag = new SoundLag();
  for (const now of [0, 6_000, 12_000]) {
    expect(lag.update(now, { audio: 1_500, video: 1_200 })).toBe(false);
    expect(lag.update(now, { video: 1_200 })).toBe(false);
  }
});
