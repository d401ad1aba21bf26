import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeHub, type PublishedUnit } from '../support/fake-hub.ts';
import { barcodeClip } from '../support/media.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-file-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function ofTrack(hub: FakeHub, id: number): PublishedUnit[] {
  return hub.units.filter(({ trackId }) => trackId === id);
}

/** The intervals that occur between consecutive values, without repetition. */
function steps(values: readonly number[]): Set<number> {
  return new Set(values.slice(1).map((value, i) => value - values[i]!));
}

for (const bframes of [0, 2]) {
  test(`a clip of 2 s with ${bframes} B-frames loops five times without a seam`, async () => {
    const path = await barcodeClip({ seconds: 2, bframes, gop: 25 });
    await using hub = await FakeHub.start();
    const task = hub.task({ kind: 'file-source', stream: 'loop', path, loop: true });
    const first = performance.now();
    await hub.until(() => ofTrack(hub, 0).length > 5 * 50, 'five passes', 20_000);
    const took = performance.now() - first;
    hub.stop(task);
    await hub.state(task, 'done');

    const [publication] = hub.publications;
    expect(publication?.tracks.map(({ format, clockRate }) => [format.kind, clockRate])).toEqual([
      ['video', 90_000],
      ['audio', 48_000],
    ]);
    const video = ofTrack(hub, 0);
    expect(steps(video.map(({ dts }) => dts))).toEqual(new Set([3600]));
    const shown = video.map(({ pts }) => pts).toSorted((a, b) => a - b);
    expect(steps(shown.slice(0, 240))).toEqual(new Set([3600]));
    for (const [n, unit] of video.entries()) {
      expect(unit.keyframe).toBe(n % 25 === 0);
      if (unit.keyframe) expect(unit.payload.slice(0, 2).map((nal) => nal[0]! & 0x1f)).toEqual([7, 8]);
      expect(unit.pts).toBeGreaterThanOrEqual(unit.dts);
      expect(unit.dts).toBeGreaterThanOrEqual(0);
    }

    // Each pass is 96 000 samples long, so the frames of each pass stand at the same places in it.
    const audio = ofTrack(hub, 1).map(({ pts }) => pts);
    const start = (shown[0]! / 90_000) * 48_000;
    const places = new Set(audio.map((pts) => (pts - start) % 96_000));
    expect(places.size).toBe(93);
    for (const place of places) expect(place % 1024).toBe(0);
    for (const step of steps(audio)) {
      expect(step).toBeGreaterThanOrEqual(1024);
      expect(step).toBeLessThan(2048);
    }

    // Capture times run exactly with the timestamps, on one line for both tracks, and with the clock; a picture that
    // is decoded before it is shown comes before its time.
    const origins = hub.units.map(
      ({ trackId, pts, ntp }) => ntp - (pts / (trackId === 0 ? 90_000 : 48_000)) * 1000,
    );
    expect(Math.max(...origins) - Math.min(...origins)).toBeLessThan(0.01);
    for (const { ntp, at } of hub.units)
      expect(ntp).toBeLessThan(performance.timeOrigin + at + 5 + bframes * 40);

    // At real-time pace: 251 pictures last 10 s.
    expect(took).toBeGreaterThan(9800);
    const late = video.map(({ at }, n) => at - video[0]!.at - n * 40);
    expect(Math.min(...late)).toBeGreaterThan(-25);
  });
}

