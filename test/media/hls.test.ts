import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PlaylistChecker } from '../support/hls-checker.ts';
import { barcodeClip } from '../support/media.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const run = promisify(execFile);
let server: TestSluice;
const publishers: ChildProcess[] = [];

beforeAll(async () => {
  server = await sluice('demo: false\n');
});
afterAll(async () => {
  for (const publisher of publishers) await stop(publisher);
  await server[Symbol.asyncDispose]();
});

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function publish(stream: string, clip: string): ChildProcess {
  const args = [
    '-re',
    '-stream_loop',
    '-1',
    '-i',
    clip,
    '-c',
    'copy',
    '-f',
    'rtsp',
    '-rtsp_transport',
    'tcp',
  ];
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', ...args, `${server.rtsp}/${stream}`], {
    stdio: 'ignore',
  });
  publishers.push(child);
  return child;
}

interface Packet {
  readonly codec_type: string;
  readonly pts_time: string;
  readonly dts_time: string;
}

/** The packets that ffprobe reads of a stream in so many seconds of media. */
async function packetsOf(stream: string, seconds: number): Promise<Packet[]> {
  const args = [
    '-v',
    'error',
    '-read_intervals',
    `%+${seconds}`,
    '-show_entries',
    'packet=codec_type,pts_time,dts_time',
  ];
  const { stdout } = await run('ffprobe', [...args, '-of', 'json', `${server.http}/${stream}/index.m3u8`], {
    timeout: 60_000,
    maxBuffer: 16 << 20,
  });
  return (JSON.parse(stdout) as { packets: Packet[] }).packets;
}

describe('HLS', () => {
  test('is read by ffprobe with sound and picture, whose times go forward', async () => {
    publish('camera', await barcodeClip({ seconds: 12, gop: 25 }));
    await server.live('camera');
    const packets = await packetsOf('camera', 4);
    for (const [kind, least] of [
      ['video', 75],
      ['audio', 140],
    ] as const) {
      const times = packets
        .filter(({ codec_type }) => codec_type === kind)
        .map(({ dts_time }) => Number(dts_time));
      expect(times.length, kind).toBeGreaterThan(least);
      expect(
        times.every((time, i) => i === 0 || time > times[i - 1]!),
        kind,
      ).toBe(true);
    }
  });

  test('keeps to the rules of RFC 8216bis in every playlist of a player of low latency', async () => {
    publish('strict', await barcodeClip({ seconds: 12, gop: 50 }));
    await server.live('strict');
    const index = await fetch(`${server.http}/strict/index.m3u8`);
    expect(index.status).toBe(200);
    const text = await index.text();
    expect(text).toMatch(/CODECS="avc1\.[0-9a-f]{6},mp4a\.40\.2",RESOLUTION=640x360,FRAME-RATE=25\.000/);
    const base = `${server.http}/strict/hls`;
    const checker = new PlaylistChecker();
    let playlist = checker.take(await (await fetch(`${base}/media.m3u8`)).text());
    for (let step = 0; step < 25; step++) {
      const last = playlist.segments.at(-1)!;
      const open = last.uri === undefined;
      const [sequence, part] = open ? [last.sequence, last.parts.length] : [last.sequence + 1, 0];
      const hinted = fetch(`${base}/${playlist.hint}`);
      const answer = await fetch(`${base}/media.m3u8?_HLS_msn=${sequence}&_HLS_part=${part}`);
      expect(answer.status).toBe(200);
      playlist = checker.take(await answer.text());
      const asked = playlist.segments.find((segment) => segment.sequence >= sequence);
      expect(asked?.parts.length).toBeGreaterThan(0);
      const bytes = Buffer.from(await (await hinted).arrayBuffer());
      expect(bytes.toString('latin1', 4, 8)).toBe('moof');
    }
    const whole = playlist.segments.findLast(({ uri }) => uri !== undefined)!;
    const segment = Buffer.from(await (await fetch(`${base}/${whole.uri}`)).arrayBuffer());
    const parts = await Promise.all(
      whole.parts.map(async ({ uri }) => Buffer.from(await (await fetch(`${base}/${uri}`)).arrayBuffer())),
    );
    expect(Buffer.concat(parts).equals(segment)).toBe(true);
  });

  test('turns the sound of a camera from G.711 into AAC', async () => {
    publish('g711', await barcodeClip({ seconds: 12, gop: 25, audio: 'pcma', container: 'mkv' }));
    await server.live('g711');
    await eventually(async () => {
      const index = await (await fetch(`${server.http}/g711/index.m3u8`)).text();
      return index.includes('mp4a.40.2');
    });
    const packets = await packetsOf('g711', 3);
    expect(new Set(packets.map(({ codec_type }) => codec_type))).toEqual(new Set(['video', 'audio']));
  });

  test('goes on when another publisher takes over with another codec, behind a discontinuity', async () => {
    const first = publish('turns', await barcodeClip({ seconds: 12, gop: 25 }));
    await server.live('turns');
    const checker = new PlaylistChecker();
    const base = `${server.http}/turns`;
    expect((await fetch(`${base}/index.m3u8`)).status).toBe(200);
    const look = async () => checker.take(await (await fetch(`${base}/hls/media.m3u8`)).text());
    const before = await look();
    await stop(first);
    publish('turns', await barcodeClip({ seconds: 12, gop: 25, video: 'h265' }));
    const after = await eventually(async () => {
      const playlist = await look();
      return playlist.segments.some(({ discontinuity, uri }) => discontinuity && uri) ? playlist : undefined;
    });
    const turn = after.segments.findIndex(({ discontinuity }) => discontinuity);
    expect(after.segments[turn]!.map).not.toBe(before.segments[0]!.map);
    const init = await (await fetch(`${base}/hls/${after.segments[turn]!.map}`)).arrayBuffer();
    expect(Buffer.from(init).includes('hvc1')).toBe(true);
  });
});
