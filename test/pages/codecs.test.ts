import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { type BarcodeClipOptions, barcodeClip } from '../support/media.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';
import { WATCH_BY_WHEP } from '../support/whep-page.ts';

/** What a viewer in the page saw and heard. */
interface Watched {
  /** Times of the pictures as the door gives them: RTP time, or seconds. */
  readonly times: readonly number[];
  readonly width: number;
  /** Of sound, in whatever unit the door counts it. */
  readonly heard: number;
  readonly codecs: string;
}

const PICTURES = 50;
const videos = ['vp8', 'vp9', 'av1'] as const;

let server: TestSluice;
let browser: TestBrowser;
let page: Page;

beforeAll(async () => {
  const lines: string[] = [];
  for (const video of videos) {
    const options: BarcodeClipOptions = { seconds: 8, gop: 25, video, audio: 'opus', container: 'mkv' };
    lines.push(`  ${video}: { source: ${await barcodeClip(options)} }`);
  }
  server = await sluice(`demo: false\nstreams:\n${lines.join('\n')}\n`);
  await Promise.all(videos.map((name) => server.live(name)));
  browser = await TestBrowser.launch();
  page = await browser.open(`${server.http}/api/health`);
}, 180_000);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Plays in a `video` that `begin` (a function of the page) fills, until so many pictures were shown. */
function watch(begin: string): Promise<Watched> {
  return page.evaluate<Watched>(`(async () => {
    const video = Object.assign(document.createElement('video'), { autoplay: true, muted: false });
    document.body.replaceChildren(video);
    const viewer = await (${begin})(video);
    const times = [];
    await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('after ' + times.length + ' pictures: ' + video.error?.message)), 30000);
      const look = (_, { rtpTimestamp, mediaTime }) => {
        times.push(rtpTimestamp ?? mediaTime);
        if (times.length < ${PICTURES}) video.requestVideoFrameCallback(look); else resolve();
      };
      video.requestVideoFrameCallback(look);
    });
    const { heard, codecs } = await viewer.report();
    const width = video.videoWidth;
    viewer.close();
    return { times, width, heard, codecs };
  })()`);
}

const whep = (name: string) => `async (video) => {
  ${WATCH_BY_WHEP}
  const { pc } = await watchByWhep('/${name}/whep', { video });
  const report = async () => {
    const stats = [...(await pc.getStats()).values()];
    const of = (kind) => stats.find((one) => one.type === 'inbound-rtp' && one.kind === kind);
    const codecs = ['video', 'audio'].map((kind) => stats.find(({ id }) => id === of(kind).codecId).mimeType);
    return { heard: of('audio').totalAudioEnergy, codecs: codecs.join() };
  };
  return { report, close: () => pc.close() };
}`;

const mse = (name: string) => `async (video) => {
  const media = new MediaSource();
  video.src = URL.createObjectURL(media);
  await new Promise((resolve) => media.addEventListener('sourceopen', resolve, { once: true }));
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/${name}/mse');
  socket.binaryType = 'arraybuffer';
  let buffer, codecs;
  const waiting = [];
  const append = () => {
    if (!buffer || buffer.updating || waiting.length === 0) return;
    buffer.appendBuffer(waiting.shift());
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== 'string') { waiting.push(data); return append(); }
    const message = JSON.parse(data);
    if (message.type !== 'stream' || buffer) return;
    codecs = message.mime;
    buffer = media.addSourceBuffer(message.mime);
    buffer.addEventListener('updateend', () => {
      append();
      if (video.buffered.length > 0 && video.currentTime < video.buffered.start(0))
        video.currentTime = video.buffered.start(0);
    });
  };
  return {
    report: async () => ({ heard: video.webkitAudioDecodedByteCount, codecs }),
    close: () => socket.close(),
  };
}`;

function expectWatched({ times, width, heard }: Watched): void {
  expect(width).toBe(640);
  expect(heard).toBeGreaterThan(0);
  expect(times.filter((time, i) => i > 0 && time <= times[i - 1]!)).toEqual([]);
}

describe('Chromium', () => {
  it.each(videos)('plays %s over WebRTC', async (name) => {
    const seen = await watch(whep(name));
    expect(seen.codecs).toBe(`video/${name.toUpperCase()},audio/opus`);
    expectWatched(seen);
  });

  it.each([
    ['vp9', /^video\/mp4; codecs="vp09\.00\.\d\d\.08\.[^,]*,opus"$/],
    ['av1', /^video\/mp4; codecs="av01\.0\.\d\dM\.08,opus"$/],
  ])('plays %s over MSE', async (name, mime) => {
    const seen = await watch(mse(name));
    expect(seen.codecs).toMatch(mime);
    expectWatched(seen);
  });
});
