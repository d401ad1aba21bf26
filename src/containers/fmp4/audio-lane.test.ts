import { describe, expect, test } from 'vitest';
import type { AudioTrack } from '#media/track.ts';
import { ac3Track } from '../../../test/support/coded-samples.ts';
import { aacTrack, opusTrack } from '../../../test/support/fmp4-units.ts';
import { AudioLane } from './audio-lane.ts';

const frame = Buffer.from('f85555', 'hex');

function lane(track = aacTrack, groupMs = 0) {
  const runs: { base: number; parts: string[]; end: number }[] = [];
  const written = new AudioLane(track as AudioTrack, groupMs, (base, samples) => {
    const parts = samples.map(({ payload }) => (payload[0] === frame ? 'sound' : 'silence'));
    runs.push({ base, parts, end: base + samples.reduce((sum, { duration }) => sum + duration, 0) });
  });
  return { runs, write: (time: number) => written.write([frame], time), lane: written };
}

/** Every run begins where the one before ended. */
function seamless(runs: readonly { base: number; end: number }[]): boolean {
  return runs.every(({ base }, i) => i === 0 || base === runs[i - 1]!.end);
}

describe('audio frames', () => {
  test('absorb jitter of a few milliseconds and follow each other without a seam', () => {
    const { runs, write } = lane();
    for (const time of [1000, 2100, 2990, 4080, 5096]) write(time);
    expect(runs.map(({ base }) => base)).toEqual([1000, 2024, 3048, 4072, 5096]);
  });

  test('of AC-3 last 1,536 samples, and what is missing of them stays a gap', () => {
    const { runs, write } = lane(ac3Track);
    for (const time of [0, 1540, 3070, 10_000]) write(time);
    expect(runs.map(({ base, end }) => [base, end])).toEqual([
      [0, 1536],
      [1536, 3072],
      [3072, 4608],
      [10_000, 11_536],
    ]);
  });

  test('of a clock that runs slow are moved on to where they belong, before it can be heard', () => {
    const { runs, write } = lane();
    for (let i = 0; i < 2000; i++) write(Math.round(i * 1024 * 1.0002));
    const wanted = Math.round(1999 * 1024 * 1.0002);
    expect(Math.abs(runs.at(-1)!.base - wanted)).toBeLessThanOrEqual(512);
    expect(runs.every(({ base }, i) => i === 0 || base >= runs[i - 1]!.end)).toBe(true);
  });

  test('of a clock that runs fast never overlap: one is left out each time they are half a frame ahead', () => {
    const { runs, write } = lane();
    for (let i = 0; i < 20_000; i++) write(Math.round(i * 1024 * 0.9998));
    const wanted = Math.round(19_999 * 1024 * 0.9998);
    expect(Math.abs(runs.at(-1)!.base - wanted)).toBeLessThanOrEqual(512);
    expect(seamless(runs)).toBe(true);
    expect(runs.length).toBeGreaterThanOrEqual(19_995);
  });

  test('that were lost are replaced by silence, so that a browser sees no gap', () => {
    const { runs, write } = lane();
    write(0);
    write(1024);
    write(1024 * 6);
    expect(runs.flatMap(({ parts }) => parts)).toEqual([
      'sound',
      'sound',
      ...Array(4).fill('silence'),
      'sound',
    ]);
    expect(seamless(runs)).toBe(true);
    expect(runs.at(-1)?.base).toBe(1024 * 6);
  });

  test('that do not come at all are silence up to the picture, and come back when they do', () => {
    const { runs, write, lane: audio } = lane();
    audio.keepUp(0);
    audio.keepUp(48_000);
    expect(runs).toEqual([]);
    audio.keepUp(80_000);
    audio.keepUp(84_000);
    expect(runs.at(-1)!.end).toBeGreaterThan(84_000 - 1024);
    const silent = runs.length;
    // What comes late has no place any more, what comes in time has.
    for (let time = 80_000; time < 92_000; time += 1024) write(time);
    expect(runs.length).toBeGreaterThan(silent);
    expect(runs.at(-1)?.parts).toEqual(['sound']);
    expect(runs.every(({ base }, i) => i === 0 || base - runs[i - 1]!.end < 1024)).toBe(true);
    // Exactly where it belongs, not behind the silence.
    const wanted = 80_000 + 11 * 1024;
    expect(Math.abs(runs.at(-1)!.base - wanted)).toBeLessThanOrEqual(0.005 * 48_000);
  });

  test('that always come late are late, not missing', () => {
    const { runs, write, lane: audio } = lane();
    const late = 48_000 * 3;
    for (let n = 0; n < 400; n++) {
      audio.keepUp(late + n * 1024);
      write(n * 1024);
    }
    expect(runs.every(({ parts }) => parts.join() === 'sound')).toBe(true);
    // Nothing can be heard before the first picture.
    expect(Math.abs(runs[0]!.base - late)).toBeLessThan(1024);
    expect(runs.length).toBeGreaterThan(250);
  });

  test('go on undisturbed between pictures that come every two seconds', () => {
    const { runs, write, lane: audio } = lane();
    for (let n = 0; n < 400; n++) {
      // Sound is 50 ms late.
      if (n % 94 === 0) audio.keepUp(n * 1024 + 2400);
      write(n * 1024);
    }
    expect(runs.every(({ parts }) => parts.join() === 'sound')).toBe(true);
    expect(seamless(runs)).toBe(true);
  });

  test('of a clock that began anew are placed as they come', () => {
    const { runs, write } = lane();
    write(48_000 * 100);
    write(0);
    write(48_000 * 200);
    expect(runs.map(({ base }) => base)).toEqual([4_800_000, 0, 9_600_000]);
  });

  test('before time zero are left out', () => {
    const { runs, write } = lane();
    write(-1024);
    write(0);
    expect(runs.map(({ base }) => base)).toEqual([0]);
  });

  test('leave two by two where two are no longer than 40 ms, and one by one where they are', () => {
    const opus = lane(opusTrack, 40);
    for (let i = 0; i < 5; i++) opus.write(i * 960);
    expect(opus.runs.map(({ parts }) => parts.length)).toEqual([2, 2]);
    opus.lane.flush();
    expect(opus.runs.map(({ parts }) => parts.length)).toEqual([2, 2, 1]);
    const aac = lane(aacTrack, 40);
    for (let i = 0; i < 3; i++) aac.write(i * 1024);
    expect(aac.runs.map(({ parts }) => parts.length)).toEqual([1, 1, 1]);
  });

  test('that are empty are left out', () => {
    const { runs, lane: audio } = lane(opusTrack);
    audio.write([Buffer.alloc(0)], 0);
    audio.write([], 0);
    expect(runs).toEqual([]);
  });
});
