import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { figures, pageBuilt, plays, publish, settled } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

const noWebRtc = 'delete window.RTCPeerConnection;';
const noMse = 'delete window.MediaSource; delete window.ManagedMediaSource;';
const noHls = `const canPlay = HTMLMediaElement.prototype.canPlayType;
  HTMLMediaElement.prototype.canPlayType = function (type) { return /mpegurl/i.test(type) ? '' : canPlay.call(this, type); };`;
/** A proxy that knows no WebSockets: those of streams get no answer but a refusal. */
const noSockets = `const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(url) { super(String(url).replace(/(mse|results)$/, 'nothing')); }
  };`;
/** The way to the server's WebRTC port, over UDP and TCP, leads nowhere while \`udpClosed\` is true: the port of each candidate is another. */
const udpGate = `const setRemote = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    return setRemote.call(this, { type, sdp: window.udpClosed ? sdp.replace(/( (?:udp|tcp) \\d+ \\S+) \\d+/g, '$1 9') : sdp });
  };`;

let server: TestSluice;
let browser: TestBrowser;
let clip: string;

beforeAll(async () => {
  await pageBuilt();
  clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
  server = await sluice(`demo: false\nstreams: { plain: { source: '${clip}' } }\n`);
  await server.live('plain');
  browser = await TestBrowser.launch();
});

afterEach(() => browser.closePages());

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Opens the page after `script` has made the browser another one. */
async function open(query: string, script = ''): Promise<Page> {
  const page = await browser.open('about:blank', {
    viewport: { width: 1000, height: 700 },
    probes: ['frames'],
  });
  await page.addInitScript(script);
  await page.goto(`${server.http}/?${query}`);
  return page;
}

function setback(page: Page, rung: string): Locator {
  return page.getByTestId(`setback-${rung}`);
}

/** Waits for so many more frames. */
async function frames(page: Page, count: number): Promise<void> {
  await page.evaluate('frameProbe.reset()');
  await page.waitForFunction(`frameProbe.frames.length >= ${count}`, undefined, { timeout: 60_000 });
}

async function doors(stream: string): Promise<string[]> {
  const { readers } = await server.get<{ readers: { door: string }[] }>(`/api/streams/${stream}`);
  return readers.map(({ door }) => door);
}

/** Sessions that a page began over WebRTC, as their addresses, in the order they were begun. */
function sessions(page: Page): string[] {
  const begun: string[] = [];
  page.on('response', (response) => {
    const session = response.headers()['location'];
    if (response.request().method() === 'POST' && response.status() === 201 && session) begun.push(session);
  });
  return begun;
}

function end(session: string | undefined): Promise<Response> {
  return fetch(`${server.http}${session}`, { method: 'DELETE' });
}

describe('the page takes', () => {
  it('WebRTC where it can, with its sound, and says so', async () => {
    const page = await open('stream=plain&mode=live');
    await plays(page, 'webrtc');
    await settled(page);
    await frames(page, 50);
    expect(await doors('plain')).toEqual(['webrtc']);
    expect(await page.getByTestId('panel-way').innerText()).toContain('WebRTC');
    expect(await page.locator('[data-testid^=setback-]').count()).toBe(0);
    const isHeard = "/scaleY\\(0\\.[1-9]/.test(document.querySelector('.meter span')?.style.transform)";
    await page.getByTestId('sound').click();
    await page.waitForFunction(isHeard);
    console.info(`WebRTC at the live edge: ${await figures(page)}`);
    // How long the browser may keep pictures is agreed on anew, and the picture goes on.
    for (const [mode, query] of [
      ['in-step', ''],
      ['live', '?maxDelay=20'],
    ] as const) {
      const asked = page.waitForRequest((request) => request.method() === 'POST');
      await page.getByTestId(`mode-${mode}`).click();
      expect(new URL((await asked).url()).search).toBe(query);
      await frames(page, 25);
      await expect.poll(() => doors('plain'), { timeout: 10_000 }).toEqual(['webrtc']);
    }
    await page.waitForFunction(isHeard);
    await page.context().close();
    await expect.poll(() => doors('plain'), { timeout: 10_000 }).toEqual([]);
  });

  it('MSE in a browser without WebRTC, and says why', async () => {
    const page = await open('stream=plain', noWebRtc);
    await plays(page, 'mse');
    expect(await setback(page, 'webrtc').innerText()).toBe('Not by WebRTC: This browser cannot do it.');
    await frames(page, 25);
  });

  it('MSE where nothing gets through to the WebRTC port, says why, and remembers it', async () => {
    const page = await open('stream=plain', `${udpGate} window.udpClosed = true;`);
    const begun = sessions(page);
    // Until there is a picture, the latest keyframe is to be seen.
    await page.locator('[data-testid=poster][data-there=true]').waitFor({ timeout: 20_000 });
    await plays(page, 'mse');
    // The way is told with the first picture, and the picture up to a quarter of a second later.
    await page.getByTestId('poster').waitFor({ state: 'detached', timeout: 20_000 });
    await setback(page, 'webrtc').and(page.locator('[data-kind=udp]')).waitFor({ timeout: 20_000 });
    expect(await setback(page, 'webrtc').innerText()).toContain('Neither UDP nor TCP gets through');
    expect(begun).toHaveLength(1);
    await page.reload();
    await plays(page, 'mse');
    await frames(page, 25);
    expect(begun).toHaveLength(1);
  });

  it('LL-HLS where neither WebRTC nor a WebSocket gets through', async () => {
    const page = await open('stream=plain', noWebRtc + noSockets);
    await plays(page, 'hls');
    expect(await setback(page, 'mse').innerText()).toContain('No WebSocket gets through');
    await frames(page, 25);
  });

  it('moving JPEG where there is neither', async () => {
    const page = await open('stream=plain', noWebRtc + noMse + noHls);
    await plays(page, 'mjpeg');
    expect(await setback(page, 'hls').innerText()).toContain('cannot do it');
    await frames(page, 15);
    expect(await page.getByTestId('panel-way').innerText()).toContain('There is no sound this way.');
    expect(await page.getByTestId('sound').count()).toBe(0);
  });
});

