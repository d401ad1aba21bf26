import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { figures, pageBuilt, plays, publish, settled, testAlgorithms } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

/** Of the frame probe's summary; see web/probes/frames.ts. */
interface Summary {
  readonly frames: number;
  readonly blank: number;
  readonly measured: number;
  readonly wrong: readonly unknown[];
  readonly results: number;
  readonly missed: number;
  /** By how much results came after their frame was drawn, ms. */
  readonly lateBy: readonly number[];
  readonly unpresented: number;
}

let server: TestSluice;
let browser: TestBrowser;
let clip: string;

beforeAll(async () => {
  await pageBuilt();
  clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
  const detect = (delayMs: number) => `[{ algorithm: barcode, parameters: { delayMs: ${delayMs}, fps: 0 } }]`;
  server = await sluice(
    [
      'demo: false',
      `algorithms: { folders: ['${testAlgorithms}'] }`,
      'streams:',
      `  at-once: { detect: ${detect(0)} }`,
      `  slower: { detect: ${detect(150)} }`,
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

it.each([
  { stream: 'at-once', delayMs: 0, via: 'webrtc', atLeast: 250 },
  { stream: 'slower', delayMs: 150, via: 'webrtc', atLeast: 100 },
  { stream: 'at-once', delayMs: 0, via: 'hls', atLeast: 200 },
  { stream: 'at-once', delayMs: 0, via: 'mjpeg', atLeast: 20 },
])(
  'boxes are on their own frames by $via, in step with an algorithm that takes $delayMs ms',
  async ({ stream, delayMs, via, atLeast }) => {
    await using _publisher = publish(clip, `${server.rtsp}/${stream}`);
    await server.live(stream);
    const page = await browser.open(`${server.http}/?stream=${stream}&via=${via}`, {
      viewport: { width: 1000, height: 700 },
      probes: ['frames'],
    });
    await page.evaluate(`frameProbe.follow('${stream}')`);
    await page.waitForFunction('frameProbe.arrived.length > 3', undefined, { timeout: 30_000 });
    await plays(page, via);
    await settled(page);
    await page.evaluate('frameProbe.reset()');
    await page.waitForFunction(`frameProbe.summary().measured >= ${atLeast}`, undefined, {
      timeout: 90_000,
      polling: 500,
    });
    const seen = await page.evaluate<Summary>('frameProbe.summary()');
    console.info(
      `${via}, in step, ${delayMs} ms: ${seen.measured} of ${seen.frames} frames with their result, ${seen.wrong.length} wrong; ` +
        `${seen.results} results, ${seen.missed} missed (late by ${seen.lateBy.join()} ms), ${seen.unpresented} for frames not presented; ${await figures(page)}`,
    );
    await page.context().close();
    expect(seen.blank).toBe(0);
    expect(seen.wrong).toEqual([]);
    // A busy machine makes a result late now and then, and a jitter buffer takes a second to grow by a tenth.
    expect(seen.missed / seen.measured).toBeLessThan(0.1);
  },
);

it('nothing goes wrong in any page', () => {
  expect(browser.errors).toEqual([]);
});
