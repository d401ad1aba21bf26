import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { delays, HASH_OUTPUT, hashFile, parseFrameHashes } from '../support/frames.ts';
import { barcodeClip } from '../support/media.ts';
import { run, start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const SECONDS = 8;
let server: TestSluice;
let path: string;

beforeAll(async () => {
  path = await barcodeClip({ seconds: SECONDS, gop: 25, bframes: 2 });
  server = await sluice('demo: false');
});
afterAll(() => server[Symbol.asyncDispose]());

function publish(name: string) {
  const to = `${server.server.addresses.rtmp}/${name}`;
  return start('ffmpeg', [
    '-v',
    'error',
    '-re',
    '-stream_loop',
    '-1',
    '-i',
    path,
    '-c',
    'copy',
    '-f',
    'flv',
    to,
  ]);
}

/** What ffmpeg reads, against what was published: the largest distance of sound and picture, ms. */
async function skewOf(input: readonly string[]): Promise<{ pictures: number; sounds: number; skew: number }> {
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-copyts', ...input, '-t', '5', ...HASH_OUTPUT]);
  const received = parseFrameHashes(stdout);
  const source = await hashFile(path);
  const loop = SECONDS * 1000;
  const pictures = delays(source, received, 'video');
  const sounds = delays(source, received, 'audio');
  const reference = pictures[0]!;
  const apart = (delay: number) => {
    const rest = (((delay - reference) % loop) + loop) % loop;
    return Math.min(rest, loop - rest);
  };
  const skew = Math.max(...[...pictures, ...sounds].map(apart));
  return { pictures: pictures.length, sounds: sounds.length, skew };
}

describe('what ffmpeg publishes over RTMP', () => {
  test.each([
    ['RTMP', () => ['-i', `${server.server.addresses.rtmp}/yard/gate-1`]],
    ['HTTP-FLV', () => ['-i', `${server.http}/yard/gate-1/live.flv`]],
    ['RTSP', () => ['-rtsp_transport', 'tcp', '-i', `${server.rtsp}/yard/gate-1`]],
  ] as const)('is read over %s with B-frames, sound and picture in step', async (door, input) => {
    await using _publisher = publish('yard/gate-1');
    await server.live('yard/gate-1');
    const seen = await skewOf(input());
    console.log(`RTMP to ${door}:`, seen);
    expect(seen.pictures).toBeGreaterThan(80);
    expect(seen.sounds).toBeGreaterThan(120);
    expect(seen.skew).toBeLessThanOrEqual(40);
  });

  test('may have a name of one segment, which ffmpeg sends as the application alone', async () => {
    await using _publisher = publish('live');
    await server.live('live');
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
      `${server.server.addresses.rtmp}/live`,
    ]);
    expect(stdout.trim().split(/\s+/).sort()).toEqual(['aac', 'h264']);
  });
});

test('GStreamer publishes and reads over RTMP', async () => {
  const { rtmp } = server.server.addresses;
  const pipeline = (text: string) => text.split(' ');
  await using _publisher = start('gst-launch-1.0', [
    '-q',
    ...pipeline('videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1'),
    ...pipeline('! x264enc tune=zerolatency key-int-max=25 ! h264parse ! flvmux streamable=true'),
    ...pipeline(`! rtmp2sink location=${rtmp}/gst/cam`),
  ]);
  await server.live('gst/cam');
  const read = pipeline(`rtmp2src location=${rtmp}/gst/cam ! flvdemux ! h264parse ! fakesink num-buffers=50`);
  expect(await run('gst-launch-1.0', ['-q', ...read])).toMatchObject({ code: 0 });
});

test('readers over RTMP and HTTP-FLV go on with the next publisher, and their timestamps with them', async () => {
  const first = publish('again');
  await server.live('again');
  const { rtmp } = server.server.addresses;
  const reader = (input: string) =>
    run('ffprobe', [
      ...['-v', 'error', '-select_streams', 'v', '-read_intervals', '%+8'],
      ...['-show_entries', 'packet=dts_time', '-of', 'csv=p=0', input],
    ]);
  const reading = Promise.all([reader(`${rtmp}/again`), reader(`${server.http}/again/live.flv`)]);
  await eventually(async () => {
    const { readers } = await server.get<{ readers: unknown[] }>('/api/streams/again');
    return readers.length === 2;
  });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await first[Symbol.asyncDispose]();
  await using _second = publish('again');
  for (const { stdout } of await reading) {
    // Lines without a number belong to side data.
    const times = stdout.split('\n').map(Number.parseFloat).filter(Number.isFinite);
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(6);
    expect(times.filter((time, i) => i > 0 && !(time > times[i - 1]!))).toEqual([]);
  }
});

test('HTTP-FLV says why not, answers HEAD, and lets pages of other origins read', async () => {
  const missing = await fetch(`${server.http}/nobody/live.flv`);
  expect(missing.status).toBe(404);
  expect(await missing.json()).toMatchObject({ error: { code: 'STREAM_NOT_FOUND' } });
  await using _publisher = publish('headed');
  await server.live('headed');
  const head = await fetch(`${server.http}/headed/live.flv`, { method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(head.headers.get('content-type')).toBe('video/x-flv');
  expect(head.headers.get('cache-control')).toBe('no-store');
});

test('FLV comes over WebSocket as it does over HTTP, each tag whole, and a missing stream is refused', async () => {
  await using _publisher = publish('socket');
  await server.live('socket');
  const address = `${server.http.replace('http', 'ws')}/socket/live.flv`;
  const client = new WebSocket(address, { perMessageDeflate: false });
  const messages: Buffer[] = [];
  const enough = new Promise<void>((resolve) => {
    client.on('message', (data: Buffer) => {
      if (messages.push(data) === 30) resolve();
    });
  });
  await enough;
  expect(messages[0]!.subarray(0, 3).toString()).toBe('FLV');
  const tags = Buffer.concat(messages.slice(1, 30));
  const types = new Set<number>();
  let at = 0;
  while (at < tags.length) {
    const size = tags.readUIntBE(at + 1, 3);
    types.add(tags[at]!);
    expect(tags.readUInt32BE(at + 11 + size)).toBe(11 + size);
    at += 15 + size;
  }
  expect(at).toBe(tags.length);
  expect(types).toEqual(new Set([18, 9, 8]));
  client.close();
  const missing = new WebSocket(address.replace('socket/', 'nobody/'));
  const [error] = (await once(missing, 'error')) as [Error];
  expect(error.message).toContain('404');
});
