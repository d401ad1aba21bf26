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

const asAnna = { authorization: `Basic ${Buffer.from('anna:right').toString('base64')}` };

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

it('who manages the server sets streams up on the page: sees how they stand, adds one, is told why not, changes one, takes one out', async () => {
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
    await page.getByTestId('setup-edit-yard/gate-1').click();
    await page.screenshot({ path: `${folder}/setup-edit.${language}.png` });
    await page.setViewportSize({ width: 360, height: 800 });
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
    await page.screenshot({ path: `${folder}/setup.${language}.narrow.png` });
    expect(wide, 'at 360 pixels nothing stands out').toBeLessThanOrEqual(360);
    await page.getByTestId('setup-cancel').click();
    await page.setViewportSize({ width: 1180, height: 560 });
  }

  // What was not typed is not known here, and stays.
  const gate = page.getByTestId('setup-row-yard/gate-1');
  const source = page.getByTestId('setup-edit-source');
  await page.getByTestId('setup-edit-yard/gate-1').click();
  expect(await source.inputValue()).toBe('rtsp://***@camera.invalid/stream1');
  await source.fill('rtsp://***@camera.invalid/stream2');
  await page.getByTestId('setup-save').click();
  await gate.getByText('/stream2').waitFor();
  expect(await written()).toContain('rtsp://viewer:secret@camera.invalid/stream2');

  // Somebody else is quicker: that is shown before it is undone.
  await page.getByTestId('setup-edit-yard/gate-1').click();
  await source.fill('rtsp://camera.invalid/mine');
  const theirs = { source: 'rtsp://camera.invalid/theirs' };
  const changed = await fetch(`${server.http}/api/config/streams/yard/gate-1`, {
    method: 'PATCH',
    headers: { ...asAnna, 'content-type': 'application/json' },
    body: JSON.stringify(theirs),
  });
  expect(changed.status).toBe(200);
  await page.getByTestId('setup-save').click();
  await page.getByTestId('setup-now').getByText(theirs.source).waitFor();
  expect(await source.inputValue()).toBe('rtsp://camera.invalid/mine');
  expect(await written()).toContain(theirs.source);
  await page.getByTestId('setup-save').click();
  await gate.getByText('rtsp://camera.invalid/mine').waitFor();

  await page.getByTestId('setup-delete-yard/gate-2').click();
  await page.getByTestId('setup-confirm-yard/gate-2').click();
  await page.getByTestId('setup-row-yard/gate-2').waitFor({ state: 'detached' });
  expect(await written()).not.toContain('gate-2');
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

/** The configuration file as it is now. */
async function written(): Promise<string> {
  const answer = await fetch(`${server.http}/api/health`, { headers: asAnna });
  const { configuration } = (await answer.json()) as { configuration: { file: string } };
  return readFile(configuration.file, 'utf8');
}
