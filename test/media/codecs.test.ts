import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseVp9Frame } from '#codecs/vp9.ts';
import { readBarcode } from '../support/algorithms/barcode/read.ts';
import { BARCODE_FLASH, beepDelays, readMarks } from '../support/av-marks.ts';
import type { PacketReport } from '../support/ffmpeg8.ts';
import { delays, HASH_OUTPUT, hashFile, parseFrameHashes } from '../support/frames.ts';
import { type BarcodeClipOptions, barcodeClip } from '../support/media.ts';
import { type RunningProgram, run, runBytes, start } from '../support/process.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';
import { MseViewer } from '../support/viewers.ts';

const FFMPEG8 = fileURLToPath(new URL('../support/ffmpeg8.ts', import.meta.url));
/** Pictures that are read of each: 25 a second. */
const PICTURES = 50;

let server: TestSluice;
let folder: string;
/** Where the stream with AC-3 is forwarded to. */
let transportStream: string;
const publishers: RunningProgram[] = [];

const SECONDS = 4;
const clip = (options: Pick<BarcodeClipOptions, 'video' | 'audio' | 'lag'>) =>
  barcodeClip({ seconds: SECONDS, gop: 25, container: 'mkv', ...options });

/** How each stream is published. */
const streams = {
  /** Debian's ffmpeg, over RTSP. */
  vp8: { video: 'vp8', audio: 'opus', by: 'ffmpeg' },
  vp9: { video: 'vp9', audio: 'opus', by: 'ffmpeg', lag: 16 },
  /** A file, by FFmpeg in a worker. */
  av1: { video: 'av1', audio: 'opus', by: 'file', lag: 16 },
  h264: { video: 'h264', audio: 'ac3', by: 'file' },
  /** FFmpeg 8, over RTSP and over Enhanced RTMP. */
  'av1-rtsp': { video: 'av1', audio: 'opus', by: 'rtsp' },
  'av1-rtmp': { video: 'av1', audio: 'ac3', by: 'flv' },
  'vp9-rtmp': { video: 'vp9', audio: 'opus', by: 'flv' },
} as const;
type StreamName = keyof typeof streams;
const names = Object.keys(streams) as StreamName[];
const files = new Map<StreamName, string>();

beforeAll(async () => {
  for (const name of names) {
    const { by: _, ...options } = streams[name];
    files.set(name, await clip(options));
  }
  const sources = names.filter((name) => streams[name].by === 'file');
  transportStream = `udp://127.0.0.1:${await freeUdpPort()}`;
  const lines = sources.map((name) => {
    const forward = name === 'h264' ? `, forward: ["${transportStream}"]` : '';
    return `  ${name}: { source: ${files.get(name)}${forward} }`;
  });
  server = await sluice(`demo: false\nstreams:\n${lines.join('\n')}\n`);
  folder = await mkdtemp(join(tmpdir(), 'sluice-codecs-'));
  for (const name of names) {
    const { by } = streams[name];
    const file = files.get(name)!;
    if (by === 'ffmpeg') {
      const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', file, '-c', 'copy', '-strict', '-2'];
      const output = ['-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/${name}`];
      publishers.push(start('ffmpeg', [...input, ...output], 300_000));
    } else if (by !== 'file') {
      const door = by === 'rtsp' ? server.rtsp : server.server.addresses.rtmp;
      publishers.push(start(process.execPath, [FFMPEG8, 'publish', file, by, `${door}/${name}`], 300_000));
    }
  }
  // As cameras and encoders before H.264 did it.
  const old = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', await barcodeClip({ seconds: SECONDS })];
  const made = ['-c:v', 'mpeg4', '-b:v', '2M', '-g', '25', '-bf', '0', '-c:a', 'libmp3lame', '-b:a', '64k'];
  const door = ['-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/old`];
  publishers.push(start('ffmpeg', [...old, ...made, ...door], 300_000));
  await Promise.all([...names, 'old'].map((name) => server.live(name)));
}, 180_000);

afterAll(async () => {
  await Promise.all(publishers.map((one) => one.stop()));
  await server?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true });
});

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

