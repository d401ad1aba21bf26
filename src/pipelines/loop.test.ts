import { expect, test } from 'vitest';
import { LoopClock } from './loop.ts';

const NTSC = { num: 1001n, den: 30_000n };

function clockAfterFirstPass(base: { num: bigint; den: bigint }, pictures: readonly bigint[]): LoopClock {
  const clock = new LoopClock(base);
  for (const pts of pictures) clock.observe(pts, 1n);
  expect(clock.next()).toBe(true);
  return clock;
}

test('a pass is as long as its pictures, from the first one to the end of the last', () => {
  const clock = clockAfterFirstPass({ num: 1n, den: 25n }, [2n, 4n, 3n, 51n]);
  expect(clock.start(90_000)).toBe(7200);
  expect(clock.end(90_000)).toBe(187_200);
  expect(clock.offset(90_000)).toBe(180_000);
  expect(clock.offset(48_000)).toBe(96_000);
});

test('a length that no clock rate divides adds up without an error', () => {
  const clock = clockAfterFirstPass(NTSC, [0n, 1n, 2n]);
  for (let pass = 2; pass <= 100_000; pass++) clock.next();
  const seconds = (100_000 * 3 * 1001) / 30_000;
  expect(clock.offset(90_000)).toBe(Math.round(seconds * 90_000));
  expect(clock.offset(44_100)).toBe(Math.round(seconds * 44_100));
});

test('what came in later passes does not change the length', () => {
  const clock = clockAfterFirstPass({ num: 1n, den: 25n }, [0n, 1n]);
  clock.observe(500n, 1n);
  clock.next();
  expect(clock.offset(25)).toBe(4);
});

test('an input without a single picture cannot be repeated', () => {
  expect(new LoopClock(NTSC).next()).toBe(false);
});
