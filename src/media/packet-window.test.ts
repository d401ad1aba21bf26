import { expect, test } from 'vitest';
import type { AccessUnit } from './access-unit.ts';
import { PacketWindow } from './packet-window.ts';
import type { Track } from './track.ts';

const track: Track = {
  id: 0,
  clockRate: 90_000,
  format: { kind: 'video', codec: 'h264', parameterSets: [], width: 0, height: 0, codecString: '' },
};

/** Picture n of a stream of 25 pictures a second with a keyframe at each multiple of `gop`. */
function picture(n: number, gop = 10, bytes = 100): AccessUnit {
  const payload = [Buffer.alloc(bytes)];
  return { track, pts: n * 3600, dts: n * 3600, keyframe: n % gop === 0, ntp: 0, payload };
}

function fill(window: PacketWindow, from: number, to: number, gop?: number): void {
  for (let n = from; n < to; n++) window.push(picture(n, gop));
}

function takeAll(window: PacketWindow): { n: number; fresh: boolean }[] {
  const taken = [];
  for (let item = window.take(); item; item = window.take()) {
    taken.push({ n: item.unit.pts / 3600, fresh: item.fresh });
  }
  return taken;
}

test('what comes before the first keyframe is of no use', () => {
  const window = new PacketWindow();
  fill(window, 7, 12);
  expect(takeAll(window)).toEqual([
    { n: 10, fresh: true },
    { n: 11, fresh: false },
  ]);
  expect(window.dropped).toBe(3);
});

test('units follow the last one taken without a fresh start', () => {
  const window = new PacketWindow();
  fill(window, 0, 2);
  takeAll(window);
  fill(window, 2, 4);
  expect(takeAll(window).every(({ fresh }) => !fresh)).toBe(true);
});

test('a newer keyframe makes the older units unnecessary', () => {
  const window = new PacketWindow();
  fill(window, 0, 23);
  expect(window.skipToKeyframe()).toBe(true);
  expect(takeAll(window).map(({ n }) => n)).toEqual([20, 21, 22]);
});

test('skipping is limited to the units that are too many', () => {
  const window = new PacketWindow();
  fill(window, 0, 23);
  expect(window.skipToKeyframe(15)).toBe(true);
  expect(window.length).toBe(13);
  expect(window.skipToKeyframe(5)).toBe(false);
  expect(window.take()).toMatchObject({ fresh: true, unit: { pts: 36_000 } });
});

test('over its time it keeps what decodes from the last keyframe', () => {
  const window = new PacketWindow({ maxMs: 1000 });
  fill(window, 0, 27);
  expect(takeAll(window)[0]).toEqual({ n: 20, fresh: true });
});

test('over its time without a keyframe it waits for the next one', () => {
  const window = new PacketWindow({ maxMs: 1000 });
  fill(window, 0, 27, 100);
  expect(window.length).toBe(0);
  fill(window, 99, 102, 100);
  expect(takeAll(window)[0]).toEqual({ n: 100, fresh: true });
});

test('its bytes are bounded', () => {
  const window = new PacketWindow({ maxBytes: 1000 });
  for (let n = 0; n < 500; n++) window.push(picture(n, 50, 300));
  expect(window.length).toBeLessThanOrEqual(3);
});

test('broken data costs the units up to the next keyframe', () => {
  const window = new PacketWindow();
  fill(window, 0, 13);
  window.take();
  window.resync();
  expect(takeAll(window)).toEqual([
    { n: 10, fresh: true },
    { n: 11, fresh: false },
    { n: 12, fresh: false },
  ]);
});

test('the newest picture is the one that is shown last, not the one that came last', () => {
  const window = new PacketWindow();
  window.push(picture(0));
  window.push({ ...picture(3), dts: 3600 });
  window.push({ ...picture(1), dts: 7200 });
  expect(window.newestPts).toBe(3 * 3600);
});

test('what was left out on the way is noticed: decoding starts anew at the next keyframe, and what came before it stays', () => {
  const window = new PacketWindow();
  fill(window, 0, 3);
  window.push(picture(10), true);
  window.push(picture(11));
  expect(takeAll(window)).toEqual([
    { n: 0, fresh: true },
    { n: 1, fresh: false },
    { n: 2, fresh: false },
    { n: 10, fresh: true },
    { n: 11, fresh: false },
  ]);
});

test('a gap that does not end with a keyframe lasts until one comes', () => {
  const window = new PacketWindow();
  fill(window, 0, 1);
  window.push(picture(8), true);
  window.push(picture(9));
  window.push(picture(10));
  expect(takeAll(window)).toEqual([
    { n: 0, fresh: true },
    { n: 10, fresh: true },
  ]);
  expect(window.dropped).toBe(2);
});