async function read(address: string): Promise<PacketReport> {
  const { code, stdout, stderr } = await run(process.execPath, [FFMPEG8, 'read', address, String(PICTURES)]);
  if (code !== 0) throw new Error(`FFmpeg 8 cannot read ${address}: ${stderr}`);
  return JSON.parse(stdout) as PacketReport;
}

/** Both tracks came, begin with a keyframe, and never go back. */
function expectPlayable({ streams: found, packets }: PacketReport, name: StreamName): void {
  const { video, audio } = streams[name];
  const codecs = found.map(({ codec }) => codec).join();
  expect(codecs).toMatch({ av1: /av1|dav1d/, vp9: /vp9/, vp8: /vp8/, h264: /h264/ }[video]);
  expect(codecs).toMatch(audio === 'ac3' ? /ac3/ : /opus/);
  for (const [index, stream] of found.entries()) {
    const own = packets.filter((one) => one.stream === index);
    const isVideo = stream.channels === 0;
    if (isVideo) expect(stream.width).toBe(640);
    // Sound begins at the live edge, pictures with the keyframe before it.
    if (!isVideo) expect(own.length).toBeGreaterThan(PICTURES / 4);
    // FFmpeg does not say which pictures of VP9 over RTP are keyframes.
    const [first] = own;
    const keyframe =
      video === 'vp9' && isVideo ? parseVp9Frame(Buffer.from(first!.head, 'hex'))?.keyframe : first?.keyframe;
    expect(keyframe).toBe(true);
    expect(own.filter((one, i) => i > 0 && one.time <= own[i - 1]!.time)).toEqual([]);
  }
}

