import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delays, HASH_OUTPUT, type HashedFrame, hashFile, parseFrameHashes } from '../support/frames.ts';
import { barcodeClip } from '../support/media.ts';
import { type RunningProgram, run, start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';
import { MseViewer, RtspViewer } from '../support/viewers.ts';

/**
 * Every way in against every way out, with ffmpeg at both ends. Pictures and sound are recognised by their hashes, so
 * where sound stands against the picture is known to the frame. (Chromium's doors are in test/browser/door-matrix.)
 */

const SECONDS = 8;
/** So much each reader takes: 5 s. */
const PICTURES = 125;
const SOUNDS = 235;
/** Sound and picture this far apart, in ms, are not yet noticed by anybody. */
const LARGEST_SKEW_MS = 40;

let server: TestSluice;
let clip: string;
let source: HashedFrame[];

const publishers = {
  'RTSP over TCP': (name: string) => ['-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/${name}`],
  'RTSP over UDP': (name: string) => ['-f', 'rtsp', '-rtsp_transport', 'udp', `${server.rtsp}/${name}`],
  RTMP: (name: string) => ['-f', 'flv', `${server.server.addresses.rtmp}/${name}`],
};

/** What ffmpeg is told to read. */
const readers = {
  'RTSP over TCP': (name: string) => ['-rtsp_transport', 'tcp', '-i', `${server.rtsp}/${name}`],
  'RTSP over UDP': (name: string) => ['-rtsp_transport', 'udp', '-i', `${server.rtsp}/${name}`],
  RTMP: (name: string) => ['-i', `${server.server.addresses.rtmp}/${name}`],
  'HTTP-FLV': (name: string) => ['-i', `${server.http}/${name}/live.flv`],
  HLS: (name: string) => ['-i', `${server.http}/${name}/index.m3u8`],
};

beforeAll(async () => {
  clip = await barcodeClip({ seconds: SECONDS, gop: 25 });
  source = await hashFile(clip);
  server = await sluice('demo: false');
});
afterAll(() => server[Symbol.asyncDispose]());

function publish(output: readonly string[]): RunningProgram {
  const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy'];
  return start('ffmpeg', [...input, ...output], 100_000);
}

/** Distance of two delays, ms; whole passes of the looped clip do not count. */
function apart(delay: number, reference: number): number {
  const loop = SECONDS * 1000;
  const rest = (((delay - reference) % loop) + loop) % loop;
  return Math.min(rest, loop - rest);
}

interface Cell {
  readonly pictures: number;
  readonly sounds: number;
  /** Largest distance of a picture or a sound from where the first picture says that it belongs, ms. */
  readonly skew: number;
  readonly backward: number;
  readonly complaints: string;
}

/** What one reader gets. */
async function read(input: readonly string[]): Promise<Cell> {
  // Counted, not timed: HLS has the stream's own times, which may be far from 0.
  const amount = ['-frames:v', String(PICTURES), '-frames:a', String(SOUNDS)];
  const args = ['-v', 'error', '-copyts', ...input, ...amount, ...HASH_OUTPUT];
  const { stdout, stderr } = await run('ffmpeg', args);
  const received = parseFrameHashes(stdout);
  const [pictures, sounds] = [delays(source, received, 'video'), delays(source, received, 'audio')];
  const reference = pictures[0] ?? Number.NaN;
  const stepsBack = (kind: 'video' | 'audio') => {
    const times = received.filter((frame) => frame.kind === kind).map(({ time }) => time);
    return times.filter((time, i) => i > 0 && time <= times[i - 1]!).length;
  };
  return {
    pictures: pictures.length,
    sounds: sounds.length,
    skew: Math.max(...[...pictures, ...sounds].map((delay) => apart(delay, reference))),
    backward: stepsBack('video') + stepsBack('audio'),
    complaints: stderr,
  };
}

/** Resolves with the first bytes of a picture: the first tag of video (type 9) that is a coded picture. */
async function firstFlvPicture(url: string): Promise<void> {
  const { body } = await fetch(url);
  if (!body) throw new Error('HTTP-FLV answered without a body.');
  let bytes = Buffer.alloc(0);
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
    bytes = Buffer.concat([bytes, piece]);
    for (let at = 13; at + 13 < bytes.length; at += 15 + bytes.readUIntBE(at + 1, 3)) {
      // The second byte of the payload: 1 is a picture, 0 the parameter sets before it.
      if (bytes[at] === 9 && bytes[at + 12] === 1) return;
    }
  }
  throw new Error('HTTP-FLV ended before its first picture.');
}

/** Reads as a player begins: playlist, media playlist, initialisation segment, and the last segment in it. */
async function firstHlsPicture(base: string): Promise<void> {
  const get = async (address: string) => {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    return answer;
  };
  const index = await (await get(`${base}/index.m3u8`)).text();
  const media = new URL(/^hls\/.*$/m.exec(index)![0], `${base}/`);
  const lines = (await (await get(media.href)).text()).split('\n');
  const map = /URI="([^"]+)"/.exec(lines.findLast((line) => line.startsWith('#EXT-X-MAP:'))!)![1]!;
  const segment = lines.findLast((line) => line !== '' && !line.startsWith('#'))!;
  for (const file of [map, segment]) await (await get(new URL(file, media).href)).arrayBuffer();
}

