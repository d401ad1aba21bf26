import { expect, test } from 'vitest';
import { AacFramer } from './aac-framer.ts';

/** 20 ms of A-law: silence, or a loud constant. */
function packet(pts: number, loud = false, samples = 160) {
  return { pts, payload: [Buffer.alloc(samples, loud ? 0xaa : 0xd5)] };
}

test('frames follow each other without a gap, from the time of the first sample on', () => {
  const framer = new AacFramer('pcma', 8000, 1);
  const frames = Array.from({ length: 50 }, (_, n) => framer.push(packet(1000 + n * 160))).flat();
  expect(frames[0]).toMatchObject({ pts: (1000 - 16) * 6, restart: true });
  for (const [n, frame] of frames.entries()) expect(frame.pts).toBe(frames[0]!.pts + n * 1024);
  expect(frames.slice(1).every(({ restart }) => !restart)).toBe(true);
});

test('a sound stays at its time to a tenth of a millisecond, whatever is missing before it', () => {
  const framer = new AacFramer('pcma', 8000, 1);
  const times = [0, 160, 320, 800, 960, 900, 1120, 1280, 1440, 1600];
  const frames = times.flatMap((pts) => framer.push(packet(pts, pts >= 1280)));
  const frame = frames.find(({ planes }) => planes[0]!.some((value) => value > 0.5))!;
  const at = frame.pts + frame.planes[0]!.findIndex((value) => value > 0.49);
  expect(Math.abs(at - 1280 * 6)).toBeLessThanOrEqual(5);
  expect(frames.filter(({ restart }) => restart)).toHaveLength(1);
});

test('a jump of the source begins anew at its time', () => {
  const framer = new AacFramer('pcmu', 8000, 1);
  for (let n = 0; n < 20; n++) framer.push(packet(n * 160));
  const after = Array.from({ length: 20 }, (_, n) => framer.push(packet(80_000 + n * 160))).flat();
  expect(after[0]).toMatchObject({ pts: (80_000 - 16) * 6, restart: true });
});

test('stereo samples go to their own channels', () => {
  const framer = new AacFramer('pcma', 8000, 2);
  const payload = [Buffer.from(Array.from({ length: 1600 }, (_, n) => (n % 2 ? 0xaa : 0xd5)))];
  const [frame] = framer.push({ pts: 0, payload });
  expect(frame!.planes[0]![900]).toBeCloseTo(0, 2);
  expect(frame!.planes[1]![900]).toBeGreaterThan(0.9);
});
