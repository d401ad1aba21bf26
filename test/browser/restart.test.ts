import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createServer, type SluiceServer } from '../../src/app/server.ts';
import { parseConfig } from '../../src/config/load.ts';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import { pageBuilt, settled } from './support.ts';

let browser: TestBrowser;
let clip: string;

beforeAll(async () => {
  await pageBuilt();
  clip = await barcodeClip({ seconds: 20 });
  browser = await TestBrowser.launch();
});

afterAll(() => browser?.[Symbol.asyncDispose]());

function serve(port: number): Promise<SluiceServer> {
  const text = `http: { port: ${port} }\nrtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\ndemo: false\nstreams: { camera: { source: '${clip}' } }\n`;
  return createServer(parseConfig(text, '/tmp/sluice.yml'), { log: pino({ level: 'silent' }) });
}

it('a page plays on by itself after the server was restarted', async () => {
  const first = await serve(0);
  const address = first.addresses.http;
  const page = await browser.open(`${address}/?stream=camera`, { probes: ['frames'] });
  await settled(page);
  await first.close();
  await page.locator('[data-testid=stage][data-phase=lost]').waitFor({ timeout: 10_000 });
  expect(await page.getByTestId('state-words').innerText()).toContain('The connection was lost.');
  await page.evaluate('frameProbe.reset()');
  await using _second = await serve(Number(new URL(address).port));
  await page.locator('[data-testid=stage][data-phase=live]').waitFor({ timeout: 30_000 });
  await page.waitForFunction('frameProbe.frames.length > 50', undefined, { timeout: 20_000 });
  await page.context().close();
  expect(browser.errors).toEqual([]);
});