describe('AV1, VP9, VP8 and AC-3', () => {
  it.each(names)('are read over RTSP, RTMP and HTTP-FLV as they were published: %s', async (name) => {
    const addresses = [`${server.rtsp}/${name}`];
    // FFmpeg reads no VP8 in FLV, for which Enhanced RTMP has a FourCC.
    if (streams[name].video !== 'vp8') {
      addresses.push(`${server.server.addresses.rtmp}/${name}`, `${server.http}/${name}/live.flv`);
    }
    for (const report of await Promise.all(addresses.map(read))) expectPlayable(report, name);
  });

  it('are published and read over RTSP by GStreamer', async () => {
    const address = `${server.rtsp}/gstreamer`;
    const words = (text: string) => text.split(' ');
    const picture = 'videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=360,framerate=25/1';
    const vp9 = 'vp9enc deadline=1 cpu-used=8 keyframe-max-dist=25 ! video/x-vp9,profile=(string)0';
    const ac3 = 'audiotestsrc is-live=true ! audioconvert ! avenc_ac3 ! ac3parse';
    await using _publisher = start('gst-launch-1.0', [
      ...words(`-q ${picture} ! ${vp9} ! queue ! s. ${ac3} ! queue ! s.`),
      ...words(`rtspclientsink name=s protocols=tcp location=${address}`),
    ]);
    await server.live('gstreamer');
    const read = (rest: string) =>
      run(
        'gst-launch-1.0',
        words(`-q rtspsrc location=${address} protocols=tcp ! ${rest} ! fakesink num-buffers=40`),
      );
    const ended = await Promise.all([
      read('rtpvp9depay ! vp9dec'),
      read('rtpac3depay ! ac3parse ! avdec_ac3'),
    ]);
    expect(ended).toMatchObject([{ code: 0 }, { code: 0 }]);
  });

  it('say in the API what they are', async () => {
    const strings = async (name: StreamName) =>
      (await server.get<{ tracks: { codecString?: string }[] }>(`/api/streams/${name}`)).tracks.map(
        ({ codecString }) => codecString,
      );
    expect(await strings('av1-rtmp')).toEqual([expect.stringMatching(/^av01\.0\.\d\dM\.08/), 'ac-3']);
    expect(await strings('vp9')).toEqual([expect.stringMatching(/^vp09\.00\.21\.08\./), 'opus']);
    expect(await strings('vp8')).toEqual(['vp8', 'opus']);
  });

  it.each(['av1', 'vp9', 'h264', 'av1-rtmp'] as const)('are read over HLS: %s', async (name) => {
    const address = `${server.http}/${name}/index.m3u8`;
    const show = ['-show_entries', 'stream=codec_name', '-of', 'csv=p=0'];
    const { stdout, stderr } = await run('ffprobe', ['-v', 'error', ...show, address]);
    expect(stderr).toBe('');
    const { video, audio } = streams[name];
    expect(new Set(stdout.match(/\w+/g))).toEqual(new Set([video, audio]));
    const playlist = await (await fetch(address)).text();
    const codecs = /CODECS="([^"]*)"/.exec(playlist)?.[1];
    expect(codecs).toMatch(video === 'av1' ? /^av01\./ : video === 'vp9' ? /^vp09\./ : /^avc1\./);
    expect(codecs).toContain(audio === 'ac3' ? 'ac-3' : 'opus');
  });

  it('are forwarded as MPEG-TS where that has a mapping: AC-3', async () => {
    const show = ['-show_entries', 'stream=codec_name,sample_rate,channels', '-of', 'csv=p=0'];
    const { stdout } = await run('ffprobe', ['-v', 'error', ...show, `${transportStream}?timeout=20000000`]);
    expect(stdout).toMatch(/^h264/m);
    expect(stdout).toMatch(/^ac3,48000,1/m);
  });

  it.each([
    ['vp9', () => ['-rtsp_transport', 'tcp', '-i', `${server.rtsp}/vp9`]],
    ['av1', () => ['-i', `${server.http}/av1/index.m3u8`]],
  ] as const)('keep every picture and its time, with others hidden in them: %s', async (name, input) => {
    const args = ['-v', 'error', '-copyts', ...input(), '-frames:v', String(SECONDS * 25), ...HASH_OUTPUT];
    const received = parseFrameHashes((await run('ffmpeg', args)).stdout);
    const source = await hashFile(files.get(name)!);
    const [reference = 0, ...others] = delays(source, received, 'video');
    // Of whole rounds of the clip: what ffmpeg and Sluice take for its length differs by a few ms.
    const apart = others.map((delay) => {
      const rounds = Math.round((delay - reference) / (SECONDS * 1000));
      return Math.abs(delay - reference - rounds * SECONDS * 1000);
    });
    expect(others.length).toBeGreaterThan(SECONDS * 20);
    expect(Math.max(...apart)).toBeLessThan(20);
  });

  it('leave out by name what a door cannot carry, and nothing else', async () => {
    const playlist = await (await fetch(`${server.http}/vp8/index.m3u8`)).text();
    expect(playlist).toMatch(/CODECS="opus"/);
    for (const [name, type, why] of [
      ['vp8', 'audio/mp4; codecs="opus"', /VP8.*WebRTC/],
      ['h264', /^video\/mp4; codecs="avc1\.[^,]*"$/, /AC-3.*HLS/],
    ] as const) {
      await using page = await MseViewer.open(`${server.http.replace('http', 'ws')}/${name}/mse`);
      await expect.poll(() => page.types.length, { timeout: 20_000 }).toBe(1);
      if (typeof type === 'string') expect(page.types[0]).toBe(type);
      else expect(page.types[0]).toMatch(type);
      expect(page.unsupported.join(' ')).toMatch(why);
    }
  });

  it('are pulled from another server over UDP, and looked at there', async () => {
    const pulled = ['vp8', 'vp9', 'av1'] as const;
    const sources = pulled.map((name) => `  ${name}: { source: '${server.rtsp}/${name}', onDemand: false }`);
    await using other = await sluice(`demo: false\nstreams:\n${sources.join('\n')}\n`);
    await Promise.all(pulled.map((name) => other.live(name)));
    for (const name of pulled) await expectKeyframe(other, name);
  });

  it.each(['vp8', 'vp9', 'av1', 'av1-rtsp'] as const)('are looked at: a snapshot of %s', async (name) => {
    await expectKeyframe(server, name);
  });
});

