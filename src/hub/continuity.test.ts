import { expect, it } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import type { AudioTrack } from '#media/track.ts';
import { audio, sound } from '../../test/support/units.ts';
import { Continuity } from './continuity.ts';

const START = 1_700_000_000_000;
/** Samples in a frame of AAC, and how long it lasts. */
const FRAME = 1024;
const FRAME_MS = (FRAME / 48_000) * 1000;
const other: AudioTrack = { ...audio, id: 2 };

/** Frame `n` of a track that counts from so many seconds. */
function frame(n: number, track: AudioTrack, seconds: number): AccessUnit {
  const unit = sound(n, { track, start: START });
  const pts = unit.pts + seconds * 48_000;
  return { ...unit, pts, dts: pts };
}

it.each([
  [1000, 0],
  [0, 1000],
])('each of two tracks of one kind goes on where it stood, whatever they count from (%d s, %d s)', (a, b) => {
  const continuity = new Continuity();
  let times = continuity.join();
  const write = (n: number, from: number) =>
    [frame(n, audio, a - from), frame(n, other, b - from)].map(
      (unit) => times.place(unit, unit.track, START + n * FRAME_MS)?.pts,
    );
  for (let n = 0; n < 50; n++) write(n, 0);
  // Another publisher, half a second later, that counts from elsewhere.
  times = continuity.join();
  for (let n = 75; n < 100; n++) {
    const where = [n * FRAME + a * 48_000, n * FRAME + b * 48_000];
    for (const [at, pts] of write(n, -7).entries())
      expect(Math.abs(pts! - where[at]!)).toBeLessThanOrEqual(2);
  }
});

it('a track that has another clock in mid-stream goes on where it stood', () => {
  const times = new Continuity().join();
  for (let n = 0; n < 500; n++) times.place(frame(n, audio, 0), audio, START + n * FRAME_MS);
  const slow: AudioTrack = { ...audio, clockRate: 8000 };
  const ntp = START + 500 * FRAME_MS;
  const pts = Math.round((500 * FRAME) / 6);
  const placed = times.place({ ...sound(0), track: slow, pts, dts: pts, ntp }, slow, ntp);
  expect(placed?.pts).toBe(pts);
});