describe('a way that breaks while it is watched', () => {
  it('is begun anew, and left for the next when it breaks again', async () => {
    const page = await open('stream=plain', udpGate);
    const begun = sessions(page);
    await plays(page, 'webrtc');
    // Played so long, it is worth a second session.
    await frames(page, 275);
    expect((await end(begun[0])).status).toBe(200);
    await expect.poll(() => begun.length, { timeout: 20_000 }).toBe(2);
    await plays(page, 'webrtc');
    await frames(page, 25);
    await page.evaluate('window.udpClosed = true');
    expect((await end(begun[1])).status).toBe(200);
    await plays(page, 'mse');
    await frames(page, 25);
    expect(await setback(page, 'webrtc').getAttribute('data-kind')).toBe('stalled');
  });

  it('is taken again when the viewer wishes, and what was chosen stands in the address and is remembered', async () => {
    const page = await open('stream=plain');
    await plays(page, 'webrtc');
    await page.getByTestId('way').click();
    await page.getByTestId('way-hls').click();
    await plays(page, 'hls');
    expect(new URL(page.url()).search).toBe('?stream=plain&via=hls');
    await frames(page, 50);
    await expect.poll(() => doors('plain'), { timeout: 10_000 }).toEqual(['hls']);
    await page.goto(`${server.http}/?stream=plain`);
    await plays(page, 'hls');
    await page.getByTestId('way').click();
    await page.getByTestId('way-auto').click();
    await plays(page, 'webrtc');
    expect(new URL(page.url()).search).toBe('?stream=plain');
    await frames(page, 25);
  });

  it('is no matter where another publisher takes over: every way plays on', async () => {
    await using _first = publish(clip, `${server.rtsp}/switch`);
    await server.live('switch');
    const ways = ['webrtc', 'mse', 'hls', 'mjpeg'];
    const pages = await Promise.all(ways.map((via) => open(`stream=switch&via=${via}`)));
    await Promise.all(pages.map((page, i) => plays(page, ways[i] ?? '')));
    const square = [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-bf',
      '0',
      '-vf',
      'scale=360:360,setsar=1',
      '-g',
      '25',
    ];
    await using _second = publish(clip, `${server.rtsp}/switch`, ...square);
    const isSquare = "(({ width, height }) => width === height)(document.querySelector('canvas'))";
    const goesOn = await Promise.all(
      pages.map(async (page) => {
        await page.waitForFunction(isSquare, undefined, { timeout: 45_000 });
        await page.evaluate('frameProbe.reset()');
        await page.waitForFunction('frameProbe.frames.length >= 15', undefined, { timeout: 45_000 });
        return true;
      }),
    ).catch(async (error: unknown) => {
      const seen = await Promise.all(pages.map((page) => page.getByTestId('panel-way').innerText()));
      throw new Error(`A page does not go on: ${seen.join('; ')}`, { cause: error });
    });
    expect(goesOn).toHaveLength(ways.length);
    for (const page of pages) await page.context().close();
  });
});

it('nothing goes wrong in any page', () => {
  expect(browser.errors).toEqual([]);
});
