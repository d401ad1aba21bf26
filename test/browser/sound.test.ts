import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';
import { figures, pageBuilt, publish, settled, testAlgorithms } from './support.ts';

/** Sound and picture this far apart, in ms, are not yet noticed by anybody. */
const LARGEST_SKEW_MS = 40;
const BEEPS = 12;
const LOOP_SECONDS = 5;

let server: TestSluice;
let browser: TestBrowser;
let clip: string;

beforeAll(async () => {
  await pageBuilt();
  clip = await barcodeClip({ seconds: 60 });
  const short = await barcodeClip({ seconds: LOOP_SECONDS });
  server = await sluice(
    [
      'demo: false',
      `algorithms: { folders: ['${testAlgorithms}'] }`,
      'streams:',
      '  slow: { detect: [{ algorithm: barcode, parameters: { delayMs: 1000, fps: 0 } }] }',
      `  loop: { source: '${short}' }`,
      '',
    ].join('\n'),
  );
  browser = await TestBrowser.launch();
});

afterEach(() => browser.closePages());

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Opens the page with sound, and listens. */
async function watch(stream: string, via: 'mse' | 'hls' | 'webrtc'): Promise<Page> {
  const page = await browser.open(`${server.http}/?stream=${stream}&via=${via}`, {
    viewport: { width: 1000, height: 700 },
    probes: ['sound'],
  });
  await page.getByTestId('sound').click();
  await page.evaluate('soundProbe.listen()');
  return page;
}

/** Milliseconds by which the beeps come after their flashes, for so many beeps on end. */
async function skews(stream: string, what: string, via: 'mse' | 'hls' = 'mse'): Promise<number[]> {
  const page = await watch(stream, via);
  await settled(page);
  await page.evaluate('soundProbe.reset()');
  await page.waitForFunction(`soundProbe.skews().length >= ${BEEPS}`, undefined, { timeout: 40_000 });
  const measured = await page.evaluate<number[]>('soundProbe.skews()');
  console.info(
    `${what}: beep after flash ${measured.map((ms) => ms.toFixed(0)).join(' ')} ms; ${await figures(page)}`,
  );
  await page.context().close();
  return measured;
}

function expectInStep(measured: readonly number[]): void {
  const sorted = measured.toSorted((a, b) => a - b);
  expect(Math.abs(sorted[Math.floor(sorted.length / 2)] as number)).toBeLessThanOrEqual(LARGEST_SKEW_MS);
  // A busy machine draws a picture now and then a frame late; sound that is out of step is so on every beep.
  const within = measured.filter((ms) => Math.abs(ms) <= LARGEST_SKEW_MS).length;
  expect(within / measured.length).toBeGreaterThanOrEqual(0.75);
}

describe('sound and picture in Chromium', () => {
  // Over WebRTC: webrtc-renditions.test.ts.
  it.each([
    ['mse', 'RTSP'],
    ['hls', 'RTMP'],
  ] as const)('are in step over %s on a stream that is published over %s', async (via, door) => {
    const name = `plain-${via}`;
    const { rtmp } = server.server.addresses;
    await using _publisher =
      door === 'RTSP'
        ? publish(clip, `${server.rtsp}/${name}`)
        : start('ffmpeg', ['-v', 'error', '-re', '-i', clip, '-c', 'copy', '-f', 'flv', `${rtmp}/${name}`]);
    await server.live(name);
    expectInStep(await skews(name, `${door} to ${via}`, via));
  });

  it('stay in step while an algorithm takes a second for each frame', async () => {
    await using _publisher = publish(clip, `${server.rtsp}/slow`);
    expectInStep(await skews('slow', 'with an algorithm of 1 s per frame'));
  });

  it('come into step over WebRTC where a viewer wants it so, held back for an algorithm that takes a second', async () => {
    const opus = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(opus, `${server.rtsp}/slow`);
    await server.live('slow');
    const page = await watch('slow', 'webrtc');
    // The browser moves its delay in steps, and the sound first. Noticed is what is 45 ms early or 125 ms late (ITU-R BT.1359).
    const inStep = `(() => {
      const last = soundProbe.skews().slice(-6);
      return last.length === 6 && last.every((ms) => ms > -45 && ms < 125) ? last : null;
    })()`;
    const last = await page.waitForFunction(inStep, undefined, { timeout: 60_000, polling: 500 });
    const measured = (await last.jsonValue()) as number[];
    expect(measured).toHaveLength(6);
    console.info(
      `over WebRTC, held back: beep after flash ${measured.map((ms) => ms.toFixed(0)).join(' ')} ms`,
    );
  });

  it('stay in step over the seams of a file that is played in a loop', async () => {
    const measured = await skews('loop', `file of ${LOOP_SECONDS} s in a loop`);
    expect(measured.length).toBeGreaterThan(2 * LOOP_SECONDS);
    expectInStep(measured);
  });

  it('goes wrong for nobody', () => {
    expect(browser.errors).toEqual([]);
  });
});
