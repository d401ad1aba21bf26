import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createClient } from '@redis/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Result } from '#algorithms/contract.ts';
import { colourOf } from '#algorithms/overlay/palette.ts';
import type { FrameMessage } from '../../src/api/frames-socket.ts';
import { readBarcode } from '../support/algorithms/barcode/read.ts';
import { barcodeClip } from '../support/media.ts';
import { runBytes, start } from '../support/process.ts';
import { redisServer, subscriber, type TestRedis } from '../support/redis.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const PASSWORD = 'p@ss/word%';
const algorithms = fileURLToPath(new URL('../support/algorithms', import.meta.url));
const SECONDS = 4;
/** Of the stream `cam`, as an older front end knows it. */
const CHANNEL = 'rtsp://10.0.0.5:8554/cam/barcode';
const RUN = 'barcode@cam';

let redis: TestRedis;
let server: TestSluice;
let clip: string;

const address = (password = PASSWORD) => `redis://:${encodeURIComponent(password)}@127.0.0.1:${redis.port}`;

const configuration = (password = PASSWORD) => `
demo: false
algorithms: { folders: [${JSON.stringify(algorithms)}] }
redis: { url: '${address(password)}', channel: 'rtsp://10.0.0.5:8554/{stream}/{algorithm}' }
streams:
  cam: { source: ${clip}, detect: [{ algorithm: barcode, frames: { quality: 90, boxes: false } }] }
  boxed: { source: ${clip}, detect: [{ algorithm: barcode, frames: { width: 320 } }] }
  kept: { source: ${clip}, detect: [{ algorithm: barcode, parameters: { fps: 5 }, frames: { channel: 'kept {stream}', keepSeconds: 60 } }] }
`;

