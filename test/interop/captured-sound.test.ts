import { expect, it } from 'vitest';
import { logErrorsTo } from '#pipelines/av/library.ts';
import { CapturedSound } from '#pipelines/captured-sound.ts';

logErrorsTo(() => {});

const RATE = 44_100;
/** Samples that a device gives at a time. */
const BLOCK = 441;
const START = 1_700_000_000_000;

/** Sound of a device whose clock runs fast by so many millionths; gives what was made of it. */
async function capture(blocks: number, { ppm = 0, lost = [] }: { ppm?: number; lost?: readonly number[] }) {
  const sound = await CapturedSound.open(1, { codec: 'pcm_s16le', sampleRate: RATE, channels: 2 });
  const bytes = Buffer.alloc(BLOCK * 4);
  for (let n = 0; n < BLOCK * 2; n++) bytes.writeInt16LE(Math.round(8000 * Math.sin(n / 9)), n * 2);
  const made = [];
  try {
    for (let n = 0; n < blocks; n++) {
      if (lost.includes(n)) continue;
      // The machine hears of a block a little late, now more and now less.
      const ms = ((n * BLOCK) / RATE) * 1000 * (1 - ppm / 1e6) + ((n * 7) % 5);
      made.push(...(await sound.take(bytes, ms, START)));
    }
  } finally {
    sound.close();
  }
  return made;
}

it('is counted by its own clock, whatever the times of its blocks do', async () => {
  const units = await capture(300, {});
  expect(units[0]!.track).toMatchObject({ id: 1, clockRate: 48_000, format: { codec: 'aac', channels: 2 } });
  expect(new Set(units.slice(1).map(({ pts }, n) => pts - units[n]!.pts))).toEqual(new Set([1024]));
  for (const { pts, ntp } of units) expect(Math.abs(ntp - START - pts / 48)).toBeLessThan(5);
});

it('stays within 40 ms of the time though its clock runs wrong, and says the time exactly', async () => {
  const units = await capture(5000, { ppm: 4000 });
  const last = units.at(-1)!;
  // 50 s by its own clock, 200 ms too many; the encoder keeps the last two frames.
  const truth = 50_000 * (1 - 4000 / 1e6);
  expect(Math.abs(last.pts / 48 - truth)).toBeLessThan(110);
  expect(Math.abs(last.ntp - START - truth)).toBeLessThan(80);
  for (const { pts, ntp } of units) expect(Math.abs(ntp - START - pts / 48)).toBeLessThan(40);
});

it('has silence where the device lost something', async () => {
  const lost = Array.from({ length: 20 }, (_, n) => 100 + n);
  const units = await capture(300, { lost });
  expect(new Set(units.slice(1).map(({ pts }, n) => pts - units[n]!.pts))).toEqual(new Set([1024]));
  expect(Math.abs(units.at(-1)!.pts / 48 - 3000)).toBeLessThan(80);
});