describe('MPEG-4 part 2 and MP3', () => {
  it('are published and read over RTSP by ffmpeg, in step', async () => {
    const address = `${server.rtsp}/old`;
    const report = await read(address);
    expect(report.streams.map(({ codec }) => codec)).toEqual(['mpeg4', expect.stringMatching(/mp3/)]);
    expect(report.streams[0]).toMatchObject({ width: 640 });
    for (const index of [0, 1]) {
      const own = report.packets.filter(({ stream }) => stream === index);
      expect(own.length).toBeGreaterThan(PICTURES / 4);
      expect(own.filter((one, i) => i > 0 && one.time <= own[i - 1]!.time)).toEqual([]);
    }
    const marks = await readMarks(['-rtsp_transport', 'tcp', '-i', address], 4, BARCODE_FLASH);
    const steps = beepDelays(marks);
    expect(steps.length).toBeGreaterThanOrEqual(2);
    for (const step of steps) expect(Math.abs(step)).toBeLessThanOrEqual(40);
  });

  it('are read over RTSP by GStreamer', async () => {
    const read = (rest: string) =>
      run(
        'gst-launch-1.0',
        `-q rtspsrc location=${server.rtsp}/old protocols=tcp ! ${rest} ! fakesink num-buffers=30`.split(' '),
      );
    const ended = await Promise.all([
      read('rtpmp4vdepay ! mpeg4videoparse ! avdec_mpeg4'),
      read('rtpmpadepay ! mpegaudioparse ! avdec_mp3'),
    ]);
    expect(ended).toMatchObject([{ code: 0 }, { code: 0 }]);
  });

  it('are given as what each door carries: MP3 over FLV, and as AAC over HLS', async () => {
    const sounds = ['live.flv', 'index.m3u8'].map(async (file) => {
      const show = ['-show_entries', 'stream=codec_name,sample_rate', '-of', 'csv=p=0'];
      const { stdout } = await run('ffprobe', ['-v', 'error', ...show, `${server.http}/old/${file}`]);
      return stdout.trim().split('\n')[0];
    });
    expect(await Promise.all(sounds)).toEqual(['mp3,48000', 'aac,48000']);
  });

  it('are looked at, and named in the API', async () => {
    const picture = await fetch(`${server.http}/old/snapshot.jpg`);
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    const { tracks } = await server.get<{ tracks: object[] }>('/api/streams/old');
    expect(tracks).toMatchObject([
      { codec: 'mpeg4', codecString: 'mp4v.20.1', width: 640, height: 360 },
      { codec: 'mp3', sampleRate: 48_000, channels: 1 },
    ]);
  });
});

/** The snapshot of a stream is one of the pictures that were published as keyframes: those with 25, 50 … on them. */
async function expectKeyframe({ http }: TestSluice, name: string): Promise<void> {
  const answer = await fetch(`${http}/${name}/snapshot.jpg`);
  expect(answer.status).toBe(200);
  const file = join(folder, `${name}.jpg`);
  await writeFile(file, Buffer.from(await answer.arrayBuffer()));
  const args = ['-v', 'error', '-i', file, '-vf', 'scale=640:360', '-pix_fmt', 'gray', '-f', 'rawvideo', '-'];
  const data = await runBytes('ffmpeg', args);
  expect((readBarcode({ width: 640, height: 360, data }) ?? 1) % 25).toBe(0);
}
