import { afterAll, beforeAll, expect, it } from 'vitest';
import { pageBuilt } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

let server: TestSluice;
let browser: TestBrowser;

beforeAll(async () => {
  await pageBuilt();
  server = await sluice(`demo: true
users: [{ name: anna, password: right, permissions: [{ actions: [read], streams: '*' }] }]
`);
  browser = await TestBrowser.launch();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

it('the page asks who looks, says what was wrong, shows the picture to whom it knows, and forgets them', async () => {
  const page = await browser.open(server.http);
  await page.getByTestId('login-user').fill('anna');
  await page.getByTestId('login-password').fill('wrong');
  await page.getByTestId('login-submit').click();
  await page.getByTestId('login-refusal').waitFor();
  expect(await page.getByTestId('stream-demo').count()).toBe(0);
  await page.getByTestId('login-password').fill('right');
  await page.getByTestId('login-submit').click();
  await page.getByTestId('stream-demo').waitFor();
  // The sockets of media and results take the cookie too.
  await page.locator('[data-testid=stage][data-phase=live]').waitFor();
  const cookies = await page.context().cookies();
  expect(cookies).toMatchObject([{ name: 'sluice_session', httpOnly: true, sameSite: 'Strict' }]);
  await page.getByTestId('log-out').click();
  await page.getByTestId('login').waitFor();
  await page.context().close();
});
