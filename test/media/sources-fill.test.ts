import { expect, test } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import { numberOf } from '../support/fault-camera/clip.ts';
import { FaultServer } from '../support/fault-camera/server.ts';
import { pictureOnly, soundOnly } from '../support/fill-skew.ts';
import { delays, HASH_OUTPUT, hashFile, parseFrameHashes } from '../support/frames.ts';
import { barcodeClip } from '../support/media.ts';
import { run, start } from '../support/process.ts';
import { published, startRtsp } from '../support/rtsp.ts';
import { readUnits } from '../support/rtsp-units.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

interface Info {
  readonly state: string;
  readonly tracks: readonly { readonly id: number; readonly codec: string }[];
  readonly source: {
    readonly state: string;
    readonly fill: {
      readonly state: string;
      readonly address: string;
      readonly brings: readonly string[];
      readonly reason?: string;
    };
  };
}

const info = (server: TestSluice, name: string) => server.get<Info>(`/api/streams/${name}`);

/** Ms between a unit's capture by its camera and what the reader takes for it. */
function error({ track, payload, ntp }: AccessUnit, camera: FaultServer): number {
  const step = track.format.kind === 'video' ? 40 : 1024 / 48;
  return ntp - (camera.cores.at(-1)!.camera.startedAt + numberOf(payload.at(-1)!) * step);
}

/** Largest distance of sound from picture, ms. */
function skew(units: readonly AccessUnit[], camera: FaultServer, microphone: FaultServer): number {
  const of = (kind: string) => units.filter(({ track }) => track.format.kind === kind);
  const pictures = of('video').map((unit) => error(unit, camera));
  const sounds = of('audio').map((unit) => error(unit, microphone));
  const worst = Math.max(
    Math.max(...sounds) - Math.min(...pictures),
    Math.max(...pictures) - Math.min(...sounds),
  );
  console.log(`${pictures.length} pictures, ${sounds.length} sounds, at most ${worst.toFixed(2)} ms apart`);
  return worst;
}

test('the picture of one camera and the sound of another are one stream, within 40 ms, also when the sound comes later or again', async () => {
  await using camera = await FaultServer.listen({ camera: { clip: pictureOnly } });
  const early = await FaultServer.listen({ camera: { clip: soundOnly } });
  const { port } = early;
  await early[Symbol.asyncDispose]();
  await using server = await sluice(
    `demo: false\nstreams: { yard: { source: "${camera.url()}", fill: "rtsp://u:secret@127.0.0.1:${port}/mic", onDemandCloseSeconds: 1 } }`,
  );
  const url = `${server.rtsp}/yard`;
  const first = await readUnits(url);
  expect((await info(server, 'yard')).source).toMatchObject({
    state: 'running',
    fill: { address: `rtsp://127.0.0.1:${port}/mic`, brings: [] },
  });
  await eventually(() => first.of('video').length > 75);

  const microphone = await FaultServer.listen({ camera: { clip: soundOnly }, port });
  await eventually(async () => (await info(server, 'yard')).source.fill.brings.includes('audio'));
  await using reader = await readUnits(url);
  await eventually(() => reader.of('audio').length > 150);
  expect(new Set(reader.units.map(({ track }) => track.id)).size).toBe(2);
  expect(skew(reader.units, camera, microphone)).toBeLessThanOrEqual(40);

  await microphone[Symbol.asyncDispose]();
  await eventually(async () => (await info(server, 'yard')).source.fill.state === 'waiting');
  const [pictures, sounds] = [reader.of('video').length, reader.of('audio').length];
  await eventually(() => reader.of('video').length > pictures + 25);
  expect(await info(server, 'yard')).toMatchObject({ state: 'live', source: { state: 'running' } });

  await using again = await FaultServer.listen({ camera: { clip: soundOnly }, port });
  const before = reader.units.length;
  await eventually(() => reader.of('audio').length > sounds + 150);
  expect(skew(reader.units.slice(before), camera, again)).toBeLessThanOrEqual(40);
  expect(reader.connections).toBe(1);
  const dts = reader.of('audio').map((unit) => unit.dts);
  expect(dts.slice(1).every((value, n) => value > dts[n]!)).toBe(true);

  await first[Symbol.asyncDispose]();
  await reader[Symbol.asyncDispose]();
  await eventually(async () => (await info(server, 'yard')).state === 'idle');
  await eventually(() => camera.open === 0 && again.open === 0);
});

test('what is missing comes from any kind of source, and only what is missing', async () => {
  const [silent, whole] = await Promise.all([
    barcodeClip({ seconds: 2, gop: 25, audio: 'none' }),
    barcodeClip({ seconds: 2, gop: 25 }),
  ]);
  await using server = await sluice(
    `demo: false\nstreams: { hall: { source: ${silent}, fill: ${whole} }, clock: { source: ${silent}, fill: testsrc }, full: { source: ${whole}, fill: testsrc } }`,
  );
  for (const name of ['hall', 'clock', 'full']) {
    await eventually(async () => (await info(server, name)).source.fill.state === 'running');
    await eventually(async () => (await info(server, name)).tracks.length === 2);
    const { tracks, source } = await info(server, name);
    expect(tracks.map(({ codec }) => codec)).toEqual(['h264', 'aac']);
    expect(source.fill.brings).toEqual(name === 'full' ? [] : ['audio']);
  }
  await using reader = await readUnits(`${server.rtsp}/hall`);
  await eventually(() => reader.of('audio').length > 50 && reader.of('video').length > 25);
});

test('what ffmpeg sends as two streams plays in step, although its reports show another time on each', async () => {
  const clip = await barcodeClip({ seconds: 20, gop: 25 });
  await using camera = await startRtsp();
  const to = (name: string) => ['-c', 'copy', '-f', 'rtsp', '-rtsp_transport', 'tcp', camera.url(name)];
  const input = ['-v', 'error', '-re', '-i', clip];
  await using _feed = start('ffmpeg', [
    ...input,
    '-map',
    '0:v',
    ...to('picture'),
    '-map',
    '0:a',
    ...to('sound'),
  ]);
  await Promise.all([published(camera.hub, 'picture'), published(camera.hub, 'sound')]);
  await using server = await sluice(
    `demo: false\nstreams: { yard: { source: "${camera.url('picture')}", fill: "${camera.url('sound')}" } }`,
  );
  const read = ['-v', 'error', '-copyts', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/yard`, '-t', '8'];
  const { stdout, stderr } = await run('ffmpeg', [...read, ...HASH_OUTPUT]);
  expect(stderr).toBe('');
  const [source, received] = [await hashFile(clip), parseFrameHashes(stdout)];
  // While it begins, what came earliest is still being found out.
  const settled = (all: number[]) => all.slice(all.length / 4);
  const pictures = settled(delays(source, received, 'video'));
  const sounds = settled(delays(source, received, 'audio'));
  expect(pictures.length).toBeGreaterThan(110);
  expect(sounds.length).toBeGreaterThan(180);
  const worst = Math.max(
    Math.max(...sounds) - Math.min(...pictures),
    Math.max(...pictures) - Math.min(...sounds),
  );
  console.log(`ffmpeg in two streams: at most ${worst.toFixed(2)} ms apart`);
  expect(worst).toBeLessThanOrEqual(40);
});
