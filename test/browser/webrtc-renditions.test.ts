import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { lossyUdpRelay } from '../support/lossy-relay.ts';
import { barcodeClip } from '../support/media.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';
import { READ_NUMBER, WATCH_BY_WHEP } from '../support/whep-page.ts';
import { publish, testAlgorithms } from './support.ts';

/**
 * Sound and picture this far apart, in ms, are not yet noticed by anybody. Chromium brings them together by what our
 * reports say, within half a minute; on a busy machine its buffer for sound grows quicker than that. So what is held
 * here is that flash and beep are apart as far as Chromium takes them to be: where it brings them to, they are in step.
 */
const LARGEST_SKEW_MS = 40;
const BEEPS = 10;

interface Frame {
  /** RTP time, 32 bits. */
  readonly rtp: number;
  /** Number that the picture's barcode shows. */
  readonly number: number;
}

/** What a viewer of the page has seen and heard. */
interface Watched {
  readonly frames: readonly Frame[];
  readonly results: readonly Frame[];
  readonly heard: readonly string[];
  readonly audioEnergy: number;
  readonly codecs: readonly string[];
  readonly resent: number;
  readonly state: string;
  readonly channel: string;
}

/** A stream of its own for each attempt: viewers of one that failed are still there. */
let attempts = 0;
let server: TestSluice;
let browser: TestBrowser;
let page: Page;

