import { expect, test } from 'vitest';
import { LineFilter } from './line-filter.ts';
import { PaceLock } from './pace-lock.ts';
import type { Bin } from './pace-watch.ts';
import { SlewedLine } from './slewed-line.ts';

const RATE = 90_000;
const START = 1_700_000_000_000;
/** Nothing else arrives, or what does is as late as ever. */
const neverLate = () => 0;

/** The bin at `now` (ms since the beginning) of a track that has got as far as `media` ms. */
function binAt(now: number, media: number): Bin {
  return {
    index: Math.floor(now / 150),
    ticks: (media * RATE) / 1000,
    now: START + now,
    delay: START + now - media,
  };
}

/** A track of which 21 pictures come where its stamps say 25, locked to its arrival from the beginning on. */
function locked(): { lock: PaceLock; line: SlewedLine; media: number } {
  const line = new SlewedLine(RATE);
  line.move(0, START, 0);
  const filter = new LineFilter(line);
  const pace = { slope: 4 / 25, from: binAt(0, 0), fromReference: undefined, off: 0, bins: 5 };
  const lock = new PaceLock(line, filter, pace, neverLate);
  let media = 0;
  for (let now = 150; now <= 6000; now += 150) {
    media = (now * 21) / 25;
    expect(lock.keep(binAt(now, media), undefined, neverLate)).toBe(true);
  }
  return { lock, line, media };
}

test('a track whose timestamps are not the time is kept by its arrival for as long as that lasts', () => {
  const { line, media } = locked();
  expect(line.skew).toBeCloseTo(25 / 21 - 1, 2);
  expect(line.estimate((media * RATE) / 1000) - START).toBeCloseTo(6000, -1);
});

test('once the timestamps have been the time for some seconds the lock lets go, and not before', () => {
  const { lock, media } = locked();
  let released: number | undefined;
  for (let now = 6150; now <= 30_000 && released === undefined; now += 150) {
    if (!lock.keep(binAt(now, media + now - 6000), undefined, neverLate)) released = now - 6000;
  }
  expect(released).toBeGreaterThan(4000);
  expect(released).toBeLessThan(20_000);
});

test('a unit that comes by another way moves the base and not the track', () => {
  const { lock, line, media } = locked();
  const before = line.estimate((media * RATE) / 1000);
  lock.keep(binAt(6900, media + 126), undefined, neverLate);
  expect(line.estimate((media * RATE) / 1000)).toBeCloseTo(before, 6);
});
