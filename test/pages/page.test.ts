import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pageBuilt } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

const assets = fileURLToPath(new URL('../../web/dist/assets', import.meta.url));
const LARGEST_SCRIPT_BYTES = 300_000;

let server: TestSluice;
let browser: TestBrowser;

beforeAll(async () => {
  await pageBuilt();
  server = await sluice('demo: true\nstreams: { letter: { source: /nowhere/letter.mp4 } }\n');
  browser = await TestBrowser.launch();
});

afterEach(() => browser.closePages());

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

describe('the page', () => {
  it('is at most 300 kB of compressed script, what is loaded only when it is needed included', async () => {
    const scripts = (await readdir(assets)).filter((name) => name.endsWith('.js'));
    const sizes = await Promise.all(
      scripts.map(async (name) => gzipSync(await readFile(`${assets}/${name}`)).length),
    );
    const total = sizes.reduce((sum, size) => sum + size, 0);
    console.info(`script of the page: ${sizes.map((size) => (size / 1000).toFixed(0)).join(' + ')} kB gzip`);
    expect(total).toBeLessThanOrEqual(LARGEST_SCRIPT_BYTES);
  });

  it('asks no other host for anything', async () => {
    const page = await browser.open('about:blank');
    const hosts = new Set<string>();
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
    await page.goto(server.http);
    // Picture and results: what it plays is all there.
    await page.getByTestId('fps').waitFor({ timeout: 30_000 });
    await page.getByText('Detecting people').waitFor({ timeout: 30_000 });
    expect([...hosts]).toEqual([new URL(server.http).host]);
  });

  it.each([360, 768, 1280, 1920])('fits a window of %i pixels without scrolling sideways', async (width) => {
    const page = await browser.open(server.http, { viewport: { width, height: 800 } });
    await page.getByTestId('fps').waitFor({ timeout: 30_000 });
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
    expect(wide).toBeLessThanOrEqual(width);
  });

  it('has room for its toolbar below a picture that is taller than wide', async () => {
    const page = await browser.open(server.http, { viewport: { width: 1100, height: 700 } });
    await page.getByText('Detecting people').waitFor({ timeout: 30_000 });
    await page.evaluate("document.querySelector('.view-main').style.setProperty('--ratio', 9 / 16)");
    const bottom = await page.evaluate<number>(
      "document.querySelector('.toolbar').getBoundingClientRect().bottom",
    );
    expect(bottom).toBeLessThanOrEqual(700);
  });

  it('says in its own language why a source does not run, and has the sentence of the server at hand', async () => {
    const page = await browser.open(`${server.http}/?stream=letter`, { locale: 'zh-CN' });
    const words = page.getByTestId('state-words').locator('p');
    await expect.poll(() => words.innerText(), { timeout: 20_000 }).toContain('找不到视频文件');
    expect(await words.getAttribute('title')).toContain('There is no file "/nowhere/letter.mp4"');
  });

  it('is worked by keys alone', async () => {
    const page = await browser.open(server.http);
    await page.getByTestId('detect-people').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    await page.keyboard.press('s');
    expect(await page.getByTestId('mode-live').getAttribute('aria-pressed')).toBe('true');
    await page.keyboard.press('1');
    expect(await page.getByTestId('stream-demo').getAttribute('aria-current')).toBe('page');
  });

  it('offers sound on a first visit, to a click anywhere on the picture, and remembers what was chosen', async () => {
    const page = await browser.open(server.http);
    const sound = page.getByTestId('sound');
    await expect.poll(() => sound.innerText(), { timeout: 30_000 }).toBe('Click for sound');
    await page.getByTestId('player').click();
    await expect.poll(() => sound.getAttribute('aria-pressed')).toBe('true');
    await page.getByTestId('player').click();
    expect(await sound.getAttribute('aria-pressed')).toBe('true');
    await sound.click();
    await expect.poll(() => sound.innerText()).toBe('Sound off');
    await page.getByTestId('player').click();
    await page.reload();
    await expect.poll(() => sound.innerText(), { timeout: 30_000 }).toBe('Sound off');
  });

  it('has no errors of its own', () => {
    expect(browser.errors).toEqual([]);
  });
});