beforeAll(async () => {
  clip = await barcodeClip({ seconds: SECONDS, gop: 25, audio: 'none' });
  redis = await redisServer(
    ...['--requirepass', PASSWORD],
    // A subscriber that takes nothing is given up soon.
    ...['--client-output-buffer-limit', 'pubsub 1mb 1mb 5'],
  );
  server = await sluice(configuration());
  for (const stream of ['cam', 'boxed', 'kept']) await server.live(stream);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

interface RunView {
  readonly id: string;
  readonly statistics: { readonly inferred: number; readonly frames: { readonly made: number } };
  readonly frames?: { readonly channel: string; readonly subscribers: number; readonly published: number };
}

const runOf = async (id: string) =>
  (await server.get<{ runs: RunView[] }>('/api/runs')).runs.find((run) => run.id === id);

/** Resolves when a run has looked at so many pictures more, as its worker says. */
async function looksOn(id: string, more: number): Promise<RunView> {
  const before = (await runOf(id))!.statistics.inferred;
  return eventually(async () => {
    const run = await runOf(id);
    return run && run.statistics.inferred >= before + more ? run : undefined;
  }, 60_000);
}

async function decoded(
  jpeg: Buffer,
  width: number,
  height: number,
  pixels: 'gray' | 'rgb24',
): Promise<Buffer> {
  const args = ['-v', 'error', '-f', 'jpeg_pipe', '-i', 'pipe:0', '-pix_fmt', pixels, '-f', 'rawvideo', '-'];
  const data = await runBytes('ffmpeg', args, jpeg);
  expect(data.length).toBe(width * height * (pixels === 'gray' ? 1 : 3));
  return data;
}

/** The number in the barcode of a JPEG of 640 × 360, as another program decodes it. */
async function numberIn(jpeg: Buffer): Promise<number | undefined> {
  return readBarcode({ width: 640, height: 360, data: await decoded(jpeg, 640, 360, 'gray') });
}

/** A page at the door for frames. */
async function page(path: string) {
  const socket = new WebSocket(`${server.http.replace('http', 'ws')}${path}`, { perMessageDeflate: false });
  const frames: { about: FrameMessage; jpeg: Buffer }[] = [];
  let about: FrameMessage | undefined;
  socket.on('message', (data: Buffer, binary) => {
    if (binary && about) frames.push({ about, jpeg: data });
    else about = JSON.parse(data.toString()) as FrameMessage;
  });
  await once(socket, 'open');
  return {
    frames,
    socket,
    until: (count: number) => eventually(() => frames.length >= count, 60_000),
    async [Symbol.asyncDispose]() {
      socket.terminate();
    },
  };
}

describe('frames on Redis', () => {
  test('redis-cli that subscribes makes the algorithm work and gets what it looked at; nothing is made before and after', async () => {
    expect(await runOf(RUN)).toBeUndefined();
    // Of `redis-cli`, as people try it: three lines for each message.
    const cli = start('redis-cli', ['-p', String(redis.port), '-a', PASSWORD, 'SUBSCRIBE', CHANNEL], 100_000);
    const messages = () => cli.stdout.split('\n').filter((line) => line.startsWith('/9j/'));
    await eventually(() => messages().length >= 5, 60_000);
    const number = await numberIn(Buffer.from(messages()[3]!, 'base64'));
    expect(number).toBeTypeOf('number');
    // The API holds the run as well, so that it goes on when the subscriber is gone.
    await server.post('/api/runs', { stream: 'cam', algorithm: 'barcode' });
    const watched = await eventually(async () => {
      const run = await runOf(RUN);
      return run?.frames?.subscribers === 1 && run.statistics.frames.made > 0 ? run : undefined;
    });
    expect(watched.frames).toMatchObject({ channel: CHANNEL, quality: 90, boxes: false });
    await cli.stop();
    await eventually(async () => (await runOf(RUN))?.frames?.subscribers === 0);
    // What was under way has left, and the worker has told its counters.
    const { statistics } = await looksOn(RUN, 50);
    const later = await looksOn(RUN, 50);
    expect(later.statistics.frames).toEqual(statistics.frames);
    expect(await server.remove(`/api/runs/${RUN}`)).toBe(204);
  });

  test('the run of a subscriber ends with it, and its results are on a channel of their own', async () => {
    {
      await using results = await subscriber(address(), `${CHANNEL}:results`);
      await results.until(3);
      const { stream, algorithm, pts, state } = JSON.parse(results.messages[2]!) as Result;
      expect({ stream, algorithm }).toEqual({ stream: 'cam', algorithm: 'barcode' });
      expect(state).toEqual({ number: Math.round(pts / 3600) % (SECONDS * 25) });
      // Who wants results alone costs no pictures.
      expect((await looksOn(RUN, 30)).statistics.frames.made).toBe(0);
    }
    await eventually(async () => !(await runOf(RUN)), 30_000);
  });

  test('a subscriber that takes nothing holds up nobody, and Redis gives it up', async () => {
    const slow = connect(redis.port, '127.0.0.1');
    slow.on('error', () => {});
    slow.write(`AUTH ${PASSWORD}\r\nSUBSCRIBE ${CHANNEL}\r\n`);
    await once(slow, 'data');
    slow.pause();
    await using quick = await subscriber(address(), CHANNEL);
    const admin = createClient({ url: address() });
    await admin.connect();
    const count = async () => Number((await admin.pubSubNumSub([CHANNEL]))[CHANNEL]);
    expect(await count()).toBe(2);
    await eventually(async () => (await count()) === 1, 90_000);
    const before = quick.messages.length;
    expect(before).toBeGreaterThan(0);
    await quick.until(before + 10);
    admin.destroy();
    slow.destroy();
  });

  test('Redis that is killed takes nothing along: pages go on, nothing is made for it, and it is found again', async () => {
    await using viewer = await page('/boxed/frames');
    await using before = await subscriber(address(), CHANNEL);
    await before.until(2);
    await redis.crash();
    const health = await eventually(async () => {
      const now = await server.get<{
        status: string;
        redis: { state: string; code?: string; reason?: string };
      }>('/api/health');
      return now.redis.code ? now : undefined;
    });
    expect(health).toMatchObject({
      status: 'degraded',
      redis: { state: 'waiting', code: 'REDIS_UNREACHABLE' },
    });
    expect(JSON.stringify(health)).not.toContain('word');
    await eventually(async () => !(await runOf(RUN)), 30_000);
    await viewer.until(viewer.frames.length + 5);
    await redis.start();
    await using after = await subscriber(address(), CHANNEL);
    await after.until(3);
    expect(await server.get('/api/health')).toMatchObject({ redis: { state: 'connected' } });
  });

  test('the newest picture is kept under the name of the channel for front ends that ask for it', async () => {
    await server.post('/api/runs', { stream: 'kept', algorithm: 'barcode' });
    const admin = createClient({ url: address() });
    await admin.connect();
    const text = await eventually(() => admin.get('kept kept'), 60_000);
    expect(await numberIn(Buffer.from(text, 'base64'))).toBeTypeOf('number');
    expect(await admin.ttl('kept kept')).toBeGreaterThan(40);
    await eventually(async () => (await admin.get('kept kept')) !== text);
    await server.remove('/api/runs/barcode@kept');
    admin.destroy();
  });

  test('a password that is wrong is said by name and without it, and a right one goes at once', async () => {
    const wrong = await server.rewrite(configuration('wr0ng-one'));
    expect(wrong.configuration.error).toBeUndefined();
    const redisOf = async () =>
      (
        await server.get<{ redis: { state: string; address: string; code?: string; reason?: string } }>(
          '/api/health',
        )
      ).redis;
    const refused = await eventually(async () => {
      const now = await redisOf();
      return now.code ? now : undefined;
    });
    expect(refused).toMatchObject({ state: 'waiting', code: 'REDIS_LOGIN_REFUSED' });
    expect(refused.address).toBe(`redis://127.0.0.1:${redis.port}`);
    expect(refused.reason).toMatch(/refuses the user or the password of "redis.url" \(WRONGPASS/);
    expect(JSON.stringify(await server.get('/api/health'))).not.toMatch(/wr0ng|p@ss|p%40ss/);
    await server.rewrite(configuration());
    await eventually(async () => (await redisOf()).state === 'connected');
  });
});

describe('frames for pages', () => {
  test('are the very pictures that were looked at, by their timestamps', async () => {
    await using viewer = await page('/cam/frames');
    await viewer.until(12);
    for (const { about, jpeg } of viewer.frames.slice(0, 12)) {
      expect(about).toMatchObject({ type: 'frame', run: RUN, stream: 'cam', algorithm: 'barcode' });
      expect(await numberIn(jpeg)).toBe(Math.round(about.pts / 3600) % (SECONDS * 25));
    }
    const times = viewer.frames.map(({ about }) => about.pts);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('have the boxes drawn on them that were found on them, at the size that was asked for', async () => {
    await using viewer = await page('/boxed/frames?algorithm=barcode');
    await viewer.until(4);
    const { about, jpeg } = viewer.frames[3]!;
    expect(about).toMatchObject({ width: 320, height: 180 });
    const rgb = await decoded(jpeg, 320, 180, 'rgb24');
    const number = Math.round(about.pts / 3600) % (SECONDS * 25);
    const at = (x: number, y: number) => [...rgb.subarray((y * 320 + x) * 3, (y * 320 + x) * 3 + 3)];
    const ink = colourOf('barcode');
    const wanted = [1, 3, 5].map((from) => Number.parseInt(ink.slice(from, from + 2), 16));
    const off = (x: number) => Math.max(...at(x, 72).map((value, n) => Math.abs(value - wanted[n]!)));
    // Chroma is known for two by two pixels only, so the edges of a line are not as its middle.
    const left = Math.round((0.05 + (number % 100) / 200) * 320);
    expect(Math.min(...[-1, 0, 1].map((by) => off(left + by)))).toBeLessThan(60);
    expect(off(left + 30)).toBeGreaterThan(60);
  });

  test('one can be had by the API, made for that where nobody looks', async () => {
    expect((await fetch(`${server.http}/api/runs/nobody@cam/frame.jpg`)).status).toBe(404);
    await server.post('/api/runs', { stream: 'cam', algorithm: 'barcode' });
    const answer = await fetch(`${server.http}/api/runs/${RUN}/frame.jpg`);
    expect(answer.headers.get('content-type')).toBe('image/jpeg');
    const pts = Number(answer.headers.get('x-pts'));
    expect(await numberIn(Buffer.from(await answer.arrayBuffer()))).toBe(
      Math.round(pts / 3600) % (SECONDS * 25),
    );
    const made = (await looksOn(RUN, 50)).statistics.frames.made;
    expect((await looksOn(RUN, 50)).statistics.frames.made).toBe(made);
    expect(await server.remove(`/api/runs/${RUN}`)).toBe(204);
  });
});
