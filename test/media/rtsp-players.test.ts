import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClipName, clip, clipPath } from '../support/clips.ts';
import {
  apart,
  delays,
  HASH_OUTPUT,
  type HashedFrame,
  hashFile,
  parseFrameHashes,
} from '../support/frames.ts';
import { run, start } from '../support/process.ts';
import { publish, published, startRtsp } from '../support/rtsp.ts';

/** Real programs publish and read over TCP; each clip is sent once and read by three programs at a time. */

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-rtsp-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const GST_VIDEO = {
  h264: ['rtph264depay', '!', 'h264parse', '!', 'video/x-h264,stream-format=byte-stream,alignment=au'],
  hevc: ['rtph265depay', '!', 'h265parse', '!', 'video/x-h265,stream-format=byte-stream,alignment=au'],
};
const GST_AUDIO = {
  aac: ['rtpmp4gdepay', '!', 'aacparse', '!', 'audio/mpeg,stream-format=adts'],
  opus: ['rtpopusdepay', '!', 'opusparse', '!', 'oggmux'],
  pcm_alaw: ['rtppcmadepay'],
};

interface Expectation {
  readonly clip: ClipName;
  readonly video?: keyof typeof GST_VIDEO;
  readonly audio?: keyof typeof GST_AUDIO;
}

/** Publishes the clip by ffmpeg and reads it by ffmpeg (pictures and sound as hashes), ffprobe and GStreamer. */
async function relay({ clip: name, video, audio }: Expectation) {
  const path = await clipPath(name);
  await using server = await startRtsp();
  const url = server.url(`cam/${name}`);
  const file = (suffix: string) => join(directory, `${name}.${suffix}`);
  const branch = (media: string, chain: readonly string[], to: string) => [
    's.',
    '!',
    `application/x-rtp,media=${media}`,
    '!',
    ...chain,
    '!',
    'filesink',
    `location=${to}`,
  ];

  const publisher = publish(path, url);
  const stream = await published(server.hub, `cam/${name}`);
  const [hashes, probe, gst] = await Promise.all([
    run('ffmpeg', [
      ...['-v', 'error', '-copyts', '-rtsp_transport', 'tcp', '-i', url, ...HASH_OUTPUT],
      ...(audio === 'pcm_alaw' ? ['-map', '0:a', '-c:a', 'copy', '-f', 'alaw', file('alaw')] : []),
    ]),
    run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-of', 'json'],
      ...[
        '-show_entries',
        'stream=codec_type,codec_name,width,height,sample_rate:packet=codec_type,dts_time',
        url,
      ],
    ]),
    run('gst-launch-1.0', [
      ...['-q', 'rtspsrc', `location=${url}`, 'protocols=tcp', 'latency=0', 'name=s'],
      ...(video ? branch('video', GST_VIDEO[video], file('gst-video')) : []),
      ...(audio ? branch('audio', GST_AUDIO[audio], file('gst-audio')) : []),
    ]),
  ]);
  const sent = await publisher.finished;
  return { path, sent, hashes, probe, gst, file, notes: server.notes, tracks: stream.tracks };
}

function expectStep(times: readonly number[], step: number): void {
  for (let i = 1; i < times.length; i++) {
    expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeCloseTo(step, 3);
  }
}

function timesOf(frames: readonly HashedFrame[], kind: 'video' | 'audio'): number[] {
  return frames.flatMap((frame) => (frame.kind === kind ? [frame.time] : []));
}

/** The largest difference between the delays of sound and picture, in ms; printed, for it is a figure people ask for. */
function worstSkew(
  what: string,
  pictures: readonly number[],
  sounds: readonly number[],
  passMs = Number.POSITIVE_INFINITY,
): number {
  expect(pictures.length).toBeGreaterThan(0);
  expect(sounds.length).toBeGreaterThan(0);
  const reference = pictures[0] ?? Number.NaN;
  const skews = [...sounds, ...pictures].map((delay) =>
    passMs < Number.POSITIVE_INFINITY ? apart(delay, reference, passMs) : delay - reference,
  );
  const worst = skews.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  console.log(`${what}: largest skew of sound against picture ${worst.toFixed(3)} ms`);
  return Math.abs(worst);
}

/** Delay of each piece of G.711 sound: packets are cut anew on the way, so the bytes are sought in the source. */
async function alawDelays(path: string, receivedFile: string, first: number): Promise<number[]> {
  const raw = await run('sh', ['-c', `ffmpeg -v error -i "${path}" -map 0:a -c copy -f alaw - | base64 -w0`]);
  const source = Buffer.from(raw.stdout, 'base64');
  const received = readFileSync(receivedFile);
  const at = source.indexOf(received);
  expect(at, 'the sound is one piece of the source, without a gap').toBeGreaterThanOrEqual(0);
  expect(received.length).toBeGreaterThan(8000 * 3);
  return [(first - at / 8000) * 1000];
}

