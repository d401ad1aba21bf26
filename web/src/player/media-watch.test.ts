import { describe, expect, it } from 'vitest';
import { type MediaCounts, MediaWatch } from './media-watch.ts';

/** Watches for so many seconds, once a second; gives the first verdict and its time. */
function watch(seconds: number, at: (second: number) => Partial<MediaCounts> & { isLive?: boolean }) {
  const watched = new MediaWatch();
  for (let second = 0; second <= seconds; second++) {
    const { isLive = true, ...counts } = at(second);
    const all = { packets: 0, received: 0, decoded: 0, keyframeRequests: 0, ...counts };
    const verdict = watched.update(second * 1000, all, isLive);
    if (verdict) return { second, kind: verdict.kind };
  }
  return undefined;
}

const fine = (second: number) => ({ packets: second * 270, received: second * 25, decoded: second * 25 });

describe('MediaWatch', () => {
  it('has nothing against a connection that plays', () => {
    expect(watch(120, fine)).toBeUndefined();
  });

  it('notices after four seconds that nothing comes of a live stream', () => {
    expect(watch(60, (second) => fine(Math.min(second, 10)))).toEqual({ second: 14, kind: 'stalled' });
  });

  it('waits with a stream whose publisher is gone', () => {
    expect(watch(60, (second) => ({ ...fine(Math.min(second, 10)), isLive: second < 11 }))).toBeUndefined();
  });

  it('notices pictures that come in an order in which few can be decoded', () => {
    const bFrames = (second: number) => ({ ...fine(second), decoded: second, keyframeRequests: second * 3 });
    expect(watch(60, bFrames)?.kind).toBe('garbled');
  });

  it('leaves a connection that lost some packets its time', () => {
    const lossy = (second: number) => ({ ...fine(second), decoded: second * 20, keyframeRequests: second });
    expect(watch(60, lossy)).toBeUndefined();
  });

  it('gives up pictures of which none is ever decoded', () => {
    expect(watch(60, (second) => ({ ...fine(second), decoded: 0 }))).toEqual({ second: 6, kind: 'garbled' });
  });

  it('is content with sound alone', () => {
    expect(watch(60, (second) => ({ packets: second * 50 }))).toBeUndefined();
  });
});
