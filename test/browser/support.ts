import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { type RunningProgram, run, start } from '../support/process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The folder with the algorithms of the tests, for `algorithms.folders`. */
export const testAlgorithms = `${root}test/support/algorithms`;

/** Builds the page unless it is there: the server lists its files when it starts. */
export async function pageBuilt(): Promise<void> {
  if (existsSync(`${root}web/dist/index.html`)) return;
  const { code, stderr } = await run('npm', ['run', 'build:web', '--prefix', root], 120_000);
  if (code !== 0) throw new Error(`The page could not be built: ${stderr}`);
}

/** Publishes a file over RTSP with ffmpeg, at its own pace and again and again; `options` are ffmpeg's, e.g. `-vn`. */
export function publish(file: string, address: string, ...options: string[]): RunningProgram {
  const input = ['-hide_banner', '-loglevel', 'error', '-re', '-stream_loop', '-1', '-i', file];
  const output = ['-c', 'copy', ...options, '-f', 'rtsp', '-rtsp_transport', 'tcp', address];
  return start('ffmpeg', [...input, ...output], 170_000);
}

/** Waits until the page plays by one of its ways. */
export function plays(page: Page, rung: string): Promise<void> {
  const way = page.locator(`[data-testid=way][data-rung=${rung}]`);
  return way.waitFor({ timeout: 45_000 });
}

/** Waits until the player plays about as far from the live edge as it wants to, and stays there. */
export async function settled(page: Page): Promise<void> {
  let since = performance.now();
  const deadline = performance.now() + 45_000;
  while (performance.now() - since < 3_000) {
    const is = await page.getByTestId('stage').getAttribute('data-settled');
    if (is !== 'true') since = performance.now();
    if (performance.now() > deadline) throw new Error(`The player does not settle: ${await figures(page)}`);
    await page.waitForTimeout(200);
  }
}

/** The numbers of the panel, for messages. */
export async function figures(page: Page): Promise<string> {
  const texts = await page.locator('.figure').allInnerTexts();
  return texts.map((text) => text.replace(/\s+/g, ' ')).join(', ');
}
