import { mkdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pageBuilt } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

let server: TestSluice;
let browser: TestBrowser;

const FILE = `demo: false
users:
  - { name: anna, password: right, permissions: [{ actions: [read, manage], streams: '*' }] }
  - { name: ben, password: right, permissions: [{ actions: [read], streams: '*' }] }
streams:
  yard/gate-1: { source: 'rtsp://viewer:secret@camera.invalid/stream1' }
  hall: { source: testsrc, onDemand: false }
  ~^cam-(\\d+)$: { source: 'rtsp://10.0.0.$1/live' }
`;

beforeAll(async () => {
  await pageBuilt();
  server = await sluice(FILE);
  browser = await TestBrowser.launch();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function logIn(user: string, path = '/', viewport = { width: 1180, height: 560 }, locale = 'en-GB') {
  const page = await browser.open(`${server.http}${path}`, { viewport, locale });
  await page.getByTestId('login-user').fill(user);
  await page.getByTestId('login-password').fill('right');
  await page.getByTestId('login-submit').click();
  await page.getByTestId('streams').waitFor();
  return page;
}

it('who manages the server sets streams up on the page: sees how they stand, adds one, is told why not, takes one out', async () => {
  const page = await logIn('anna', '/?stream=hall');
  await page.getByTestId('open-setup').click();
  await page.locator('[data-testid=setup-row-hall][data-state=live]').waitFor();
  expect(page.url()).toContain('view=streams');
  const shown = await page.getByTestId('setup').innerText();
  expect(shown).toContain('rtsp://***@camera.invalid/stream1');
  expect(shown).not.toContain('secret');

  // Nothing typed is lost when it is refused.
  await page.getByTestId('setup-name').fill('yard/gate-2');
  await page.getByTestId('setup-source').fill('rtsp://127.0.0.1/live');
  await page.getByTestId('setup-add').click();
  await page.getByTestId('setup-refusal').waitFor();
  expect(await page.getByTestId('setup-refusal').innerText()).toContain('leads to this machine');
  expect(await page.getByTestId('setup-name').inputValue()).toBe('yard/gate-2');
  await page.getByTestId('setup-source').fill('rtsp://10.255.0.2/live');
  await page.getByTestId('setup-add').click();
  await page.getByTestId('setup-row-yard/gate-2').waitFor();
  await page.getByTestId('stream-yard/gate-2').waitFor();

  const folder = fileURLToPath(new URL('../../test-results', import.meta.url));
  await mkdir(folder, { recursive: true });
  for (const language of ['en', 'zh-CN']) {
    await page.getByTestId(`language-${language}`).click();
    for (const palette of ['dark', 'light']) {
      await page.screenshot({ path: `${folder}/setup.${language}.${palette}.png` });
      await page.getByTestId('theme').click();
    }
    await page.setViewportSize({ width: 360, height: 800 });
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
    await page.screenshot({ path: `${folder}/setup.${language}.narrow.png` });
    expect(wide, 'at 360 pixels nothing stands out').toBeLessThanOrEqual(360);
    await page.setViewportSize({ width: 1180, height: 560 });
  }

  await page.getByTestId('setup-delete-yard/gate-2').click();
  await page.getByTestId('setup-confirm-yard/gate-2').click();
  await page.getByTestId('setup-row-yard/gate-2').waitFor({ state: 'detached' });
  const { file } = await configuration();
  expect(await readFile(file, 'utf8')).not.toContain('gate-2');
  // Back to the picture.
  await page.getByTestId('stream-hall').click();
  await page.getByTestId('stage').waitFor();
  expect(browser.errors).toEqual([]);
  await page.context().close();
});

it('who only watches is not offered to set streams up', async () => {
  const page = await logIn('ben');
  await page.getByTestId('stream-hall').waitFor();
  expect(await page.getByTestId('open-setup').count()).toBe(0);
  await page.context().close();
});

async function configuration(): Promise<{ file: string }> {
  const answer = await fetch(`${server.http}/api/health`, {
    headers: { authorization: `Basic ${Buffer.from('anna:right').toString('base64')}` },
  });
  return ((await answer.json()) as { configuration: { file: string } }).configuration;
}
