import { afterAll, beforeAll, expect, it } from 'vitest';
import { pageBuilt, plays } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { selfSigned } from '../support/certificate.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

let server: TestSluice;
let browser: TestBrowser;
let certificate: Awaited<ReturnType<typeof selfSigned>>;

beforeAll(async () => {
  await pageBuilt();
  certificate = await selfSigned();
  server = await sluice(`demo: true
tls: { cert: '${certificate.cert}', key: '${certificate.key}' }
users: [{ name: anna, password: right, permissions: [{ actions: [read], streams: '*' }] }]
`);
  browser = await TestBrowser.launch();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await certificate?.[Symbol.asyncDispose]();
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

it('over HTTPS the page knows who looks by a cookie that goes nowhere else, and plays by WebRTC and by MSE', async () => {
  const { https = '' } = server.server.addresses;
  const page = await browser.open(`${https}/?stream=demo&via=webrtc`, { insecure: true });
  const sockets: string[] = [];
  page.on('websocket', (socket) => sockets.push(new URL(socket.url()).protocol));
  await page.getByTestId('login-user').fill('anna');
  await page.getByTestId('login-password').fill('right');
  await page.getByTestId('login-submit').click();
  await plays(page, 'webrtc');
  expect(await page.context().cookies()).toMatchObject([
    { name: '__Host-sluice_session', secure: true, httpOnly: true, sameSite: 'Strict' },
  ]);
  await page.goto(`${https}/?stream=demo&via=mse`);
  await plays(page, 'mse');
  expect(new Set(sockets)).toEqual(new Set(['wss:']));
  expect(browser.errors).toEqual([]);
  await page.context().close();
});
