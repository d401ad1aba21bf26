import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';
import { figures, pageBuilt, publish, settled, testAlgorithms } from './support.ts';

/** What the frame probe saw; see web/probes/frames.ts. */
interface Summary {
  readonly frames: number;
  /** Frames without a readable barcode. */
  readonly blank: number;
  /** Frames that carried a measured result. */
  readonly measured: number;
  /** Of these, frames whose own number was another than the result's. */
  readonly wrong: readonly { pts: number; picture: number; result: number }[];
  /** Results that came for frames between the first and the last one drawn. */
  readonly results: number;
  /** Results whose frame was drawn without them. */
  readonly missed: number;
  /** By how much each of these came after its frame was drawn, ms. */
  readonly lateBy: readonly number[];
  /** Results whose frame the browser never presented. */
  readonly unpresented: number;
  /** Frames of the stream that were never drawn, told from the steps of the barcode. */
  readonly skipped: number;
}

/** The probe has results by a connection of its own: so much sooner or later than the player. */
const IN_TIME_MS = 100;

const cases = [
  { delayMs: 0, atLeast: 300 },
  { delayMs: 150, atLeast: 100 },
  { delayMs: 600, atLeast: 20 },
] as const;

let clip: string;
let server: TestSluice;
let browser: TestBrowser;

beforeAll(async () => {
  await pageBuilt();
  clip = await barcodeClip({ seconds: 60 });
  const streams = cases.map(
    ({ delayMs }) =>
      `  delay-${delayMs}: { detect: [{ algorithm: barcode, parameters: { delayMs: ${delayMs}, fps: 0 } }] }`,
  );
  server = await sluice(
    ['demo: false', `algorithms: { folders: ['${testAlgorithms}'] }`, 'streams:', ...streams, ''].join('\n'),
  );
  browser = await TestBrowser.launch();
});

afterEach(() => browser.closePages());

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function watch(stream: string, mode: 'live' | 'in-step'): Promise<Page> {
  const page = await browser.open(`${server.http}/?stream=${stream}&mode=${mode}&via=mse`, {
    viewport: { width: 1000, height: 700 },
    probes: ['frames'],
  });
  await page.evaluate(`frameProbe.follow('${stream}')`);
  await page.waitForFunction('frameProbe.arrived.length > 3', undefined, { timeout: 30_000 });
  await settled(page);
  await page.evaluate('frameProbe.reset()');
  return page;
}

function summary(page: Page): Promise<Summary> {
  return page.evaluate<Summary>('frameProbe.summary()');
}

describe('in step', () => {
  it.each(cases)(
    'shows every result on its own frame with an algorithm that takes $delayMs ms',
    async ({ delayMs, atLeast }) => {
      const stream = `delay-${delayMs}`;
      await using _publisher = publish(clip, `${server.rtsp}/${stream}`);
      const page = await watch(stream, 'in-step');
      await page.waitForFunction(`frameProbe.summary().measured >= ${atLeast}`, undefined, {
        timeout: 90_000,
        polling: 500,
      });
      const seen = await summary(page);
      console.info(
        `in step, ${delayMs} ms: ${seen.measured} of ${seen.frames} frames with their result, ${seen.wrong.length} wrong; ` +
          `${seen.results} results, ${seen.missed} missed (late by ${seen.lateBy.join()} ms), ${seen.unpresented} for frames not presented; ` +
          `${seen.skipped} frames not presented in all; ${await figures(page)}`,
      );
      await page.context().close();
      expect(seen.blank).toBe(0);
      expect(seen.wrong).toEqual([]);
      expect(seen.measured).toBeGreaterThanOrEqual(atLeast);
      // None is left out that was there in time, and all are.
      expect(seen.lateBy.filter((ms) => ms < -IN_TIME_MS)).toEqual([]);
      expect(seen.missed).toBe(0);
      expect(browser.errors).toEqual([]);
    },
  );
});

describe('live edge', () => {
  it.each([cases[0], cases[2]])(
    'never shows a result on a frame of another, with an algorithm that takes $delayMs ms',
    async ({ delayMs }) => {
      const stream = `delay-${delayMs}`;
      await using _publisher = publish(clip, `${server.rtsp}/${stream}`);
      const page = await watch(stream, 'live');
      await page.waitForFunction('frameProbe.frames.length >= 150', undefined, {
        timeout: 60_000,
        polling: 500,
      });
      const seen = await summary(page);
      console.info(
        `live edge, ${delayMs} ms: ${seen.measured} of ${seen.frames} frames carried their own result ` +
          `(${((100 * seen.measured) / seen.frames).toFixed(0)} %), ${seen.wrong.length} wrong; ` +
          `${seen.skipped} frames not presented; ${await figures(page)}`,
      );
      await page.context().close();
      expect(seen.blank).toBe(0);
      expect(seen.wrong).toEqual([]);
      expect(browser.errors).toEqual([]);
    },
  );
});
