import { describe, expect, it } from 'vitest';
import { HlsTimeline } from './hls-timeline.ts';

describe('HlsTimeline', () => {
  it('gives back the timestamps of the stream, by the move of the stretch that a frame is in', () => {
    const timeline = new HlsTimeline();
    expect(timeline.seconds(0)).toBeUndefined();
    timeline.moved(0, 90_000 * 1_000, 90_000);
    timeline.moved(20, 48_000 * 5_000, 48_000);
    expect(timeline.seconds(0)).toBe(1_000);
    expect(timeline.seconds(19.96)).toBeCloseTo(1_019.96, 9);
    expect(timeline.seconds(19.995)).toBeCloseTo(5_019.995, 9);
    expect(timeline.seconds(30)).toBe(5_030);
  });

  it('forgets what a stretch was said to be before, and all after it', () => {
    const timeline = new HlsTimeline();
    timeline.moved(0, 1, 1);
    timeline.moved(10, 2, 1);
    timeline.moved(20, 3, 1);
    timeline.moved(10, 5, 1);
    expect([5, 15, 25].map((time) => timeline.seconds(time))).toEqual([6, 20, 30]);
  });
});
