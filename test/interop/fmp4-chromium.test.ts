import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fmp4Chunk, Fmp4Writer } from '../../src/containers/fmp4/writer.ts';
import type { AccessUnit } from '../../src/media/access-unit.ts';
import { isVideo, type Track } from '../../src/media/track.ts';
import { TestBrowser } from '../support/browser.ts';
import { clipUnits, moved } from '../support/clip-units.ts';

/**
 * What Chromium makes of live fMP4 is not what the file format allows: a step in time that it takes for a break costs
 * every picture up to the next keyframe. The clips here have a single keyframe, so any break shows as a hole.
 */
let browser: TestBrowser;
let page: Page;
beforeAll(async () => {
  browser = await TestBrowser.launch();
  page = await browser.open('about:blank');
});
afterAll(() => browser[Symbol.asyncDispose]());

/** Where the timestamps of a camera may stand, in seconds: beyond 32 bits of 90 kHz. */
const BASE = 50_000;
const oneKeyframe = { seconds: 4, gop: 250 } as const;
const seconds = (unit: AccessUnit) => unit.pts / unit.track.clockRate - BASE;
const between = (unit: AccessUnit, from: number, to: number) => seconds(unit) >= from && seconds(unit) < to;

function write(units: readonly AccessUnit[]): Fmp4Chunk[] {
  const tracks = [
    ...new Map(units.map(({ track }): [number, Track] => [track.id, track]).reverse()).values(),
  ];
  const writer = new Fmp4Writer(tracks.sort((a, b) => a.id - b.id));
  const chunks: Fmp4Chunk[] = [];
  for (const unit of units) writer.write(unit, (chunk) => chunks.push(chunk));
  return chunks;
}

/** Appends everything to a SourceBuffer; gives the ranges in which sound and picture can be played, in seconds. */
async function buffered(
  chunks: readonly Fmp4Chunk[],
  codecs = 'avc1.64001f,mp4a.40.2',
): Promise<[number, number][]> {
  const messages = chunks.map(({ bytes }) => bytes.toString('base64'));
  const ranges = await page.evaluate<[number, number][]>(`(async () => {
    const source = new MediaSource();
    const video = document.createElement('video');
    video.src = URL.createObjectURL(source);
    await new Promise((resolve) => source.addEventListener('sourceopen', resolve, { once: true }));
    const buffer = source.addSourceBuffer('video/mp4; codecs="${codecs}"');
    for (const message of ${JSON.stringify(messages)}) {
      buffer.appendBuffer(Uint8Array.from(atob(message), (character) => character.charCodeAt(0)));
      await new Promise((resolve) => buffer.addEventListener('updateend', resolve, { once: true }));
    }
    const { length } = buffer.buffered;
    return Array.from({ length }, (_, i) => [buffer.buffered.start(i), buffer.buffered.end(i)]);
  })()`);
  return ranges.map(([start, end]) => [start - BASE, end - BASE]);
}

/** True for one range from the start of a clip to its end. */
function whole(end = 4): (ranges: readonly [number, number][]) => boolean {
  return (ranges) => ranges.length === 1 && ranges[0]![0] < 0.2 && ranges[0]![1] > end - 0.1;
}

describe('Chromium plays without a break', () => {
  test.each([
    ['AAC', 'aac', 'mp4a.40.2'],
    ['Opus', 'opus', 'opus'],
  ] as const)('a stream with B-frames and %s', async (_, audio, codec) => {
    const units = moved(await clipUnits({ ...oneKeyframe, bframes: 2, audio }), BASE);
    expect(await buffered(write(units), `avc1.64001f,${codec}`)).toSatisfy(whole());
  });

  test('a camera whose picture times stutter', async () => {
    const stutter = [0, 1700, -1500, 1200, -900];
    const units = moved(await clipUnits(oneKeyframe), BASE).map((unit, i) => {
      const ticks = isVideo(unit.track) ? stutter[i % stutter.length]! : 0;
      return { ...unit, pts: unit.pts + ticks, dts: unit.dts + ticks };
    });
    expect(await buffered(write(units))).toSatisfy(whole());
  });

  test('over pictures that were lost on the way', async () => {
    const units = moved(await clipUnits(oneKeyframe), BASE);
    expect(
      await buffered(write(units.filter((unit) => !isVideo(unit.track) || !between(unit, 1, 1.8)))),
    ).toSatisfy(whole());
    const silent = units.filter(({ track }) => isVideo(track));
    expect(await buffered(write(silent.filter((unit) => !between(unit, 1, 1.8))), 'avc1.64001f')).toSatisfy(
      whole(),
    );
  });

  test.each([
    ['AAC', 'aac', 'mp4a.40.2'],
    ['Opus', 'opus', 'opus'],
  ] as const)('over sound of %s that was lost on the way', async (_, audio, codec) => {
    const units = moved(await clipUnits({ ...oneKeyframe, audio }), BASE);
    const lossy = units.filter((unit) => isVideo(unit.track) || !between(unit, 1, 1.6));
    expect(await buffered(write(lossy), `avc1.64001f,${codec}`)).toSatisfy(whole());
  });

  test('a camera that has a microphone in its description and sends no sound', async () => {
    const units = moved(await clipUnits(oneKeyframe), BASE);
    const [first] = units.filter(({ track }) => !isVideo(track));
    const writer = new Fmp4Writer([units.find(({ track }) => isVideo(track))!.track, first!.track]);
    const chunks: Fmp4Chunk[] = [];
    for (const unit of units) if (isVideo(unit.track)) writer.write(unit, (chunk) => chunks.push(chunk));
    expect(await buffered(chunks)).toSatisfy(whole());
  });

  test('from one format to the next', async () => {
    const before = await clipUnits(oneKeyframe);
    const after = moved(await clipUnits({ ...oneKeyframe, bframes: 2 }), 4);
    expect(await buffered(write(moved([...before, ...after], BASE)))).toSatisfy(whole(8));
  });

  test('but for the pictures that a slow reader did not get, and goes on at the next keyframe', async () => {
    const units = moved(await clipUnits({ seconds: 4, gop: 50 }), BASE);
    let pictures = 0;
    const chunks = write(units).filter(({ kind }) => kind !== 'video' || ++pictures <= 30 || pictures > 50);
    const ranges = await buffered(chunks);
    expect(ranges.length).toBe(2);
    expect(Math.abs(ranges[0]![1] - 1.2)).toBeLessThan(0.1);
    expect(Math.abs(ranges[1]![0] - 2)).toBeLessThan(0.1);
  });
});