/** What has a first picture, and how soon after the first request it has to be there, ms. */
const beginnings = {
  RTSP: {
    within: 1000,
    begin: async (name: string) => {
      await using viewer = await RtspViewer.open(`${server.rtsp}/${name}`);
      await eventually(() => viewer.keyframes.includes(true));
    },
  },
  MSE: {
    within: 1000,
    begin: async (name: string) => {
      await using viewer = await MseViewer.open(`${server.http.replace('http', 'ws')}/${name}/mse`);
      await eventually(() => viewer.pictures.length > 0);
    },
  },
  'HTTP-FLV': { within: 1000, begin: (name: string) => firstFlvPicture(`${server.http}/${name}/live.flv`) },
  HLS: { within: 3000, begin: (name: string) => firstHlsPicture(`${server.http}/${name}`) },
};

describe.each(Object.entries(publishers))('what ffmpeg publishes over %s', (way, output) => {
  const name = `matrix/${way.toLowerCase().replaceAll(' ', '-')}`;
  let publisher: RunningProgram;

  beforeAll(async () => {
    publisher = publish(output(name));
    await server.live(name);
  });
  afterAll(() => publisher[Symbol.asyncDispose]());

  // Programs look around for a second before they show anything: what is asked here is asked at the wire.
  test.each(Object.entries(beginnings))('has its first picture soon over %s', async (door, wish) => {
    const began = performance.now();
    await wish.begin(name);
    const ms = performance.now() - began;
    console.log(`${way} to ${door}: first picture after ${ms.toFixed(0)} ms`);
    expect(ms).toBeLessThan(wish.within);
  });

  test('is read whole and in step over every door', async () => {
    const cells = await Promise.all(
      Object.entries(readers).map(async ([door, input]) => [door, await read(input(name))] as const),
    );
    for (const [door, cell] of cells) {
      console.log(
        `${way} to ${door}: ${cell.pictures} pictures, ${cell.sounds} sounds, skew ${cell.skew.toFixed(2)} ms`,
      );
      expect(cell, door).toMatchObject({ complaints: '', backward: 0 });
      expect(cell.pictures, door).toBe(PICTURES);
      // It begins at the live edge, up to a second behind the picture, and ends with it.
      expect(cell.sounds, door).toBeGreaterThan(SOUNDS - 60);
      expect(cell.skew, door).toBeLessThanOrEqual(LARGEST_SKEW_MS);
    }
  });
});
