import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish } from '../browser/support.ts';
import { TestBrowser } from '../support/browser.ts';
import { barcodeClip } from '../support/media.ts';
import type { RunningProgram } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const HLS_JS = fileURLToPath(import.meta.resolve('hls.js/dist/hls.min.js'));

interface State {
  readonly time: number;
  readonly width: number;
  /** Bytes of sound and pictures that were decoded. */
  readonly sound: number;
  readonly pictures: number;
  readonly latency: number;
  readonly parts: number;
  readonly fatal: string[];
}

let server: TestSluice;
let browser: TestBrowser;
const publishers: RunningProgram[] = [];

beforeAll(async () => {
  server = await sluice('demo: false\n');
  browser = await TestBrowser.launch();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  for (const publisher of publishers) await publisher[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function play(stream: string): Promise<Page> {
  // Chromium lets only pages of this machine, which about:blank is not, ask loopback.
  const page = await browser.open(`${server.http}/api/health`);
  await page.addScriptTag({ path: HLS_JS });
  await page.evaluate(`(() => {
    const video = document.createElement('video');
    document.body.append(video);
    const hls = new Hls({ lowLatencyMode: true });
    const state = { parts: 0, fatal: [] };
    Object.assign(window, { video, hls, state });
    hls.on(Hls.Events.FRAG_LOADED, (_, { part }) => part && state.parts++);
    hls.on(Hls.Events.ERROR, (_, { fatal, details }) => fatal && state.fatal.push(details));
    hls.loadSource('${server.http}/${stream}/index.m3u8');
    hls.attachMedia(video);
    void video.play();
  })()`);
  return page;
}

function look(page: Page): Promise<State> {
  return page.evaluate(`({ ...state, time: video.currentTime, width: video.videoWidth, latency: hls.latency,
    sound: video.webkitAudioDecodedByteCount, pictures: video.getVideoPlaybackQuality().totalVideoFrames })`);
}

/** Waits until the page has played so many seconds more. */
async function played(page: Page, seconds: number): Promise<State> {
  const { time } = await look(page);
  return eventually(async () => {
    const state = await look(page);
    return state.time >= time + seconds ? state : undefined;
  }, 30_000);
}

describe('hls.js with low latency', () => {
  test('plays picture and sound by parts, and goes on when another publisher brings another size', async () => {
    const clip = await barcodeClip({ seconds: 12, gop: 25 });
    const first = publish(clip, `${server.rtsp}/page`);
    publishers.push(first);
    await server.live('page');
    const page = await play('page');
    const before = await played(page, 6);
    expect(before).toMatchObject({ width: 640, fatal: [] });
    expect(before.sound).toBeGreaterThan(0);
    expect(before.pictures).toBeGreaterThan(100);
    expect(before.parts).toBeGreaterThan(15);
    console.log(`hls.js is ${before.latency.toFixed(2)} s behind the end of the playlist.`);

    await first[Symbol.asyncDispose]();
    const small = ['-c:v', 'libx264', '-preset', 'ultrafast', '-vf', 'scale=320:180', '-g', '25'];
    publishers.push(publish(clip, `${server.rtsp}/page`, ...small));
    await eventually(async () => (await look(page)).width === 320, 30_000);
    const after = await played(page, 4);
    expect(after.fatal).toEqual([]);
    expect(after.sound).toBeGreaterThan(before.sound);
    await page.close();
    expect(browser.errors).toEqual([]);
  });
});
