import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BarcodeClipOptions, barcodeClip } from '../support/media.ts';
import { run, start } from '../support/process.ts';
import { publish, published, startRtsp } from '../support/rtsp.ts';
import { readUnits } from '../support/rtsp-units.ts';
import { eventually, sluice } from '../support/sluice.ts';

const algorithms = fileURLToPath(new URL('../support/algorithms', import.meta.url));
let folder: string;
let card: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-standby-'));
  card = join(folder, 'card.png');
  // Of another shape than the camera's picture: a red square.
  const made = ['-v', 'error', '-f', 'lavfi', '-i', 'color=red:size=300x300', '-frames:v', '1', card];
  await run('ffmpeg', made);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Info {
  readonly state: string;
  readonly source: { readonly state: string; readonly standby: { readonly state: string } };
}

/** The colour of a pixel of a JPEG, by ffmpeg: red, green, blue. */
async function pixel(path: string, x: number, y: number): Promise<number[]> {
  const filter = `format=rgb24,crop=1:1:${x}:${y}`;
  const args = ['-v', 'error', '-i', path, '-vf', filter, '-frames:v', '1', '-f', 'rawvideo', '-'];
  const { stdout } = await promisify(execFile)('ffmpeg', args, { encoding: 'buffer' });
  return [...stdout];
}

describe('the stand-by of a camera that is gone', () => {
  it.each<[string, BarcodeClipOptions, string]>([
    ['H.264 and AAC', { seconds: 4, gop: 25 }, 'barcode'],
    ['H.265 and Opus', { seconds: 4, gop: 25, video: 'h265', audio: 'opus', container: 'mkv' }, ''],
  ])('in %s is read without a break, and gives way to the first keyframe', async (_, options, algorithm) => {
    const clip = await barcodeClip(options);
    let camera = await startRtsp();
    const { port } = camera;
    let feed = publish(clip, camera.url('cam'), -1);
    await published(camera.hub, 'cam');
    await using server = await sluice(
      `demo: false\nalgorithms: { folders: ['${algorithms}'] }\nstreams: { yard: { source: "rtsp://127.0.0.1:${port}/cam", onDemand: false, standby: ${card}, standbyAfterSeconds: 1 } }`,
    );
    await server.live('yard');
    const info = () => server.get<Info>('/api/streams/yard');
    expect((await info()).source.standby.state).toBe('idle');
    if (algorithm) await server.post('/api/runs', { stream: 'yard', algorithm });
    await using reader = await readUnits(`${server.rtsp}/yard`);
    // A player that decodes all of it, over both seams; ffmpeg knows no H.265 in RTMP yet.
    const input = algorithm
      ? ['-i', `${server.server.addresses.rtmp}/yard`]
      : ['-rtsp_transport', 'tcp', '-i', `${server.rtsp}/yard`];
    const args = ['-v', 'error', ...input, '-t', '12', '-vsync', 'vfr', '-f', 'null', '-'];
    await using player = start('ffmpeg', args, 60_000);
    await eventually(() => reader.of('video').length > 25 && reader.of('audio').length > 25);
    const { format } = reader.of('video')[0]!.track;

    const died = feed.stop();
    await camera[Symbol.asyncDispose]();
    await died;
    await eventually(async () => (await info()).state === 'standby');
    expect(await info()).toMatchObject({ source: { standby: { state: 'running' } } });
    const lost = reader.units.length;
    await eventually(
      () => reader.of('video').filter((unit) => reader.units.indexOf(unit) >= lost).length > 15,
    );
    const shown = reader.units.slice(lost);
    const first = shown.find(({ track }) => track.format.kind === 'video')!;
    expect(first.track.format).toMatchObject({
      codec: (format as { codec: string }).codec,
      ...(format.kind === 'video' ? { width: format.width, height: format.height } : {}),
    });
    const silent = shown.filter(({ track }) => track.format.kind === 'audio');
    expect(silent.length).toBeGreaterThan(50);
    const snapshot = await fetch(`${server.http}/yard/snapshot.jpg`);
    const jpeg = join(folder, 'snapshot.jpg');
    await writeFile(jpeg, Buffer.from(await snapshot.arrayBuffer()));
    const [red = 0, green = 255] = await pixel(jpeg, 320, 180);
    expect(red).toBeGreaterThan(200);
    expect(green).toBeLessThan(50);
    // The square stands in the middle of black.
    expect(Math.max(...(await pixel(jpeg, 20, 180)))).toBeLessThan(40);
    if (algorithm) {
      const [waiting] = await server.runs();
      expect(waiting).toMatchObject({
        state: 'waiting',
        reason: expect.stringContaining('stand-by is shown'),
      });
    }

    camera = await startRtsp({ port });
    feed = publish(clip, camera.url('cam'), -1);
    await eventually(async () => (await info()).state === 'live');
    const back = reader.units.length;
    await eventually(() => reader.units.length > back + 100);
    expect((await info()).source.standby.state).toBe('idle');
    for (const kind of ['video', 'audio'] as const) {
      const dts = reader.of(kind).map((unit) => unit.dts);
      expect(
        dts.slice(1).every((value, n) => value > dts[n]!),
        kind,
      ).toBe(true);
    }
    expect(reader.connections).toBe(1);
    if (algorithm) {
      const before = (await server.runs())[0]!.statistics.inferred;
      await eventually(async () => (await server.runs())[0]!.statistics.inferred > before);
    }
    const { code, stderr } = await player.finished;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    await feed.stop();
    await camera[Symbol.asyncDispose]();
  });

  it('may be a clip, and is there for a camera that never came', async () => {
    const clip = await barcodeClip({ seconds: 2, gop: 25 });
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://127.0.0.1:1/none", standby: ${clip}, standbyAfterSeconds: 0 }, gone: { source: "rtsp://127.0.0.1:1/none", onDemand: false, standby: /nowhere.png, standbyAfterSeconds: 0 } }`,
    );
    await using reader = await readUnits(`${server.rtsp}/yard`);
    // Over the seam of its second pass.
    await eventually(() => reader.of('video').length > 110);
    const video = reader.of('video');
    expect(new Set(video.slice(1).map(({ dts }, n) => dts - video[n]!.dts))).toEqual(new Set([3600]));
    expect(reader.of('audio')).toEqual([]);
    expect(await server.get('/api/streams/yard')).toMatchObject({
      state: 'standby',
      tracks: [{ codec: 'h264', width: 640, height: 360 }],
      source: { code: 'RTSP_UNREACHABLE', standby: { address: clip, state: 'running' } },
    });
    // What cannot be shown says why, and the source says what is wrong with it.
    const gone = await eventually(async () => {
      const one = await server.get<Info>('/api/streams/gone');
      return one.source.standby.state === 'failed' ? one : undefined;
    });
    expect(gone.source).toMatchObject({
      standby: { code: 'INPUT_MISSING', reason: expect.stringContaining('/nowhere.png') },
    });
  });
});
