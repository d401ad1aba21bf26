import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FakeHub, type PublishedUnit } from '../support/fake-hub.ts';
import { barcodeClip } from '../support/media.ts';
import { type RunningProgram, run, start } from '../support/process.ts';
import { eventually, sluice } from '../support/sluice.ts';

let folder: string;
let clip: string;
const running: RunningProgram[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-sources-'));
  clip = await barcodeClip({ seconds: 4, gop: 25 });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((program) => program.stop()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ofTrack = (hub: FakeHub, id: number): PublishedUnit[] =>
  hub.units.filter(({ trackId }) => trackId === id);

/** How far sound and picture are apart by their capture times from what their timestamps say, ms. */
function apart(hub: FakeHub): number {
  const [video, audio] = hub.publications[0]!.tracks;
  const origin = (unit: PublishedUnit, rate: number) => unit.ntp - (unit.pts / rate) * 1000;
  const last = (id: number) => ofTrack(hub, id).at(-1)!;
  return Math.abs(origin(last(0), video!.clockRate) - origin(last(1), audio!.clockRate));
}

/** A web server of the test's own; gives its address. */
async function web(answer: Parameters<typeof createServer>[1] & {}): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** ffmpeg sends the clip over and over at real-time pace. */
function send(...output: string[]): void {
  const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy'];
  running.push(start('ffmpeg', [...input, ...output], 60_000));
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

describe('the test picture', () => {
  it('moves at 25 pictures a second with a keyframe every two, and beeps in step with its clock', async () => {
    await using hub = await FakeHub.start();
    const task = hub.task({ kind: 'test-source', stream: 'test' });
    await hub.until(() => ofTrack(hub, 0).length >= 60, 'sixty pictures');
    hub.stop(task);
    await hub.state(task, 'done');
    const video = ofTrack(hub, 0);
    expect(new Set(video.slice(1).map(({ pts }, n) => pts - video[n]!.pts))).toEqual(new Set([3600]));
    expect(video.flatMap(({ keyframe }, n) => (keyframe ? [n] : []))).toEqual([0, 50]);
    expect(video[0]!.payload.map((nal) => nal[0]! & 0x1f)).toEqual([7, 8, 5]);
    const audio = ofTrack(hub, 1);
    expect(new Set(audio.slice(1).map(({ pts }, n) => pts - audio[n]!.pts))).toEqual(new Set([1024]));
    expect(apart(hub)).toBeLessThan(0.01);
  });

  it('is what any player can decode', async () => {
    await using server = await sluice('demo: false\nstreams: { test: { source: testsrc } }');
    await server.live('test');
    const args = ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/test`, '-t', '1.5'];
    const played = await run('ffmpeg', [...args, '-f', 'null', '-']);
    expect(played).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('a picture', () => {
  it.each(['jpg', 'png'])('as %s stands still as video of five pictures a second', async (kind) => {
    const path = join(folder, `still.${kind}`);
    const made = [
      '-v',
      'error',
      '-y',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=640x360',
      '-vf',
      'scale=321:181',
      '-frames:v',
      '1',
      path,
    ];
    expect((await run('ffmpeg', made)).stderr).toBe('');
    await using server = await sluice(`demo: false\nstreams: { still: { source: ${path} } }`);
    await server.live('still');
    // Over the seam between two groups of pictures, all of which show the same.
    const args = ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/still`, '-frames:v', '14'];
    const played = await run('ffmpeg', [...args, '-vf', 'scale=8:8,format=gray', '-f', 'framemd5', '-']);
    expect(played).toMatchObject({ code: 0, stderr: '' });
    const lines = played.stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines).toHaveLength(14);
    const asked = [
      '-v',
      'error',
      '-rtsp_transport',
      'tcp',
      '-show_entries',
      'packet=flags',
      '-of',
      'csv=p=0',
    ];
    const packets = await run('ffprobe', [...asked, '-read_intervals', '%+#20', `${server.rtsp}/still`]);
    expect(packets.stdout.split('\n').filter((flags) => flags.startsWith('K'))).toHaveLength(2);
    const { tracks } = await server.get<{ tracks: object[] }>('/api/streams/still');
    expect(tracks).toMatchObject([{ codec: 'h264', width: 322, height: 182 }]);
  });

  it('that is none is refused in a sentence', async () => {
    await using hub = await FakeHub.start();
    const path = join(folder, 'none.jpg');
    await run('cp', ['/etc/hostname', path]);
    const task = hub.task({ kind: 'file-source', stream: 'none', path, loop: true });
    expect(await hub.state(task, 'failed')).toMatchObject({
      code: 'INPUT_UNREADABLE',
      reason: expect.stringContaining('none.jpg'),
    });
  });
});

describe('a folder', () => {
  it('plays its files in the order of their names, over and over, without a seam, and leaves a broken one out', async () => {
    const films = await mkdtemp(join(folder, 'films-'));
    const two = await barcodeClip({ seconds: 2, gop: 25 });
    await run('cp', [two, join(films, '2.mp4')]);
    await run('ffmpeg', ['-v', 'error', '-i', two, '-t', '1', '-c', 'copy', join(films, '1.ts')]);
    await run('cp', ['/etc/hostname', join(films, '3.mp4')]);
    await run('cp', ['/etc/hostname', join(films, 'notes.txt')]);
    await using hub = await FakeHub.start();
    const task = hub.task({ kind: 'file-source', stream: 'films', path: films, loop: true });
    await hub.until(() => ofTrack(hub, 0).length >= 130, 'more than one pass', 30_000);
    hub.stop(task);
    await hub.state(task, 'done');
    const video = ofTrack(hub, 0);
    expect(new Set(video.slice(1).map(({ pts }, n) => pts - video[n]!.pts))).toEqual(new Set([3600]));
    // One publication for all, and a keyframe where a file begins: after 25 pictures, and again after 50 more.
    expect(new Set(hub.publications.map(({ publication }) => publication)).size).toBe(1);
    for (const n of [0, 25, 50, 75, 100]) expect(video[n]!.keyframe, `picture ${n}`).toBe(true);
    const audio = ofTrack(hub, 1).map(({ pts }) => pts);
    const steps = audio.slice(1).map((pts, n) => pts - audio[n]!);
    expect(Math.min(...steps)).toBeGreaterThan(0);
    expect(Math.max(...steps)).toBeLessThan(4 * 1024);
    expect(apart(hub)).toBeLessThan(0.1);
    const left = hub.all('log').filter(({ message }) => message.includes('left out'));
    expect(left.map(({ message }) => message.slice(0, 7))).toEqual(left.map(() => '"3.mp4"'));
    expect(left.length).toBeGreaterThan(0);
  });

  it('without a media file is refused in a sentence', async () => {
    const empty = await mkdtemp(join(folder, 'empty-'));
    await using hub = await FakeHub.start();
    const task = hub.task({ kind: 'file-source', stream: 'none', path: empty, loop: true });
    expect(await hub.state(task, 'failed')).toMatchObject({ code: 'INPUT_MISSING' });
  });
});

describe('a live stream that FFmpeg takes in', () => {
  /** Waits for three seconds of it, and looks whether it is what was sent. */
  async function expectClip(hub: FakeHub, url: string): Promise<void> {
    const task = hub.task({ kind: 'network-source', stream: 'cam', url });
    await hub.until(
      () => ofTrack(hub, 0).length >= 75 && ofTrack(hub, 1).length >= 100,
      `media of ${url}`,
      30_000,
    );
    const video = ofTrack(hub, 0);
    expect(video.slice(1).every(({ dts }, n) => dts > video[n]!.dts)).toBe(true);
    const steps = video.slice(1).map(({ pts }, n) => pts - video[n]!.pts);
    // Where the sender's clip begins anew, its picture waits for the end of the sound: less than a frame of AAC.
    const seams = steps.filter((step) => Math.abs(step - 3600) > 90);
    expect(seams.length).toBeLessThanOrEqual(1);
    for (const step of seams) expect(step - 3600).toBeLessThanOrEqual((1024 * 90_000) / 44_100);
    for (const step of seams) expect(step).toBeGreaterThan(3600);
    // The mapping to the wall clock may still be settling between the two: by less than a picture lasts.
    expect(apart(hub)).toBeLessThan(40);
    for (const { keyframe, payload } of video.slice(0, 50))
      if (keyframe) expect(payload.slice(0, 2).map((nal) => nal[0]! & 0x1f)).toEqual([7, 8]);
    hub.stop(task);
    await hub.state(task, 'done');
  }

  it.each([
    ['HTTP-FLV', 'flv'],
    ['MPEG-TS over HTTP', 'mpegts'],
  ])('keeps its timestamps and its sound in step: %s', async (_, format) => {
    const address = await web((_request, response) => {
      const args = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy', '-f', format, '-'];
      const sender = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'ignore'] });
      response.on('close', () => sender.kill('SIGKILL'));
      sender.stdout.pipe(response);
    });
    await using hub = await FakeHub.start();
    await expectClip(hub, `${address}/live`);
  });

  it('keeps its timestamps and its sound in step: HLS', async () => {
    send('-f', 'hls', '-hls_time', '1', '-hls_list_size', '4', join(folder, 'index.m3u8'));
    const address = await web((request, response) => {
      const file = createReadStream(join(folder, new URL(request.url ?? '/', 'http://x').pathname));
      file.on('error', () => response.writeHead(404).end());
      file.pipe(response);
    });
    await eventually(async () => (await fetch(`${address}/index.m3u8`)).ok);
    await using hub = await FakeHub.start();
    await expectClip(hub, `${address}/index.m3u8`);
  });

  it('keeps its timestamps and its sound in step: MPEG-TS over UDP', async () => {
    const port = await freeUdpPort();
    send('-f', 'mpegts', `udp://127.0.0.1:${port}?pkt_size=1316`);
    await using hub = await FakeHub.start();
    await expectClip(hub, `udp://127.0.0.1:${port}`);
  });

  it('keeps its timestamps and its sound in step: SRT', async () => {
    const port = await freeUdpPort();
    send('-f', 'mpegts', `srt://127.0.0.1:${port}?mode=listener`);
    await using hub = await FakeHub.start();
    await expectClip(hub, `srt://127.0.0.1:${port}`);
  });

  it('fails by its name when there is nobody, without its password, and goes on when there is', async () => {
    let there = false;
    const address = await web((_request, response) => {
      if (!there) return void response.writeHead(503).end();
      const args = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy', '-f', 'flv', '-'];
      const sender = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'ignore'] });
      response.on('close', () => sender.kill('SIGKILL'));
      sender.stdout.pipe(response);
    });
    const url = address.replace('://', '://me:hidden@');
    await using server = await sluice(
      `demo: false\nstreams: { cam: { source: "${url}/live.flv", onDemand: false } }`,
    );
    const source = async () =>
      (await server.get<{ source: Record<string, string> }>('/api/streams/cam')).source;
    const failed = await eventually(async () => ((await source())['code'] ? await source() : undefined));
    expect(failed).toMatchObject({ code: 'INPUT_UNREACHABLE', address: `${address}/live.flv` });
    expect(JSON.stringify(failed)).not.toContain('hidden');
    there = true;
    await server.live('cam');
  });

  it('may not name a file of this machine in a playlist', async () => {
    const address = await web((_request, response) => {
      response.end(`#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://${clip}\n#EXT-X-ENDLIST\n`);
    });
    await using hub = await FakeHub.start();
    const task = hub.task({ kind: 'network-source', stream: 'cam', url: `${address}/index.m3u8` });
    expect(await hub.state(task, 'failed')).toMatchObject({ code: 'INPUT_UNREACHABLE' });
    expect(hub.units).toEqual([]);
  });
});
