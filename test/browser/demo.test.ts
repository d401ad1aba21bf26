import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';
import { figures, pageBuilt, settled } from './support.ts';

const results = fileURLToPath(new URL('../../test-results', import.meta.url));
/** With SLUICE_SCREENSHOTS=docs the pictures of the README are taken anew. */
const pictures =
  process.env['SLUICE_SCREENSHOTS'] === 'docs'
    ? fileURLToPath(new URL('../../docs/images', import.meta.url))
    : results;

let server: TestSluice;
let browser: TestBrowser;

beforeAll(async () => {
  await pageBuilt();
  for (const folder of [results, pictures]) await mkdir(folder, { recursive: true });
  server = await sluice('demo: true\n');
  browser = await TestBrowser.launch();
});

afterEach(() => browser.closePages());

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Average number of boxes on so many frames to come. */
async function averageBoxes(page: Page, frames: number): Promise<number> {
  await page.evaluate('frameProbe.reset()');
  await page.waitForFunction(`frameProbe.frames.length >= ${frames}`, undefined, {
    timeout: 60_000,
    polling: 250,
  });
  return page.evaluate<number>(
    'frameProbe.frames.reduce((sum, frame) => sum + frame.boxes, 0) / frameProbe.frames.length',
  );
}

/** A picture of the page at a moment with enough to see. */
async function picture(page: Page, path: string): Promise<void> {
  await page.waitForFunction('frameProbe.frames.at(-1).boxes >= 5', undefined, { timeout: 30_000 });
  await page.screenshot({ path });
}

describe('the demonstration camera', () => {
  it('plays by itself, with boxes around the people', async () => {
    const page = await browser.open(server.http, { probes: ['frames'] });
    await page.getByTestId('stage').and(page.locator('[data-phase=live]')).waitFor({ timeout: 30_000 });
    expect(await page.getByTestId('stream-name').innerText()).toBe('demo');
    await settled(page);
    const average = await averageBoxes(page, 200);
    const [run] = await server.runs();
    console.info(
      `demo: ${average.toFixed(1)} boxes per frame on the canvas, ${run?.averageObjects} objects per result; ${await figures(page)}`,
    );
    expect(average).toBeGreaterThanOrEqual(2);
    expect(run).toMatchObject({ stream: 'demo', algorithm: 'people', state: 'running' });
    expect(run?.averageObjects).toBeGreaterThanOrEqual(2);
    await picture(page, `${pictures}/live.png`);
    await page.getByTestId('theme').click();
    await picture(page, `${results}/live-light.png`);
  });

  it('speaks Chinese to a browser that does, and changes its mind on a click', async () => {
    const page = await browser.open(server.http, { probes: ['frames'], locale: 'zh-CN' });
    await settled(page);
    expect(await page.getByTestId('mode-in-step').innerText()).toBe('同步');
    await picture(page, `${pictures}/live.zh-CN.png`);
    await page.getByTestId('language-en').click();
    expect(await page.getByTestId('mode-in-step').innerText()).toBe('In step');
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
  });

  it('turns sound on by one click, remembers it, and keeps the mode in the address', async () => {
    const page = await browser.open(server.http);
    const muted = () => page.evaluate("document.querySelector('video').muted");
    await page.getByTestId('sound').waitFor({ timeout: 30_000 });
    expect(await muted()).toBe(true);
    await page.keyboard.press('m');
    expect(await muted()).toBe(false);
    await page.reload();
    await page.getByTestId('sound').waitFor({ timeout: 30_000 });
    expect(await muted()).toBe(false);
    await page.getByTestId('mode-live').click();
    expect(new URL(page.url()).search).toBe('?stream=demo&mode=live');
    await page.goBack();
    expect(await page.getByTestId('mode-in-step').getAttribute('aria-pressed')).toBe('true');
  });

  it('stops looking when the last viewer is gone', async () => {
    await expect.poll(() => server.runs(), { timeout: 15_000 }).toEqual([]);
    expect(browser.errors).toEqual([]);
  });
});
