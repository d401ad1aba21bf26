import { describe, expect, it } from 'vitest';
import type { Result } from '../contract.ts';
import { ResultStore, ResultTrack } from './results.ts';

export function resultAt(pts: number, objects: Result['objects'] = [], algorithm = 'people'): Result {
  return {
    stream: 'demo',
    algorithm,
    run: 'r',
    pts,
    ntp: 0,
    width: 640,
    height: 360,
    objects,
    timing: { queueMs: 0, inferMs: 1 },
  };
}

describe('ResultTrack', () => {
  it('finds the result of exactly one frame and of no other', () => {
    const track = new ResultTrack();
    track.add(resultAt(3_600));
    track.add(resultAt(10_800));
    expect(track.at(3_600)?.pts).toBe(3_600);
    expect(track.at(3_601)).toBeUndefined();
    expect(track.at(7_200)).toBeUndefined();
  });

  it('keeps results in the order of their frames, however they arrive', () => {
    const track = new ResultTrack();
    for (const pts of [9_000, 3_000, 6_000]) track.add(resultAt(pts));
    const { earlier, before, after } = track.around(7_000);
    expect([earlier?.pts, before?.pts, after?.pts]).toEqual([3_000, 6_000, 9_000]);
  });

  it('replaces a result of the same frame', () => {
    const track = new ResultTrack();
    track.add(resultAt(3_000));
    track.add({ ...resultAt(3_000), state: 2 });
    expect(track.size).toBe(1);
    expect(track.at(3_000)?.state).toBe(2);
  });

  it('stays bounded over hours', () => {
    const track = new ResultTrack();
    for (let i = 0; i < 100_000; i++) track.add(resultAt(i * 3_600));
    expect(track.size).toBeLessThan(1_600);
    expect(track.newest?.pts).toBe(99_999 * 3_600);
  });

  it('forgets a timeline that began again', () => {
    const track = new ResultTrack();
    track.add(resultAt(900_000_000));
    track.add(resultAt(3_600));
    expect(track.size).toBe(1);
  });
});

describe('ResultStore', () => {
  it('keeps algorithms apart and forgets those that no longer run', () => {
    const store = new ResultStore();
    store.add(resultAt(0, [], 'people'));
    store.add(resultAt(0, [], 'motion'));
    store.keepOnly(new Set(['motion']));
    expect([...store.tracks].map((track) => track.newest?.algorithm)).toEqual(['motion']);
  });

  it('knows the exact timestamp of a frame that comes back rounded, and of no other frame', () => {
    const store = new ResultStore();
    for (const pts of [0, 3_600, 7_200]) store.add(resultAt(pts));
    expect([3_598, 3_602, 3_603, 3_000, 7_201].map((pts) => store.exact(pts))).toEqual([
      3_600, 3_600, 3_603, 3_000, 7_200,
    ]);
  });
});
