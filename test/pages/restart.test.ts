import { pino } from 'pino';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createServer, type SluiceServer } from '../../src/app/server.ts';
import { parseConfig } from '../../src/config/load.ts';
import { pageBuilt } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';

const ways = ['webrtc', 'mse', 'hls', 'mjpeg'] as const;

let browser: TestBrowser;
let clip: string;

beforeAll(async () => {
  await pageBuilt();
  clip = await barcodeClip({ seconds: 20, audio: 'opus', container: 'mkv' });
  browser = await TestBrowser.launch();
});

afterEach(() => browser.closePages());

afterAll(() => browser?.[Symbol.asyncDispose]());

function serve(port: number): Promise<SluiceServer> {
  const text = `http: { port: ${port} }\nrtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\ndemo: false\nstreams: { camera: { source: '${clip}' } }\n`;
  return createServer(parseConfig(text, '/tmp/sluice.yml'), { log: pino({ level: 'silent' }) });
}

async function plays(page: Page, frames: number): Promise<void> {
  await page.locator('[data-testid=stage][data-phase=live]').waitFor({ timeout: 60_000 });
  await page.evaluate('frameProbe.reset()');
  await page.waitForFunction(`frameProbe.frames.length > ${frames}`, undefined, { timeout: 60_000 });
}

it('a page plays on by itself after the server was restarted, whichever way it watches', async () => {
  await using first = await serve(0);
  const address = first.addresses.http;
  const pages = await Promise.all(
    ways.map((via) => browser.open(`${address}/?stream=camera&via=${via}`, { probes: ['frames'] })),
  );
  await Promise.all(
    pages.map(async (page, i) => {
      await page.locator(`[data-testid=way][data-rung=${ways[i]}]`).waitFor({ timeout: 60_000 });
      await plays(page, 10);
    }),
  );
  await first.close();
  await Promise.all(
    pages.map(async (page, i) => {
      const phase = () => page.getByTestId('stage').getAttribute('data-phase');
      await expect.poll(phase, { timeout: 60_000, message: `by ${ways[i]}` }).toBe('lost');
    }),
  );
  for (const page of pages)
    expect(await page.getByTestId('state-words').innerText()).toContain('The connection was lost.');
  await using _second = await serve(Number(new URL(address).port));
  await Promise.all(pages.map((page) => plays(page, 15)));
  expect(browser.errors).toEqual([]);
});