describe.for<Expectation>([
  { clip: 'h264-aac', video: 'h264', audio: 'aac' },
  { clip: 'h265-opus', video: 'hevc', audio: 'opus' },
  { clip: 'h264-bframes-pcma', video: 'h264', audio: 'pcm_alaw' },
  { clip: 'aac', audio: 'aac' },
  { clip: 'h264', video: 'h264' },
])('$clip from ffmpeg', (expectation) => {
  const { video, audio } = expectation;
  let result: Awaited<ReturnType<typeof relay>>;
  let source: HashedFrame[];
  let received: HashedFrame[];

  beforeAll(async () => {
    result = await relay(expectation);
    source = await hashFile(result.path);
    received = parseFrameHashes(result.hashes.stdout);
  });

  test('is published and read without a complaint of any program', () => {
    expect(result.sent).toMatchObject({ code: 0, stderr: '' });
    expect(result.hashes).toMatchObject({ code: 0, stderr: '' });
    expect(result.probe).toMatchObject({ code: 0, stderr: '' });
    expect(result.gst.stderr).not.toMatch(/ERROR/);
  });

  test('shows ffprobe its codecs, and decoding times that go forward', () => {
    const { streams, packets } = JSON.parse(result.probe.stdout) as {
      streams: { codec_type: string; codec_name: string; width?: number }[];
      packets: { codec_type: string; dts_time?: string }[];
    };
    expect(streams.map(({ codec_name }) => codec_name)).toEqual([video, audio].filter(Boolean));
    if (video) expect(streams[0]?.width).toBe(320);
    for (const { codec_type } of streams) {
      const times = packets.flatMap((packet) =>
        packet.codec_type === codec_type && packet.dts_time !== undefined ? [Number(packet.dts_time)] : [],
      );
      expect(times.length).toBeGreaterThan(90);
      expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    }
  });

  if (video)
    test('comes to ffmpeg with every picture from a keyframe to the last, each the same as sent', () => {
      const pictures = timesOf(received, 'video');
      expect(pictures.length).toBeGreaterThanOrEqual(100);
      expectStep(pictures, 1 / clip.fps);
      expect(delays(source, received, 'video').length).toBe(pictures.length);
      expect(received.findLast(({ kind }) => kind === 'video')?.hash).toBe(
        source.findLast(({ kind }) => kind === 'video')?.hash,
      );
    });

  if (video && audio)
    test('keeps sound and picture in step to 10 ms', async () => {
      const videoDelays = delays(source, received, 'video');
      const audioDelays =
        audio === 'pcm_alaw'
          ? await alawDelays(result.path, result.file('alaw'), timesOf(received, 'audio')[0] ?? 0)
          : delays(source, received, 'audio');
      expect(worstSkew(expectation.clip, videoDelays, audioDelays)).toBeLessThanOrEqual(10);
    });

  test('comes to GStreamer with every picture and with its sound', async () => {
    const count = async (suffix: string, format: string) => {
      const args = ['-v', 'error', '-f', format, '-count_packets', '-of', 'csv=p=0'];
      const { stdout } = await run('ffprobe', [
        ...args,
        ...['-show_entries', 'stream=nb_read_packets', result.file(suffix)],
      ]);
      return Number(stdout.trim().split('\n')[0]);
    };
    if (video) {
      const pictures = await count('gst-video', video);
      expect(pictures).toBeGreaterThanOrEqual(100);
      expect(pictures).toBeLessThanOrEqual(clip.frames);
    }
    if (audio === 'pcm_alaw') expect(readFileSync(result.file('gst-audio')).length).toBeGreaterThan(8000 * 3);
    else if (audio) expect(await count('gst-audio', audio === 'opus' ? 'ogg' : 'aac')).toBeGreaterThan(150);
  });
});

/** Reads 2.5 s of pictures and sound by ffmpeg. */
async function readHashes(url: string): Promise<HashedFrame[]> {
  const input = ['-v', 'error', '-copyts', '-rtsp_transport', 'tcp', '-i', url, '-t', '2.5'];
  const { stdout, stderr } = await run('ffmpeg', [...input, ...HASH_OUTPUT]);
  expect(stderr).toBe('');
  return parseFrameHashes(stdout);
}

test('a reader that comes in the middle gets sound and picture in step', async () => {
  const path = await clipPath('h264-aac');
  await using server = await startRtsp();
  await using publisher = publish(path, server.url('live'), 2);
  const stream = await published(server.hub, 'live');
  // Somebody reads already, so the feed is there and its reports have been sent.
  const first = readHashes(server.url('live'));
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (stream.counters.units < 200) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
  const source = await hashFile(path);
  // Passes are as long as the sound: frames of 1024 samples.
  const passMs = (timesOf(source, 'audio').length * 1024 * 1000) / 48_000;
  for (const [name, received] of [
    ['early reader', await first],
    ['late reader', await readHashes(server.url('live'))],
  ] as const) {
    const [pictures, sounds] = [delays(source, received, 'video'), delays(source, received, 'audio')];
    // Who comes at the seam of two passes has pictures of the one and sound of the other.
    const skew = worstSkew(name, pictures, sounds, passMs);
    expect(skew).toBeLessThanOrEqual(10);
  }
  await publisher.stop();
});

test('GStreamer publishes, sound and picture in step', async () => {
  const path = await clipPath('h264-aac');
  await using server = await startRtsp();
  await using publisher = start('gst-launch-1.0', [
    ...['-q', 'filesrc', `location=${path}`, '!', 'qtdemux', 'name=d'],
    ...[
      'd.video_0',
      '!',
      'queue',
      '!',
      'h264parse',
      '!',
      's.',
      'd.audio_0',
      '!',
      'queue',
      '!',
      'aacparse',
      '!',
      's.',
    ],
    ...['rtspclientsink', 'name=s', 'protocols=tcp', `location=${server.url('gst')}`],
  ]);
  await published(server.hub, 'gst');
  const [source, received] = await Promise.all([hashFile(path), readHashes(server.url('gst'))]);
  const pictures = delays(source, received, 'video');
  expect(pictures.length).toBeGreaterThan(50);
  // GStreamer sends its first reports only seconds after its first packets. Until then the tracks are aligned by their
  // arrival, and after that they are slewed, so that no jump is heard. Alone they arrive within 100 ms of each other,
  // on a machine that has no time for GStreamer later than that.
  expect(
    worstSkew('first seconds from GStreamer', pictures, delays(source, received, 'audio')),
  ).toBeLessThanOrEqual(250);
  await publisher.stop();
});
