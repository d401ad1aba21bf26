import { describe, expect, it } from 'vitest';
import { StreamClock } from './clock-mapping.ts';

const START = 1_790_000_000_000;
const RATE = 90_000;
const ticks = (seconds: number) => Math.round(seconds * RATE);

/** A generator of numbers in -1..1 that is the same in every run. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 30 - 1;
  };
}

describe('a track without sender reports', () => {
  it('is mapped from the arrival of its first unit on, whatever the later ones do', () => {
    const clock = new StreamClock();
    const video = clock.track(0, RATE);
    expect(video.ntpAt(ticks(1000), START)).toBe(START);
    expect(video.ntpAt(ticks(1001), START + 1300)).toBe(START + 1000);
    expect(video.source).toBe('arrival');
    expect(clock.source).toBe('arrival');
  });

  it('starts at its own arrival when it comes later than the others', () => {
    const clock = new StreamClock();
    clock.track(0, RATE).ntpAt(0, START);
    expect(clock.track(1, 8000).ntpAt(500_000, START + 250)).toBe(START + 250);
  });
});

describe('the first sender report', () => {
  it('holds at once, without a slew, when it comes before the first unit', () => {
    const video = new StreamClock().track(0, RATE);
    video.report(ticks(10), START + 700, START);
    expect(video.ntpAt(ticks(11), START + 5)).toBe(START + 1700);
    expect(video.source).toBe('sender-report');
    expect(video.lag).toBe(0);
  });

  it('holds at once when it comes within half a second of the first unit, before a player has begun', () => {
    const video = new StreamClock().track(0, RATE);
    video.ntpAt(0, START);
    video.report(ticks(0.01), START + 310, START + 10);
    expect(video.ntpAt(ticks(0.04), START + 40)).toBe(START + 340);
    expect(video.lag).toBe(0);
  });

  it('is reached by at most 10 ms per second of media when it comes later', () => {
    const video = new StreamClock().track(0, RATE);
    let last = video.ntpAt(0, START);
    last = video.ntpAt(ticks(1), START + 1000) - 1000;
    video.report(ticks(1), START + 1300, START + 1000);
    for (let second = 1; second <= 40; second++) {
      const ntp = video.ntpAt(ticks(second), START + second * 1000);
      expect(Math.abs(ntp - last - 1000)).toBeLessThanOrEqual(10);
      last = ntp;
    }
    expect(last).toBeCloseTo(START + 40_300, 2);
    expect(video.steps).toBe(0);
  });

  it('is a step when it differs by two seconds or more', () => {
    const video = new StreamClock().track(0, RATE);
    video.ntpAt(0, START);
    video.report(ticks(1), START + 61_000, START + 1000);
    expect(video.ntpAt(ticks(2), START + 2000)).toBe(START + 62_000);
    expect(video.steps).toBe(1);
  });
});

describe('a stream with reports for one track only', () => {
  it('moves the other to the source clock by the offset of report and arrival', () => {
    const clock = new StreamClock();
    const video = clock.track(0, RATE);
    const audio = clock.track(1, 8000);
    video.ntpAt(0, START);
    audio.ntpAt(0, START + 20);
    // The source's clock is an hour ahead.
    video.report(ticks(1), START + 3_601_000, START + 1000);
    expect(video.ntpAt(ticks(2), START + 2000)).toBe(START + 3_602_000);
    expect(audio.ntpAt(16_000, START + 2020)).toBe(START + 3_602_020);
    expect(audio.source).toBe('arrival');
    expect(clock.source).toBe('sender-report');
    expect(clock.track(2, 48_000).ntpAt(7, START + 3000)).toBe(START + 3_603_000);
  });
});

describe('reports that go on', () => {
  it('leave a mapping alone that they confirm to a tick, for a clock of 8 kHz too', () => {
    for (const rate of [90_000, 48_000, 8000]) {
      const track = new StreamClock().track(0, rate);
      track.report(0, START, START);
      track.ntpAt(0, START);
      for (let second = 0; second < 600; second += 5) {
        const at = second + 0.123_456;
        track.report(Math.floor(at * rate), START + at * 1000, START + at * 1000);
        expect(track.ntpAt(Math.floor(at * rate), START + at * 1000)).toBeCloseTo(
          START + (Math.floor(at * rate) * 1000) / rate,
          3,
        );
      }
      expect(track.skew).toBe(0);
    }
  });

  it.each([200, -200, 50])('follow a clock that is %i ppm off over an hour', (ppm) => {
    const track = new StreamClock().track(0, 48_000);
    const rate = 48_000 * (1 + ppm / 1e6);
    let worst = 0;
    let last: number | undefined;
    for (let second = 0; second <= 3600; second++) {
      const at = Math.round(second * rate);
      if (second % 5 === 0) track.report(at, START + second * 1000, START + second * 1000);
      const ntp = track.ntpAt(at, START + second * 1000);
      if (second > 60) worst = Math.max(worst, Math.abs(ntp - (START + second * 1000)));
      if (last !== undefined) expect(Math.abs(ntp - last - 1000)).toBeLessThan(10.3);
      last = ntp;
    }
    expect(worst).toBeLessThan(0.5);
    expect(track.steps).toBe(0);
  });

  it('average their jitter instead of following it', () => {
    const track = new StreamClock().track(0, RATE);
    const jitter = noise(7);
    let worst = 0;
    for (let second = 0; second <= 1800; second++) {
      if (second % 5 === 0) {
        const ntp = START + second * 1000 + (second === 0 ? 0 : jitter());
        track.report(ticks(second), ntp, START + second * 1000);
      }
      worst = Math.max(
        worst,
        Math.abs(track.ntpAt(ticks(second), START + second * 1000) - (START + second * 1000)),
      );
    }
    expect(worst).toBeLessThan(1);
  });

  it('step, and count it, when the source sets its clock', () => {
    const clock = new StreamClock();
    const track = clock.track(0, RATE);
    track.report(0, START, START);
    track.ntpAt(ticks(5), START + 5000);
    track.report(ticks(5), START + 95_000, START + 5000);
    expect(track.ntpAt(ticks(6), START + 6000)).toBe(START + 96_000);
    expect(track.steps).toBe(1);
    expect(clock.offset).toBe(90_000);
  });

  it('are not believed when they are far from where the units stand', () => {
    const track = new StreamClock().track(0, RATE);
    expect(track.ntpAt(ticks(5000), START)).toBe(START);
    track.report(0, START, START + 100);
    expect(track.ntpAt(ticks(5001), START + 1000)).toBe(START + 1000);
    expect([track.source, track.ignored, track.steps]).toEqual(['arrival', 1, 0]);
    const early = new StreamClock().track(0, RATE);
    early.report(ticks(7), START, START);
    expect(early.ntpAt(ticks(5000), START + 20)).toBe(START + 20);
    expect([early.source, early.ignored]).toEqual(['arrival', 1]);
    // Five minutes of silence, in which the reports go on.
    track.report(ticks(5300), START + 300_000.2, START + 300_000);
    expect(track.source).toBe('sender-report');
  });

  it('are passed over when they are old or no number', () => {
    const track = new StreamClock().track(0, RATE);
    track.report(ticks(10), START, START);
    track.report(ticks(9), START + 500, START);
    track.report(ticks(11), Number.NaN, START);
    expect(track.ntpAt(ticks(20), START)).toBe(START + 10_000);
  });
});
