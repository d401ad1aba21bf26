import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { pcmaFormat } from '#codecs/g711.ts';
import { parseH264Sps } from '#codecs/h264.ts';
import { joinAnnexB } from '#codecs/nal.ts';
import { Fmp4Writer } from '#containers/fmp4/writer.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { isAudio, isVideo, type Track, type VideoTrack } from '#media/track.ts';
import { clipUnits, fileUnits } from '../support/clip-units.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { barcode, barcodeClip } from '../support/media.ts';

const exec = promisify(execFile);
const source: Track = { id: 1, clockRate: 8000, format: pcmaFormat() };

/** Samples -1..1 of a sound file, as FFmpeg decodes it. */
async function decode(args: readonly string[], rate: number): Promise<Float32Array> {
  const output = ['-f', 'f32le', '-ac', '1', '-ar', String(rate), '-'];
  const { stdout } = await exec('ffmpeg', ['-v', 'error', ...args, ...output], {
    encoding: 'buffer',
    maxBuffer: 1 << 28,
  });
  return new Float32Array(new Uint8Array(stdout).buffer);
}

/** Numbers in the pictures of an H.264 byte stream. */
async function barcodes(bytes: Buffer): Promise<number[]> {
  const args = [
    '-v',
    'error',
    '-f',
    'h264',
    '-i',
    '-',
    '-f',
    'rawvideo',
    '-pix_fmt',
    'gray',
    '-fps_mode',
    'passthrough',
    '-',
  ];
  const child = spawn('ffmpeg', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(bytes);
  const pixels = Buffer.concat(await child.stdout.toArray());
  const { width, height, row, left, cell, bits } = barcode;
  return Array.from({ length: pixels.length / (width * height) }, (_, picture) => {
    const line = pixels.subarray(picture * width * height + row * width);
    const cells = Array.from({ length: bits }, (_, bit) => line[left + cell * bit + cell / 2]! > 128);
    return cells.reduce((sum, white, bit) => sum + (white ? 2 ** bit : 0), 0);
  });
}

/** Where the beeps begin, in seconds: the first sample over a third of the loudest after 100 ms of silence. */
function beeps(samples: Float32Array, rate: number): number[] {
  const found: number[] = [];
  let quiet = Number.POSITIVE_INFINITY;
  const level = samples.reduce((max, value) => Math.max(max, Math.abs(value)), 0) / 3;
  for (const [n, value] of samples.entries()) {
    if (Math.abs(value) < level) {
      quiet++;
      continue;
    }
    if (quiet > rate / 10) found.push(n / rate);
    quiet = 0;
  }
  return found;
}

/** The sound of units as FFmpeg hears it, and where its first sample stands in seconds. */
async function listen(directory: string, units: readonly AccessUnit[]) {
  const [first] = units;
  const file = join(directory, `${first!.track.format.codec}.mp4`);
  const chunks: Buffer[] = [];
  const writer = new Fmp4Writer([first!.track]);
  for (const unit of units) writer.write(unit, ({ bytes }) => chunks.push(bytes));
  await writeFile(file, Buffer.concat(chunks));
  const samples = await decode(['-i', file], 48_000);
  const start = first!.pts / first!.track.clockRate;
  return beeps(samples, 48_000).map((time) => time + start);
}

/** One AAC frame behind an ADTS header: 48 kHz, mono. */
function adts(frame: Buffer): Buffer {
  const length = frame.length + 7;
  const header = Buffer.from([
    0xff,
    0xf1,
    0x4c,
    0x40 | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
  ]);
  return Buffer.concat([header, frame]);
}

test('G.711 made AAC keeps every beep within a millisecond of its place', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-rendition-'));
  try {
    const clip = await barcodeClip({ seconds: 4, audio: 'pcma', container: 'mkv' });
    const raw = join(directory, 'sound.al');
    await exec('ffmpeg', ['-v', 'error', '-y', '-i', clip, '-vn', '-c:a', 'copy', '-f', 'alaw', raw]);
    const bytes = await readFile(raw);

    await using hub = await FakeHub.start();
    const stream = hub.open('call', [source]);
    const task = hub.task({
      kind: 'rendition',
      stream: 'call',
      track: 1,
      id: 1001,
      request: { codec: 'aac' },
    });
    await hub.until(() => hub.subscribers('call') === 1, 'the subscription');
    const first = 123_456;
    const ntp = 1_700_000_000_000;
    for (let at = 0; at + 160 <= bytes.length; at += 160) {
      const payload = [bytes.subarray(at, at + 160)];
      const pts = first + at;
      stream.write({ track: source, pts, dts: pts, keyframe: true, ntp: ntp + at / 8, payload });
    }
    await hub.until(() => hub.units.length >= Math.floor((bytes.length * 6) / 1024) - 3, 'the frames');
    await hub.state(task, 'running');

    const { tracks, rendition } = hub.publications[0]!;
    expect(rendition).toEqual({ of: 1 });
    expect(tracks).toMatchObject([
      {
        id: 1001,
        clockRate: 48_000,
        format: { codec: 'aac', codecString: 'mp4a.40.2', sampleRate: 48_000, channels: 1 },
      },
    ]);
    for (const [n, unit] of hub.units.entries()) {
      expect(unit.trackId).toBe(1001);
      expect(unit.pts).toBe(hub.units[0]!.pts + n * 1024);
      expect(unit.ntp).toBeCloseTo(ntp + (unit.pts / 48_000 - first / 8000) * 1000, 3);
    }

    const encoded = join(directory, 'sound.aac');
    await writeFile(encoded, Buffer.concat(hub.units.map(({ payload }) => adts(payload[0]!))));
    const before = beeps(await decode(['-f', 'alaw', '-ar', '8000', '-i', raw], 48_000), 48_000);
    const offset = hub.units[0]!.pts / 48_000 - first / 8000;
    const after = beeps(await decode(['-i', encoded], 48_000), 48_000).map((time) => time + offset);
    // The very first beep stands at 0, in the encoder's first frame, which nothing before it prepares.
    expect(after.slice(-3)).toHaveLength(3);
    for (const [n, time] of after.slice(-3).entries()) {
      expect(Math.abs(time - before.slice(-3)[n]!)).toBeLessThan(0.001);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test.each([48_000, 44_100])(
  'AAC of %i Hz made Opus keeps every beep within a millisecond of its place',
  async (rate) => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-rendition-'));
    try {
      const clip = await barcodeClip({ seconds: 5 });
      const resampled = join(directory, 'resampled.mp4');
      await exec('ffmpeg', ['-v', 'error', '-i', clip, '-vn', '-ar', `${rate}`, '-c:a', 'aac', resampled]);
      const units = (await fileUnits(resampled)).filter(({ track }) => isAudio(track));
      await using hub = await FakeHub.start();
      const { track } = units[0]!;
      const stream = hub.open('music', [track]);
      hub.task({ kind: 'rendition', stream: 'music', track: track.id, id: 2000, request: { codec: 'opus' } });
      await hub.until(() => hub.subscribers('music') === 1, 'the subscription');
      for (const unit of units) stream.write(unit);
      await hub.until(() => hub.units.length >= 240, 'the frames');
      const [made] = hub.publications[0]!.tracks;
      expect(made).toMatchObject({
        id: 2000,
        clockRate: 48_000,
        format: { codec: 'opus', channels: 1 },
      });
      for (const [n, unit] of hub.units.entries()) {
        expect(unit.pts).toBe(hub.units[0]!.pts + n * 960);
        const behind = (unit.pts / 48_000 - units[0]!.pts / track.clockRate) * 1000;
        expect(unit.ntp - units[0]!.ntp).toBeCloseTo(behind, 3);
      }
      const before = await listen(directory, units);
      const after = await listen(
        directory,
        hub.units.map((unit) => ({ ...unit, track: made! })),
      );
      // The very first beep stands at 0, in a frame that nothing before it prepares.
      expect(after.length).toBeGreaterThanOrEqual(4);
      for (const [n, time] of after.slice(-4).entries()) {
        expect(Math.abs(time - before.slice(-4)[n]!)).toBeLessThan(0.001);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);

test.each(['h264', 'h265'] as const)(
  '%s with B-frames is made H.264 without: every picture at its time, keyframes in time and when they are asked for',
  async (video) => {
    const units = (await clipUnits({ seconds: 5, video, bframes: 2, gop: 125, audio: 'none' })).slice(0, 120);
    await using hub = await FakeHub.start();
    const { track } = units[0]!;
    const stream = hub.open('yard', [track]);
    hub.task({ kind: 'rendition', stream: 'yard', track: track.id, id: 3000, request: { codec: 'h264' } });
    await hub.until(() => hub.subscribers('yard') === 1, 'the subscription');
    let askedAt = 0;
    for (const [n, unit] of units.entries()) {
      stream.write(unit);
      // As in real life the encoder is never far behind; what is, is left out.
      if (n > 8) await hub.until(() => hub.units.length >= n - 8, `picture ${n - 8}`);
      if (n === 80) {
        askedAt = hub.units.at(-1)!.pts;
        hub.send({ type: 'keyframe', publication: hub.publications[0]!.publication });
      }
    }
    await hub.until(() => hub.units.length >= units.length - 4, 'all pictures');
    const all = [...hub.units];
    const times = new Map(units.map((unit) => [unit.pts, unit]));
    const shown = [...times.keys()].sort((a, b) => a - b);
    expect(all.map(({ pts }) => pts)).toEqual(shown.slice(0, all.length));
    for (const { pts, dts, ntp } of all) expect([dts, ntp]).toEqual([pts, times.get(pts)!.ntp]);
    const [made] = hub.publications[0]!.tracks as [VideoTrack];
    expect(made).toMatchObject({ id: 3000, format: { codec: 'h264', width: 640, height: 360 } });
    expect(made.format.codecString).toMatch(/^avc1\.42/);
    expect(parseH264Sps(made.format.parameterSets[0]!)?.maxReorderFrames).toBe(0);
    const keyframes = all.filter(({ keyframe }) => keyframe).map(({ pts }) => pts);
    for (const [n, pts] of keyframes.entries())
      if (n > 0) expect(pts - keyframes[n - 1]!).toBeLessThanOrEqual(180_000);
    // The request passes what is under way: within two thirds of a second.
    expect(keyframes.some((pts) => pts > askedAt && pts < askedAt + 60_000)).toBe(true);
    const size = (parts: readonly { payload: readonly Buffer[] }[]) =>
      parts.reduce((sum, { payload }) => sum + Buffer.concat(payload).length, 0);
    const ratio = size(all) / size(units.slice(0, all.length));
    console.info(`${video} with B-frames made H.264 without: ${ratio.toFixed(2)} times the bytes`);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
    const numbers = await barcodes(Buffer.concat(all.map(({ payload }) => joinAnnexB(payload))));
    expect(numbers).toEqual(all.map(({ pts }) => Math.round((pts - shown[0]!) / 3600)));
  },
);

test('a track that cannot be made AAC is refused with a code', async () => {
  await using hub = await FakeHub.start();
  const track: Track = { id: 1, clockRate: 16_001, format: pcmaFormat(16_001) };
  const stream = hub.open('odd', [track]);
  const task = hub.task({ kind: 'rendition', stream: 'odd', track: 1, id: 1001, request: { codec: 'aac' } });
  await hub.until(() => hub.subscribers('odd') === 1, 'the subscription');
  stream.write({ track, pts: 0, dts: 0, keyframe: true, ntp: 0, payload: [Buffer.alloc(160)] });
  expect(await hub.state(task, 'failed')).toMatchObject({ code: 'RENDITION_UNSUPPORTED' });
});

test('a rendition ends its publication with its source, and begins again when that is back', async () => {
  await using hub = await FakeHub.start();
  const feed = async (from: number) => {
    const stream = hub.open('call', [source]);
    await hub.until(() => hub.subscribers('call') === 1, 'a subscription');
    for (let pts = from; pts < from + 1600; pts += 160) {
      stream.write({
        track: source,
        pts,
        dts: pts,
        keyframe: true,
        ntp: pts / 8,
        payload: [Buffer.alloc(160, 0xd5)],
      });
    }
    return stream;
  };
  const task = hub.task({ kind: 'rendition', stream: 'call', track: 1, id: 1001, request: { codec: 'aac' } });
  const first = await feed(0);
  await hub.until(() => hub.units.length > 3, 'frames');
  first.end('The publisher is gone.');
  expect(await hub.find('unpublish')).toMatchObject({ reason: 'The publisher is gone.' });
  await hub.state(task, 'waiting');
  const before = hub.units.length;
  await feed(800_000);
  await hub.until(() => hub.units.length > before + 3, 'frames again');
  expect(hub.publications).toHaveLength(2);
});

test('what is wished for is made live: codecs, sizes, rates, each unit at the time of its source', async () => {
  const units = (await clipUnits({ seconds: 3, bframes: 2, gop: 25 })).slice(0, 180);
  await using hub = await FakeHub.start();
  const tracks = [...new Map(units.map(({ track }) => [track.id, track])).values()];
  const [picture, sound] = [tracks.find(isVideo)!, tracks.find(isAudio)!];
  const stream = hub.open('yard', tracks);
  const wishes = [
    { of: picture, request: { codec: 'h265', width: 320, fps: 5, bitRate: 300_000 } },
    { of: picture, request: { codec: 'mpeg4', height: 180, hardware: 'auto' } },
    { of: picture, request: { codec: 'h264', width: 320, height: 240, hardware: 'auto' } },
    { of: sound, request: { codec: 'mp3', sampleRate: 44_100, channels: 2 } },
    { of: sound, request: { codec: 'pcmu' } },
    { of: sound, request: { codec: 'aac', sampleRate: 16_000, bitRate: 32_000 } },
  ] as const;
  for (const [n, { of, request }] of wishes.entries()) {
    hub.task({ kind: 'rendition', stream: 'yard', track: of.id, id: 1000 + n, request });
  }
  await hub.until(() => hub.subscribers('yard') === wishes.length, 'the subscriptions');
  const made = (n: number) => hub.units.filter(({ trackId }) => trackId === 1000 + n);
  // As in real life the encoders are never far behind; what is, is left out.
  let pictures = 0;
  for (const unit of units) {
    stream.write(unit);
    if (!isVideo(unit.track) || ++pictures <= 8) continue;
    const due = pictures - 8;
    const isThere = () => [1, 2].every((n) => made(n).length >= due) && made(0).length >= (due - 4) / 5;
    await hub.until(isThere, `picture ${due}`);
  }
  await hub.until(() => made(2).length >= pictures - 4 && made(0).length >= 10, 'all of it');
  await hub.until(() => [3, 4, 5].every((n) => made(n).length > 30), 'the sound');
  const formats = hub.publications.flatMap((publication) => publication.tracks);
  const format = (n: number) => formats.find(({ id }) => id === 1000 + n);
  expect(format(0)).toMatchObject({ format: { codec: 'h265', width: 320, height: 180 } });
  expect(format(1)).toMatchObject({
    format: { codec: 'mpeg4', width: 320, height: 180, codecString: 'mp4v.20.1' },
  });
  expect(format(2)).toMatchObject({ format: { codec: 'h264', width: 320, height: 240 } });
  expect(format(3)).toMatchObject({
    clockRate: 44_100,
    format: { codec: 'mp3', sampleRate: 44_100, channels: 2 },
  });
  expect(format(4)).toMatchObject({
    clockRate: 8000,
    format: { codec: 'pcmu', sampleRate: 8000, channels: 1 },
  });
  expect(format(5)).toMatchObject({ clockRate: 16_000, format: { codec: 'aac', sampleRate: 16_000 } });
  const times = new Map(units.filter(({ track }) => isVideo(track)).map((unit) => [unit.pts, unit.ntp]));
  for (const n of [0, 1, 2]) {
    expect(made(n)[0]!.keyframe).toBe(true);
    for (const { pts, dts, ntp } of made(n)) expect([dts, ntp]).toEqual([pts, times.get(pts)]);
  }
  // Five a second, evenly.
  const few = made(0).map(({ pts }) => pts);
  expect(few.slice(1).every((pts, n) => pts - few[n]! === 18_000)).toBe(true);
  const first = units.find(({ track }) => isAudio(track))!;
  for (const [n, frame, rate] of [
    [3, 1152, 44_100],
    [4, 160, 8000],
    [5, 1024, 16_000],
  ] as const) {
    const [begin] = made(n);
    expect(Math.abs(begin!.pts / rate - first.pts / sound.clockRate)).toBeLessThan(0.08);
    for (const [at, unit] of made(n).entries()) {
      expect(unit.pts).toBe(begin!.pts + at * frame);
      const behind = (unit.pts / rate - first.pts / sound.clockRate) * 1000;
      expect(unit.ntp - first.ntp).toBeCloseTo(behind, 3);
    }
  }
  // No graphics hardware here, or one that works: either is said, and the pictures came.
  const said = hub.all('log').filter(({ message }) => /graphics hardware/.test(message));
  expect(said).toHaveLength(1);
});
