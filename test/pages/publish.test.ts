import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pageBuilt, publish, settled } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

const street = fileURLToPath(new URL('../../media/people.mp4', import.meta.url));

let server: TestSluice;
let browser: TestBrowser;

beforeAll(async () => {
  await pageBuilt();
  server = await sluice('demo: false\n');
  browser = await TestBrowser.launch();
});

afterEach(() => browser.closePages());

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

function phase(page: Page, name: string): Locator {
  return page.getByTestId('stage').and(page.locator(`[data-phase=${name}]`));
}

/** Doors of everybody who reads a stream. */
async function doors(stream: string): Promise<string[]> {
  const { streams } = await server.get<{ streams: { name: string; readers: { door: string }[] }[] }>(
    '/api/streams',
  );
  return streams.find(({ name }) => name === stream)?.readers.map(({ door }) => door) ?? [];
}

describe('a stream that somebody publishes', () => {
  it('is listed at once, plays, and is searched for people while a viewer asks for it', async () => {
    const page = await browser.open(server.http, { probes: ['frames'] });
    await page.getByTestId('empty').getByRole('heading').waitFor();

    await using publisher = publish(street, `${server.rtsp}/live`);
    await expect
      .poll(() => doors('live').then(() => server.get('/api/streams')), { timeout: 15_000 })
      .toMatchObject({
        streams: [{ name: 'live' }],
      });
    await page.getByTestId('stream-live').waitFor({ timeout: 1_500 });
    await phase(page, 'live').waitFor({ timeout: 20_000 });
    expect(await server.runs()).toEqual([]);

    const detect = page.getByTestId('detect-people');
    await detect.click();
    await expect
      .poll(() => server.runs(), { timeout: 15_000 })
      .toMatchObject([{ stream: 'live', algorithm: 'people', state: 'running' }]);
    await page.waitForFunction('frameProbe.frames.slice(-20).some((frame) => frame.boxes > 1)', undefined, {
      timeout: 30_000,
    });
    expect(await detect.getAttribute('aria-pressed')).toBe('true');
    expect(await doors('live')).toContain('link');

    await detect.click();
    await expect.poll(() => server.runs(), { timeout: 15_000 }).toEqual([]);
    await page.waitForFunction('frameProbe.frames.slice(-5).every((frame) => frame.boxes === 0)');
    await expect
      .poll(async () => (await doors('live')).join(), { timeout: 15_000 })
      .toMatch(/^(mse|webrtc|link,webrtc|webrtc,link)$/);

    await detect.click();
    await expect.poll(() => server.runs(), { timeout: 15_000 }).toHaveLength(1);
    await page.context().close();
    // The last viewer is gone: nothing is decoded, nobody reads.
    await expect.poll(() => server.runs(), { timeout: 15_000 }).toEqual([]);
    await expect.poll(() => doors('live'), { timeout: 15_000 }).toEqual([]);
    await publisher.stop();
  });

  it('is held for its publisher, with words, and goes on when it comes back', async () => {
    const clip = await barcodeClip({ seconds: 60 });
    const first = publish(clip, `${server.rtsp}/held`);
    const page = await browser.open(`${server.http}/?stream=held`, { probes: ['frames'] });
    await settled(page);
    await first.stop();
    await phase(page, 'held').waitFor({ timeout: 5_000 });
    expect(await page.getByTestId('state-words').innerText()).toMatch(/The publisher is gone.*\d+ s more/);
    await using _second = publish(clip, `${server.rtsp}/held`);
    await phase(page, 'live').waitFor({ timeout: 20_000 });
    await page.evaluate('frameProbe.reset()');
    await page.waitForFunction('frameProbe.frames.length > 50', undefined, { timeout: 20_000 });
  });

  it('plays with B-frames and G.711, every frame in its place', async () => {
    const clip = await barcodeClip({ seconds: 60, bframes: 2, audio: 'pcma', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/b-frames`);
    const page = await browser.open(`${server.http}/?stream=b-frames&via=mse`, { probes: ['frames'] });
    await settled(page);
    await page.evaluate('frameProbe.reset()');
    await page.waitForFunction('frameProbe.frames.length >= 100', undefined, { timeout: 30_000 });
    const steps = await page.evaluate<[number, number][]>(
      `frameProbe.frames.slice(1).map((frame, i) => [frame.picture - frameProbe.frames[i].picture, (frame.pts - frameProbe.frames[i].pts) / 3600])`,
    );
    // The picture's own number and its timestamp advance together, over the clip's beginning too.
    for (const [number, ticks] of steps) if (number > 0) expect(number).toBeCloseTo(ticks, 1);
    const decoded = await page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount");
    expect(decoded).toBeGreaterThan(1_000);
  });

  it('plays the picture alone while its sound cannot be made, and joins the sound on the same connection', async () => {
    const clip = await barcodeClip({ seconds: 60, audio: 'pcma', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/late-sound`);
    const page = await browser.open('about:blank', { probes: ['frames'] });
    const sockets: string[] = [];
    page.on('websocket', (socket) => socket.url().endsWith('/mse') && sockets.push(socket.url()));
    // Whichever worker is to make the sound stands still, until the page has gone without it.
    const stopped = new Set<number>();
    const standStill = async () => {
      const { workers } = await server.get<{ workers: { pid?: number; tasks: { affinity: string }[] }[] }>(
        '/api/workers',
      );
      for (const { pid, tasks } of workers) {
        if (!pid || stopped.has(pid) || !tasks.some(({ affinity }) => affinity === 'late-sound')) continue;
        stopped.add(pid);
        process.kill(pid, 'SIGSTOP');
      }
    };
    await page.goto(`${server.http}/?stream=late-sound&via=mse`);
    await expect
      .poll(
        async () => {
          await standStill();
          return page.evaluate<number>('frameProbe.frames.length');
        },
        { timeout: 20_000, interval: 50 },
      )
      .toBeGreaterThan(20);
    expect(stopped.size).toBeGreaterThan(0);
    await page.waitForFunction(
      "document.querySelector('video').webkitAudioDecodedByteCount > 1000",
      undefined,
      { timeout: 30_000 },
    );
    await page.evaluate('frameProbe.reset()');
    await page.waitForFunction('frameProbe.frames.length > 50', undefined, { timeout: 20_000 });
    expect(sockets).toHaveLength(1);
  });

  it('plays on when another publisher takes over with another size and another sound', async () => {
    const clip = await barcodeClip({ seconds: 60 });
    await using _first = publish(clip, `${server.rtsp}/switch`);
    const page = await browser.open(`${server.http}/?stream=switch`, { probes: ['frames'] });
    await settled(page);
    const shape = () =>
      page.evaluate<number>(
        "document.querySelector('canvas').width / document.querySelector('canvas').height",
      );
    expect(await shape()).toBeCloseTo(16 / 9, 1);
    await using _second = publish(street, `${server.rtsp}/switch`);
    await expect.poll(shape, { timeout: 20_000 }).toBeCloseTo(4 / 3, 1);
    await page.evaluate('frameProbe.reset()');
    await page.waitForFunction('frameProbe.frames.length > 50', undefined, { timeout: 20_000 });
    await settled(page);
  });

  it('plays without sound, and sound without a picture', async () => {
    const clip = await barcodeClip({ seconds: 60 });
    await using _silent = publish(clip, `${server.rtsp}/silent`, '-an');
    await using _radio = publish(clip, `${server.rtsp}/radio`, '-vn');
    const page = await browser.open(`${server.http}/?stream=silent`, { probes: ['frames'] });
    await settled(page);
    await page.waitForFunction('frameProbe.frames.length > 50', undefined, { timeout: 20_000 });
    expect(await page.getByTestId('sound').count()).toBe(0);
    await page.getByTestId('stream-radio').click();
    await settled(page);
    expect(await page.getByTestId('state-words').innerText()).toBe('This stream has sound only.');
    await page.getByTestId('sound').click();
    const before = await page.evaluate<number>("document.querySelector('video').currentTime");
    await page.waitForFunction(`document.querySelector('video').currentTime > ${before} + 1`);
  });

  it('shows what the browser cannot play as moving JPEG, says why, and plays what comes instead', async () => {
    const clip = await barcodeClip({ seconds: 10, video: 'h265' });
    await using _publisher = publish(clip, `${server.rtsp}/hevc`);
    // Over WebRTC it would come as H.264.
    const page = await browser.open('about:blank');
    await page.addInitScript('delete window.RTCPeerConnection');
    await page.goto(`${server.http}/?stream=hevc`);
    const way = page.getByTestId('way');
    await phase(page, 'live').waitFor({ timeout: 30_000 });
    expect(await way.getAttribute('data-rung')).toBe('mjpeg');
    expect(await page.getByTestId('setback-mse').innerText()).toContain('This browser cannot play H.265.');
    await expect
      .poll(() => doors('hevc').then((all) => all.filter((door) => door !== 'link')))
      .toEqual(['mjpeg']);
    await using _other = publish(await barcodeClip({ seconds: 60 }), `${server.rtsp}/hevc`);
    await expect.poll(() => way.getAttribute('data-rung'), { timeout: 30_000 }).not.toBe('mjpeg');
    await phase(page, 'live').waitFor({ timeout: 20_000 });
  });

  it('goes wrong for nobody', () => {
    expect(browser.errors).toEqual([]);
  });
});
