import { describe, expect, it } from 'vitest';
import { SoundClock } from './sound-clock.ts';

describe('sound whose timestamps are whole milliseconds', () => {
  it('follows without a seam as long as it is within a millisecond of what was sent', () => {
    const clock = new SoundClock(44_100);
    const places = Array.from(
      { length: 5000 },
      (_, n) => clock.place(Math.floor((n * 1_024_000) / 44_100), 1024)!,
    );
    const steps = places.map((place, n) => (n === 0 ? 1024 : place - places[n - 1]!));
    expect(new Set(steps)).toEqual(new Set([1024]));
  });

  it('follows a clock that runs otherwise, by no more than a millisecond at a time', () => {
    const clock = new SoundClock(48_000);
    const sent = (n: number) => Math.round((n * 1024 * 1.0005) / 48);
    const places = Array.from({ length: 5000 }, (_, n) => clock.place(sent(n), 1024)!);
    places.forEach((place, n) => expect(Math.abs(place / 48 - sent(n))).toBeLessThanOrEqual(1.02));
    expect(places.every((place, n) => n === 0 || Math.abs(place - places[n - 1]! - 1024) <= 48)).toBe(true);
  });

  it('is put where its timestamp says after a gap, and never stands still', () => {
    const clock = new SoundClock(48_000);
    expect(clock.place(1000, 1024)).toBe(1000 * 48);
    expect(clock.place(1021, 1024)).toBe(1000 * 48 + 1024);
    expect(clock.place(1500, 1024)).toBe(1500 * 48);
    expect(clock.place(1470, 1024)).toBeUndefined();
  });
});
