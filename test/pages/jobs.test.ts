import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pageBuilt } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

let server: TestSluice;
let browser: TestBrowser;

beforeAll(async () => {
  await pageBuilt();
  server = await sluice(`demo: false
sources: { allowLocal: true }
streams:
  hall: { source: testsrc, onDemand: false }
jobs:
  dead: { type: relay, input: 'stream:hall', outputs: ['rtsp://feeder:secret@127.0.0.1:1/x', 'stream:copy'] }
`);
  browser = await TestBrowser.launch();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

it('jobs are made, watched, stopped, started and deleted on the page, and their streams stand apart', async () => {
  const page = await browser.open(`${server.http}/?stream=hall`, {
    viewport: { width: 1180, height: 720 },
    locale: 'en-GB',
  });
  await page.getByTestId('open-jobs').click();
  expect(page.url()).toContain('view=jobs');
  await page.locator('[data-testid=job-dead][data-state=running]').waitFor();
  expect(await page.getByTestId('job-why-dead').innerText()).toContain('cannot be reached');
  expect(await page.getByTestId('jobs').innerText()).not.toContain('secret');

  // Nothing typed is lost when it is refused, or another type is looked at meanwhile.
  await page.getByTestId('job-name').fill('made');
  await page.getByTestId('job-input').fill('stream:hall');
  await page.getByTestId('job-output').fill('stream:hall');
  await page.getByTestId('job-add').click();
  await page.getByTestId('setup-refusal').waitFor();
  expect(await page.getByTestId('setup-refusal').innerText()).toContain('this job publishes itself');
  await page.getByTestId('job-type').selectOption('merge');
  await page.getByTestId('job-type').selectOption('push');
  expect(await page.getByTestId('job-input').inputValue()).toBe('stream:hall');
  await page.getByTestId('job-output').fill('stream:front');
  await page.getByTestId('job-only').selectOption('video');
  await page.getByTestId('job-add').click();
  await page.locator('[data-testid=job-made][data-state=running]').waitFor();
  await page.getByTestId('stream-front').waitFor();
  await page.getByTestId('job-log-made').click();

  // What jobs publish among themselves does not stand among the streams.
  const listed = await page.getByTestId('streams').innerText();
  expect(listed).toContain('front');
  expect(listed).not.toContain('jobs/made');
  await page.getByTestId('job-streams').click();
  await page.getByTestId('stream-jobs/made').waitFor();

  const folder = fileURLToPath(new URL('../../test-results', import.meta.url));
  await mkdir(folder, { recursive: true });
  for (const language of ['en', 'zh-CN']) {
    await page.getByTestId(`language-${language}`).click();
    for (const palette of ['dark', 'light']) {
      await page.screenshot({ path: `${folder}/jobs.${language}.${palette}.png` });
      await page.getByTestId('theme').click();
    }
    await page.setViewportSize({ width: 360, height: 800 });
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
    await page.screenshot({ path: `${folder}/jobs.${language}.narrow.png` });
    expect(wide, 'at 360 pixels nothing stands out').toBeLessThanOrEqual(360);
    await page.setViewportSize({ width: 1180, height: 720 });
  }

  await page.getByTestId('job-stop-made').click();
  await page.locator('[data-testid=job-made][data-state=stopped]').waitFor();
  await page.getByTestId('job-start-made').click();
  await page.locator('[data-testid=job-made][data-state=running]').waitFor();
  await page.getByTestId('job-delete-made').click();
  await page.getByTestId('job-confirm-made').click();
  await page.getByTestId('job-made').waitFor({ state: 'detached' });
  await eventually(async () => {
    const { streams } = await server.get<{ streams: { name: string }[] }>('/api/streams');
    return !streams.some(({ name }) => name === 'front');
  });
  expect(browser.errors).toEqual([]);
  await page.context().close();
});