beforeAll(async () => {
  server = await sluice(
    [
      'demo: false',
      `algorithms: { folders: ['${testAlgorithms}'] }`,
      'streams:',
      '  yard: { detect: [{ algorithm: barcode, parameters: { fps: 5 } }] }',
      '',
    ].join('\n'),
  );
  browser = await TestBrowser.launch();
  // Any page of this origin will do.
  page = await browser.open(`${server.http}/api/health`, { probes: ['sound'] });
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Those of an attempt that failed would go on watching. */
afterEach(() => page.evaluate('for (const { pc } of Object.values(window.viewers ?? {})) pc.close()'));

/** Begins to watch as `viewers[name]` of the page; `change` is an expression over the answer, `sdp`. */
async function watch(name: string, stream: string, change = 'sdp'): Promise<void> {
  await page.evaluate(`(async () => {
    ${WATCH_BY_WHEP} ${READ_NUMBER}
    const viewer = { frames: [], results: [], heard: [], channel: 'connecting' };
    const began = (pc, video, media) => {
      Object.assign(viewer, { pc, video, media });
      (window.viewers ??= {})['${name}'] = viewer;
      const channel = pc.createDataChannel('results');
      channel.onopen = () => (viewer.channel = 'open');
      channel.onclose = () => (viewer.channel = 'closed');
      viewer.say = (message) => channel.send(JSON.stringify(message));
      channel.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        viewer.heard.push(message.type);
        const { number } = message.result?.state ?? {};
        if (number !== undefined) viewer.results.push({ rtp: message.rtpTimestamp, number });
      };
    };
    const { video, session } = await watchByWhep('/${stream}/whep', { began, answered: (sdp) => ${change} });
    viewer.session = session;
    const canvas = document.createElement('canvas');
    const look = (_, { rtpTimestamp }) => {
      const number = readNumber(video, canvas);
      if (viewer.isProbed) document.dispatchEvent(new CustomEvent('sluice:frame', { detail: { canvas } }));
      if (number !== undefined) viewer.frames.push({ rtp: rtpTimestamp, number });
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  })()`);
}

async function seen(name: string): Promise<Watched> {
  return page.evaluate(`(async () => {
    const { pc, frames, results, heard, channel } = viewers['${name}'];
    let audioEnergy = 0, resent = 0;
    const codecs = [];
    for (const stat of (await pc.getStats()).values()) {
      if (stat.type === 'inbound-rtp') resent += stat.retransmittedPacketsReceived ?? 0;
      if (stat.type === 'inbound-rtp' && stat.kind === 'audio') audioEnergy = stat.totalAudioEnergy;
      if (stat.type === 'codec') codecs.push(stat.mimeType);
    }
    return { frames, results, heard, channel, audioEnergy, codecs, resent, state: pc.connectionState };
  })()`);
}

/** Waits until a viewer has seen so many pictures more. */
async function more(name: string, pictures: number): Promise<Watched> {
  const before = (await seen(name)).frames.length;
  try {
    await page.waitForFunction(`viewers['${name}'].frames.length >= ${before + pictures}`, undefined, {
      timeout: 60_000,
    });
  } catch (error) {
    const { frames, ...is } = await seen(name);
    throw new Error(`${frames.length} pictures: ${JSON.stringify(is).slice(0, 500)}`, { cause: error });
  }
  return seen(name);
}

const leave = (name: string) => page.evaluate(`fetch(viewers['${name}'].session, { method: 'DELETE' })`);

/** The UDP port of media, as a viewer was told it. */
async function mediaPort(name: string): Promise<number> {
  const sdp = await page.evaluate<string>(`viewers['${name}'].pc.remoteDescription.sdp`);
  return Number(/ udp \d+ [\d.]+ (\d+)/.exec(sdp)?.[1]);
}

/** What makes an answer lead through a relay: an expression over `sdp`. */
function through(port: number): string {
  return String.raw`sdp.replace(/( udp \d+ [\d.]+) \d+/g, '$1 ${port}').replace(/a=candidate:.* tcp .*\r\n/g, '')`;
}

/** Tasks of workers that work for a stream. */
async function tasks(stream: string): Promise<number> {
  const { workers } = await server.get<{ workers: { tasks: { affinity: string }[] }[] }>('/api/workers');
  return workers.flatMap((worker) => worker.tasks).filter(({ affinity }) => affinity === stream).length;
}

/** 25 pictures a second in ticks of 90 kHz, all with one offset: that of the publisher; those that have another. */
function outOfPlace(frames: readonly Frame[]): number[] {
  const offsets = frames.map(({ rtp, number }) => (rtp - number * 3600) | 0);
  // A page that is called late may find the next picture in the video already.
  const usual = offsets.toSorted((a, b) => a - b)[offsets.length >> 1]!;
  return offsets
    .map((offset) => offset - usual)
    .filter((off) => off > 0 || off % 3600 !== 0 || off < -5 * 3600);
}

describe('B-frames and AAC over WebRTC', () => {
  it('play with picture and sound in step, every picture at its time, for two viewers from one rendition each', async () => {
    const clip = await barcodeClip({ seconds: 60, bframes: 2 });
    const gate = `gate-${attempts++}`;
    await using _publisher = publish(clip, `${server.rtsp}/${gate}`);
    await server.live(gate);
    await watch('one', gate);
    const first = await more('one', 50);
    expect(first.audioEnergy).toBeGreaterThan(0);
    expect(first.codecs.toSorted()).toEqual(expect.arrayContaining(['audio/opus', 'video/H264']));
    expect(outOfPlace(first.frames)).toEqual([]);
    await watch('two', gate);
    const second = await more('two', 50);
    expect(outOfPlace(second.frames)).toEqual([]);
    expect(second.audioEnergy).toBeGreaterThan(0);
    // One for the picture, one for the sound.
    expect(await tasks(gate)).toBe(2);

    const measured = await page.evaluate<{ skew: number; known: number }[]>(`(async () => {
      viewers.one.isProbed = true;
      await soundProbe.listen(viewers.one.media);
      const measured = [];
      for (const end = performance.now() + 40000; measured.length < ${BEEPS} && performance.now() < end; ) {
        soundProbe.reset();
        await new Promise((resolve) => setTimeout(resolve, 1200));
        const plays = {};
        for (const stat of (await viewers.one.pc.getStats()).values())
          if (stat.type === 'inbound-rtp') plays[stat.kind] = stat.estimatedPlayoutTimestamp;
        const known = plays.video - plays.audio;
        if (Number.isFinite(known)) for (const skew of soundProbe.skews()) measured.push({ skew, known });
      }
      return measured;
    })()`);
    // Flashes and beeps come once a second: the nearest ones may be each other's neighbours.
    const apart = (ms: number) => ms - Math.round(ms / 1000) * 1000;
    const off = measured.map(({ skew, known }) => apart(skew - known)).sort((x, y) => x - y);
    const shown = measured.map(({ skew, known }) => `${skew.toFixed(0)} (${known.toFixed(0)})`);
    console.info(`WebRTC: beep after flash, and as Chromium knows it: ${shown.join(', ')} ms`);
    expect(off.length).toBeGreaterThanOrEqual(BEEPS);
    expect(Math.abs(off[off.length >> 1]!)).toBeLessThanOrEqual(LARGEST_SKEW_MS);

    await leave('one');
    expect(await tasks(gate)).toBe(2);
    await leave('two');
    await eventually(async () => (await tasks(gate)) === 0);
  });

  it('go on for a viewer whose publisher had neither, without a new connection or a step back', async () => {
    const plain = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    const clip = await barcodeClip({ seconds: 60, bframes: 2 });
    await using _first = publish(plain, `${server.rtsp}/hall`);
    await server.live('hall');
    await watch('hall', 'hall');
    await more('hall', 25);
    await using _second = publish(clip, `${server.rtsp}/hall`);
    await eventually(async () => (await tasks('hall')) === 2);
    const after = await more('hall', 75);
    expect(after.state).toBe('connected');
    const steps = after.frames.slice(1).map(({ rtp }, i) => (rtp - after.frames[i]!.rtp) | 0);
    expect(steps.filter((step) => step < 0)).toEqual([]);
    await leave('hall');
  });
});

describe('results over a data channel', () => {
  it('come with the RTP time of their frame, and keep the algorithms at work while the viewer is there', async () => {
    const clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/yard`);
    await server.live('yard');
    expect((await server.runs())[0]?.leases ?? []).toEqual([]);
    await watch('yard', 'yard');
    await page.waitForFunction(`viewers.yard.results.length >= 20`, undefined, { timeout: 60_000 });
    const { frames, results, heard, channel } = await more('yard', 25);
    expect(channel).toBe('open');
    expect(heard.slice(0, 2)).toEqual(['hello', 'runs']);
    expect(await server.runs()).toMatchObject([{ algorithm: 'barcode', stream: 'yard', state: 'running' }]);
    const numbers = new Map(frames.map(({ rtp, number }) => [rtp, number]));
    const matched = results.filter(({ rtp }) => numbers.has(rtp));
    expect(matched.length).toBeGreaterThan(10);
    // A page that is called late may find the next picture in the video already, never one before.
    const late = matched.filter(({ rtp, number }) => numbers.get(rtp) !== number);
    expect(late.filter(({ rtp, number }) => (numbers.get(rtp) ?? 0) < number)).toEqual([]);
    expect(late.length).toBeLessThan(matched.length / 4);
    await page.evaluate(
      `viewers.yard.say({ type: 'release', algorithm: 'nothing' }), viewers.yard.say('nonsense')`,
    );
    await page.waitForFunction(`viewers.yard.heard.includes('error')`, undefined, { timeout: 20_000 });
    await leave('yard');
    await eventually(async () => (await server.runs()).length === 0, 20_000);
    // The page learns at once that the connection is over.
    await page.waitForFunction(`viewers.yard.channel === 'closed'`, undefined, { timeout: 20_000 });
  });
});

describe('a viewer over a network that loses packets', () => {
  it('is sent them again as what they are, and goes on', async () => {
    const clip = await barcodeClip({ seconds: 60, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/lossy`);
    await server.live('lossy');
    await watch('direct', 'lossy');
    await leave('direct');
    const weather = { loss: 0.08, reorder: 0.02, seed: 3 };
    await using relay = await lossyUdpRelay(await mediaPort('direct'), weather);
    await watch('lossy', 'lossy', through(relay.port));
    const { resent } = await more('lossy', 100);
    expect(resent).toBeGreaterThan(0);
    await leave('lossy');
  });

  it('sees the picture again long before the next keyframe after it lost more than is sent again', async () => {
    const clip = await barcodeClip({ seconds: 60, gop: 1500, audio: 'opus', container: 'mkv' });
    await using _publisher = publish(clip, `${server.rtsp}/rare`);
    await server.live('rare');
    await watch('direct', 'rare');
    await leave('direct');
    const weather = { loss: 0, reorder: 0, seed: 3 };
    await using relay = await lossyUdpRelay(await mediaPort('direct'), weather);
    await watch('rare', 'rare', through(relay.port));
    const { frames } = await more('rare', 50);
    weather.loss = 1;
    const { lost } = relay.counters;
    await eventually(() => relay.counters.lost > lost + 600, 60_000);
    weather.loss = 0;
    const began = performance.now();
    const after = await more('rare', 50);
    console.info(`WebRTC: 50 pictures ${((performance.now() - began) / 1000).toFixed(1)} s after a hole`);
    expect(outOfPlace(after.frames.slice(-25))).toEqual([]);
    // The only keyframe is the first picture of the clip: without it all would be black until that is over.
    expect(after.frames.at(-1)!.number).toBeGreaterThan(frames.at(-1)!.number);
    await leave('rare');
  });

  it('goes wrong for nobody', () => {
    expect(browser.errors).toEqual([]);
  });
});