test('units of both tracks come in the order of their decoding times', async () => {
  const path = await barcodeClip({ seconds: 2, gop: 25 });
  await using hub = await FakeHub.start();
  hub.task({ kind: 'file-source', stream: 'order', path, loop: true });
  await hub.until(() => hub.units.length > 400, 'units');
  const times = hub.units.map(({ trackId, dts }) => dts / (trackId === 0 ? 90_000 : 48_000));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test('a file that is not looped ends as done, with all of its pictures', async () => {
  const path = await barcodeClip({ seconds: 1, bframes: 2, audio: 'none' });
  await using hub = await FakeHub.start();
  const task = hub.task({ kind: 'file-source', stream: 'once', path, loop: false });
  expect(await hub.state(task, 'done')).toMatchObject({ reason: 'The file is at its end.' });
  expect(hub.units).toHaveLength(25);
  expect((await hub.find('unpublish')).reason).toBe('The file is at its end.');
});

test('G.711, H.265, Opus, and Annex B with ADTS become access units like any other', async () => {
  await using hub = await FakeHub.start();
  const pcma = await barcodeClip({ seconds: 1, audio: 'pcma', container: 'mkv' });
  const h265 = await barcodeClip({ seconds: 1, video: 'h265', audio: 'opus', container: 'mkv' });
  const ts = join(directory, 'clip.ts');
  const source = await barcodeClip({ seconds: 1, bframes: 2 });
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', '-i', source, '-c', 'copy', ts]);
  for (const [stream, path] of Object.entries({ pcma, h265, ts })) {
    await hub.state(hub.task({ kind: 'file-source', stream, path, loop: false }), 'done');
  }
  const published = (stream: string) => {
    const publication = hub.publications.find((message) => message.stream === stream)!;
    const units = hub.units.filter(({ channel }) => channel === publication.publication);
    return {
      tracks: publication.tracks,
      video: units.filter((u) => u.trackId === 0),
      audio: units.filter((u) => u.trackId === 1),
    };
  };
  const codecs = (stream: string) =>
    published(stream).tracks.map(({ format }) => (format.kind === 'data' ? '' : format.codecString));
  expect(codecs('pcma')[1]).toBe('pcma');
  expect(published('pcma').audio[0]?.payload[0]).toHaveLength(160);
  expect(codecs('h265')[0]).toMatch(/^hvc1\./);
  expect(
    published('h265')
      .video[0]?.payload.slice(0, 3)
      .map((nal) => nal[0]! >> 1),
  ).toEqual([32, 33, 34]);
  expect(codecs('h265')[1]).toBe('opus');
  expect(codecs('ts')).toEqual([expect.stringMatching(/^avc1\./), 'mp4a.40.2']);
  expect(
    published('ts')
      .video[0]?.payload.slice(0, 2)
      .map((nal) => nal[0]! & 0x1f),
  ).toEqual([7, 8]);
  expect(published('ts').audio.every(({ payload }) => payload[0]![0] !== 0xff)).toBe(true);
  for (const stream of ['pcma', 'h265', 'ts']) expect(published(stream).video).toHaveLength(25);
});

test('an MPEG-TS file loops without a seam too', async () => {
  const ts = join(directory, 'loop.ts');
  const source = await barcodeClip({ seconds: 2, bframes: 2, gop: 25 });
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', '-i', source, '-c', 'copy', ts]);
  await using hub = await FakeHub.start();
  hub.task({ kind: 'file-source', stream: 'ts', path: ts, loop: true });
  await hub.until(() => ofTrack(hub, 0).length > 120, 'two passes');
  expect(steps(ofTrack(hub, 0).map(({ dts }) => dts))).toEqual(new Set([3600]));
});

test('sound that is longer than the picture is cut at the seam, and sound alone loops too', async () => {
  const long = join(directory, 'long.mp4');
  const inputs = [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=s=320x180:r=25:d=1',
    '-f',
    'lavfi',
    '-i',
    'sine=r=44100:d=3',
  ];
  await promisify(execFile)('ffmpeg', [
    '-v',
    'error',
    '-y',
    ...inputs,
    '-c:v',
    'libx264',
    '-bf',
    '0',
    '-c:a',
    'aac',
    long,
  ]);
  const sound = join(directory, 'sound.m4a');
  await promisify(execFile)('ffmpeg', [
    '-v',
    'error',
    '-y',
    '-i',
    long,
    '-vn',
    '-t',
    '1',
    '-c',
    'copy',
    sound,
  ]);
  await using hub = await FakeHub.start();
  hub.task({ kind: 'file-source', stream: 'long', path: long, loop: true });
  hub.task({ kind: 'file-source', stream: 'sound', path: sound, loop: true });
  const of = (stream: string, id: number) => {
    const channel = hub.publications.find((message) => message.stream === stream)?.publication;
    return hub.units.filter((unit) => unit.channel === channel && unit.trackId === id);
  };
  await hub.until(() => of('long', 0).length > 80 && of('sound', 0).length > 130, 'three passes');
  expect(steps(of('long', 0).map(({ dts }) => dts))).toEqual(new Set([3600]));
  // 43 frames of 1024 samples fit into a second of 44 100: the seam is 68 samples longer than a frame.
  expect(steps(of('long', 1).map(({ pts }) => pts))).toEqual(new Set([1024, 1024 + 44_100 - 43 * 1024]));
  expect(steps(of('sound', 0).map(({ pts }) => pts))).toEqual(new Set([1024]));
});

test('what cannot be played is refused with a code and a sentence that names the file', async () => {
  const noMedia = join(directory, 'letter.mp4');
  await writeFile(noMedia, 'Dear Sir or Madam, '.repeat(500));
  const noTrack = join(directory, 'vorbis.ogg');
  await promisify(execFile)('ffmpeg', [
    '-v',
    'error',
    '-y',
    '-f',
    'lavfi',
    '-i',
    'sine=d=1',
    '-c:a',
    'flac',
    noTrack,
  ]);
  await using hub = await FakeHub.start();
  const cases = [
    [join(directory, 'nowhere.mp4'), 'INPUT_MISSING'],
    ['/dev/null', 'INPUT_UNREADABLE'],
    [noMedia, 'INPUT_UNREADABLE'],
    [noTrack, 'INPUT_NO_TRACK'],
  ] as const;
  for (const [path, code] of cases) {
    const task = hub.task({ kind: 'file-source', stream: 'bad', path, loop: true });
    const state = await hub.state(task, 'failed');
    expect(state.code).toBe(code);
    expect(state.reason).toContain(path);
  }
});

test('a probe tells what is in a file', async () => {
  const input = await barcodeClip({ seconds: 2, gop: 25 });
  await using hub = await FakeHub.start();
  const { report } = await hub.state(hub.task({ kind: 'probe', input }), 'done');
  expect(report?.duration).toBeCloseTo(2, 1);
  expect(report?.tracks).toMatchObject([
    { kind: 'video', codec: 'h264', width: 640, height: 360, fps: 25, keyframeInterval: 1 },
    { kind: 'audio', codec: 'aac', codecString: 'mp4a.40.2', sampleRate: 48_000, channels: 1 },
  ]);
});

test('a source that the hub ends says so', async () => {
  const path = await barcodeClip({ seconds: 2, gop: 25 });
  await using hub = await FakeHub.start();
  const task = hub.task({ kind: 'file-source', stream: 'taken', path, loop: true });
  const { publication } = await hub.find('publish');
  hub.send({ type: 'unpublished', publication, reason: 'Another publisher took over.' });
  expect(await hub.state(task, 'failed')).toMatchObject({
    code: 'PUBLICATION_ENDED',
    reason: 'Another publisher took over.',
  });
});
