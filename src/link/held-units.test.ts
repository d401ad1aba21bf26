import { expect, test } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { HeldUnits, type Released } from './held-units.ts';

const track: Track = {
  id: 0,
  clockRate: 90_000,
  format: { kind: 'video', codec: 'h264', parameterSets: [], width: 0, height: 0, codecString: '' },
};
const FRAME = 3600;

/** Picture n of 25 a second, which comes 40 n ms after the first, with a keyframe at each multiple of `gop`. */
function picture(n: number, gop = 10, shown = n): AccessUnit {
  const payload = [Buffer.alloc(100)];
  return { track, pts: shown * FRAME, dts: n * FRAME, keyframe: n % gop === 0, ntp: 0, payload };
}

function fill(held: HeldUnits, from: number, to: number, gop?: number): Released[] {
  const released: Released[] = [];
  for (let n = from; n < to; n++) released.push(...held.push(picture(n, gop), n * 40));
  return released;
}

const numbers = (released: readonly Released[]) => released.map(({ unit }) => unit.dts / FRAME);

test('while nobody wants anything nothing goes', () => {
  expect(fill(new HeldUnits(), 0, 100)).toEqual([]);
});

test('a picture that is wanted goes when it comes, together with what it is decoded from', () => {
  const held = new HeldUnits();
  expect(held.want({ pts: 5 * FRAME }, 0)).toEqual([]);
  expect(fill(held, 0, 5)).toEqual([]);
  expect(numbers(held.push(picture(5), 200))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(fill(held, 6, 9)).toEqual([]);
});

test('without a time the newest picture goes at once, or the next one when there is none', () => {
  const held = new HeldUnits();
  fill(held, 0, 3);
  expect(numbers(held.want({}, 120))).toEqual([0, 1, 2]);
  expect(held.want({}, 120)).toEqual([]);
  expect(numbers(held.push(picture(3), 120))).toEqual([3]);
});

test('what stands before a keyframe does not go, and is told with the keyframe', () => {
  const held = new HeldUnits();
  fill(held, 0, 13);
  const [keyframe, ...rest] = held.want({}, 500);
  expect(keyframe?.unit.dts).toBe(10 * FRAME);
  expect(keyframe?.passage.leftOut).toBe(10);
  expect(rest.map(({ passage }) => passage.leftOut)).toEqual([0, 0]);
});

test('units that go together say so, so that nobody looks at the first one before the last is there', () => {
  const held = new HeldUnits();
  fill(held, 0, 3);
  expect(held.want({}, 120).map(({ passage }) => passage.more)).toEqual([true, true, false]);
});

test('each unit says how long it was held', () => {
  const held = new HeldUnits();
  fill(held, 0, 3);
  expect(held.want({}, 130).map(({ passage }) => passage.heldMs)).toEqual([130, 90, 50]);
  held.want({}, 130);
  expect(held.push(picture(3), 135).map(({ passage }) => passage.heldMs)).toEqual([0]);
});

test('a keyframe alone goes where nothing else is wanted, and what follows it can still be had', () => {
  const held = new HeldUnits();
  held.want({ pts: 12 * FRAME, keyframe: true }, 0);
  expect(fill(held, 0, 20)).toEqual([]);
  expect(numbers(fill(held, 20, 24))).toEqual([20]);
  expect(numbers(held.want({}, 960))).toEqual([21, 22, 23]);
});

test('a keyframe tells how far the one before it was, also when that did not go', () => {
  const held = new HeldUnits();
  fill(held, 0, 35);
  expect(held.want({}, 1400)[0]?.passage.keyframeInterval).toBe(10 * FRAME);
});

test('all goes as it comes from when that is wanted until something else is', () => {
  const held = new HeldUnits();
  fill(held, 0, 3);
  expect(numbers(held.want({ all: true }, 120))).toEqual([0, 1, 2]);
  expect(numbers(fill(held, 3, 22))).toEqual([...Array(19).keys()].map((n) => n + 3));
  held.want({ pts: 24 * FRAME }, 900);
  expect(fill(held, 22, 24)).toEqual([]);
});

test('a few reordered pictures are not jumped over: the decoder would lose those that wait for their turn', () => {
  const held = new HeldUnits();
  // Shown as I1 B2 B3 P4, decoded as I P B B.
  for (const [n, shown] of [1, 4, 2, 3].entries()) held.push(picture(n, 4, shown), n * 40);
  held.push(picture(4, 4, 5), 160);
  expect(numbers(held.want({}, 160))).toEqual([4]);
  for (const [n, shown] of [8, 6, 7].entries()) held.push(picture(5 + n, 4, shown), 200);
  held.push(picture(8, 4, 9), 320);
  expect(numbers(held.want({}, 320))).toEqual([5, 6, 7, 8]);
});

test('where pictures are reordered a keyframe that will do takes along what pushes it out of the decoder', () => {
  const held = new HeldUnits();
  for (const [n, shown] of [1, 4, 2].entries()) held.push(picture(n, 4, shown), n * 40);
  expect(numbers(held.want({ keyframe: true }, 120))).toEqual([0, 1, 2]);
});

test('timestamps that begin anew meet what was wanted of the old ones', () => {
  const held = new HeldUnits();
  fill(held, 100, 111);
  held.want({}, 0);
  held.want({ pts: 115 * FRAME }, 0);
  expect(fill(held, 111, 114)).toEqual([]);
  expect(numbers(held.push(picture(0), 0))).toEqual([0]);
});

test('an algorithm that never comes back costs a bounded time of units', () => {
  const held = new HeldUnits();
  fill(held, 0, 100_000, 1_000_000);
  expect(held.want({}, 0)).toEqual([]);
  const [next] = fill(held, 1_000_000, 1_000_003, 1_000_000);
  expect(next).toMatchObject({ unit: { keyframe: true }, passage: { leftOut: 100_000 } });
});
