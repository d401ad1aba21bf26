import { describe, expect, it } from 'vitest';
import { audio, picture, sound, video } from '../../test/support/units.ts';
import { Timeline } from './timeline.ts';

describe('a timeline', () => {
  it('leaves the timestamps of the first video track as they are', () => {
    const timeline = new Timeline([audio, video]);
    expect(timeline.lead).toBe(video);
    expect(timeline.place(picture(1234))).toEqual({ pts: 1234 * 3600, dts: 1234 * 3600 });
  });

  it('places sound by capture time, whatever its own clock counts from', () => {
    const timeline = new Timeline([video, audio]);
    timeline.place(picture(0, { start: 1000 }));
    const odd = { ...sound(0, { start: 1500 }), pts: 987_654, dts: 987_654 };
    // 500 ms after the picture with pts 0.
    expect(timeline.place(odd)).toEqual({ pts: 24_000, dts: 24_000 });
  });

  it('has no place for sound before the first picture', () => {
    expect(new Timeline([video, audio]).place(sound(0))).toBeUndefined();
  });

  it('lets neighbouring audio frames touch exactly while the clocks agree', () => {
    const timeline = new Timeline([video, audio]);
    timeline.place(picture(0));
    let last: number | undefined;
    const distances = new Set<number>();
    for (let n = 0; n < 1000; n++) {
      const unit = sound(n);
      // Reports are exact to a tick only: up to 22 µs of noise.
      const placed = timeline.place({ ...unit, ntp: unit.ntp + ((n * 7) % 5) * 0.005 })!;
      if (last !== undefined) distances.add(placed.pts - last);
      last = placed.pts;
    }
    expect([...distances]).toEqual([1024]);
  });

  it('follows a sound clock that runs 200 ppm fast to within a millisecond, an hour long', () => {
    const timeline = new Timeline([video, audio]);
    const start = 1_700_000_000_000;
    let worst = 0;
    for (let second = 0; second < 3600; second++) {
      timeline.place({
        ...picture(0),
        pts: second * 90_000,
        dts: second * 90_000,
        ntp: start + second * 1000,
      });
      const pts = Math.round(second * 48_000 * 1.0002);
      const placed = timeline.place({ ...sound(0), pts, dts: pts, ntp: start + second * 1000 })!;
      worst = Math.max(worst, Math.abs(placed.pts / 48_000 - second));
    }
    expect(worst).toBeLessThan(0.001);
  });
});
