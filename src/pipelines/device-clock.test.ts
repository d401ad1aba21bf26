import { expect, it } from 'vitest';
import { DeviceClock } from './device-clock.ts';
import { decodePcm } from './pcm.ts';

const START = 1_700_000_000_000;

it('believes a device that tells the wall clock, however late it comes', () => {
  const clock = new DeviceClock();
  for (const late of [3, 250, 40, 900])
    expect(clock.captured(START + late, START + 2 * late)).toBe(START + late);
});

it('maps a device that counts from somewhere else by what comes soonest', () => {
  const clock = new DeviceClock();
  let last = 0;
  for (let n = 0; n < 500; n++) last = clock.captured(5000 + n * 40, START + n * 40 + (n % 5) * 3);
  expect(Math.abs(last - (START + 499 * 40))).toBeLessThan(15);
});

it('goes on where a clock is set', () => {
  const clock = new DeviceClock();
  expect(clock.captured(START, START)).toBe(START);
  // An hour back, and it goes on from there.
  const hour = 3_600_000;
  expect(clock.captured(START + 40 - hour, START + 40)).toBe(START + 40);
  expect(clock.captured(START + 80 - hour, START + 80)).toBe(START + 80);
});

it('reads samples of devices, one list a channel, and leaves out half of one', () => {
  const words = Buffer.alloc(9);
  for (const [at, value] of [16_384, -32_768, 0, 8192].entries()) words.writeInt16LE(value, at * 2);
  expect(decodePcm('pcm_s16le', words, 2).map((plane) => [...plane])).toEqual([
    [0.5, 0],
    [-1, 0.25],
  ]);
  const floats = Buffer.alloc(8);
  floats.writeFloatLE(0.25, 0);
  floats.writeFloatLE(-0.5, 4);
  expect([...decodePcm('pcm_f32le', floats, 1)[0]!]).toEqual([0.25, -0.5]);
});
