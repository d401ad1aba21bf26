import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readBarcode } from '../support/algorithms/barcode/read.ts';
import { barcodeClip } from '../support/media.ts';
import { run, runBytes } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const SECONDS = 4;
const TICKS = 3600;
let server: TestSluice;
let folder: string;

beforeAll(async () => {
  const path = await barcodeClip({ seconds: SECONDS, gop: 25, audio: 'none' });
  server = await sluice(
    `demo: false\nstreams: { cam: { source: ${path} }, late: { source: ${path}, onDemand: true } }\n`,
  );
  folder = await mkdtemp(join(tmpdir(), 'sluice-pictures-'));
  await server.live('cam');
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The number in the barcode of a JPEG, as another program decodes it. */
async function numberIn(jpeg: Buffer): Promise<number | undefined> {
  const file = join(folder, 'picture.jpg');
  await writeFile(file, jpeg);
  const args = ['-v', 'error', '-i', file, '-vf', 'scale=640:360', '-pix_fmt', 'gray', '-f', 'rawvideo', '-'];
  const data = await runBytes('ffmpeg', args);
  return readBarcode({ width: 640, height: 360, data });
}

const frameOf = (pts: number) => Math.round(pts / TICKS) % (SECONDS * 25);

async function picturesTasks(stream: string): Promise<number> {
  const { workers } = await server.get<{ workers: { role: string; tasks: { affinity: string }[] }[] }>(
    '/api/workers',
  );
  const tasks = workers.filter(({ role }) => role === 'pipeline').flatMap((worker) => worker.tasks);
  return tasks.filter(({ affinity }) => affinity === stream).length;
}

interface Part {
  readonly pts: number;
  readonly jpeg: Buffer;
  readonly at: number;
}

/** A viewer of moving JPEG. */
async function watch(path: string) {
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    get(`${server.http}${path}`, resolve).on('error', reject),
  );
  const parts: Part[] = [];
  let bytes = Buffer.alloc(0);
  response.on('error', () => {});
  response.on('data', (data: Buffer) => {
    bytes = Buffer.concat([bytes, data]);
    for (;;) {
      const end = bytes.indexOf('\r\n\r\n');
      const head = bytes.toString('latin1', 0, Math.max(0, end));
      const size = Number(/Content-Length: (\d+)/.exec(head)?.[1]);
      if (end < 0 || bytes.length < end + 4 + size) return;
      const jpeg = bytes.subarray(end + 4, end + 4 + size);
      parts.push({ pts: Number(/X-Pts: (\d+)/.exec(head)?.[1]), jpeg, at: performance.now() });
      bytes = bytes.subarray(end + 4 + size);
    }
  });
  const ended = new Promise((resolve) => response.on('close', resolve));
  return { response, parts, ended, leave: () => response.destroy() };
}

test('50 who ask at a time for a snapshot get one picture, the frame of its timestamp, as a JPEG of the full range', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const response = await fetch(`${server.http}/cam/snapshot.jpg`);
      return { response, body: Buffer.from(await response.arrayBuffer()) };
    }),
  );
  const { response, body } = answers[0]!;
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('image/jpeg');
  expect(response.headers.get('cache-control')).toBe('no-store');
  // A second keyframe may come meanwhile, no third one.
  expect(new Set(answers.map((answer) => answer.response.headers.get('x-pts'))).size).toBeLessThanOrEqual(2);
  const pts = Number(response.headers.get('x-pts'));
  expect(frameOf(pts) % 25).toBe(0);
  expect(await numberIn(body)).toBe(frameOf(pts));
  const captured = Number(response.headers.get('x-timestamp')) * 1000;
  expect(Math.abs(Date.now() - captured)).toBeLessThan(20_000);
  expect(Math.abs(Date.parse(response.headers.get('last-modified') ?? '') - captured)).toBeLessThanOrEqual(
    1000,
  );
  const show = ['-show_entries', 'stream=codec_name,width,height,color_range', '-of', 'json'];
  const { stdout } = await run('ffprobe', ['-v', 'error', ...show, join(folder, 'picture.jpg')]);
  const { streams } = JSON.parse(stdout) as { streams: object[] };
  expect(streams).toEqual([{ codec_name: 'mjpeg', width: 640, height: 360, color_range: 'pc' }]);
  // Nobody asks any more, so nothing decodes.
  await eventually(async () => (await picturesTasks('cam')) === 0);
  expect(await server.get('/api/streams/cam')).toMatchObject({ readers: [], snapshot: '/cam/snapshot.jpg' });
});

test('black and white of the video are black and white of the JPEG', async () => {
  const body = Buffer.from(await (await fetch(`${server.http}/cam/snapshot.jpg`)).arrayBuffer());
  const file = join(folder, 'range.jpg');
  await writeFile(file, body);
  const args = ['-v', 'error', '-i', file, '-pix_fmt', 'gray', '-f', 'rawvideo', '-'];
  const gray = await runBytes('ffmpeg', args);
  // The cell that is always white, and the black left of the first one.
  expect(gray[24 * 640 + 592]).toBeGreaterThan(245);
  expect(gray[24 * 640 + 30]).toBeLessThan(10);
});

test('a snapshot comes as narrow as was asked for, and waits for a stream on demand', async () => {
  const response = await fetch(`${server.http}/late/snapshot.jpg?width=320`);
  const body = Buffer.from(await response.arrayBuffer());
  expect(response.status).toBe(200);
  expect(await numberIn(body)).toBe(frameOf(Number(response.headers.get('x-pts'))));
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', join(folder, 'picture.jpg')],
  ]);
  expect(stdout.trim()).toBe('320,180');
});

test('what cannot be is refused with a code', async () => {
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`${server.http}${path}`, { method });
    const { error } = (await response.json()) as { error: { code: string } };
    return [response.status, error.code];
  };
  expect(await ask('/nobody/snapshot.jpg')).toEqual([404, 'STREAM_NOT_FOUND']);
  expect(await ask('/nobody/mjpeg')).toEqual([404, 'STREAM_NOT_FOUND']);
  expect(await ask('/cam/snapshot.jpg?width=7')).toEqual([400, 'PICTURES_WIDTH_INVALID']);
  expect(await ask('/cam/mjpeg?fps=99')).toEqual([400, 'PICTURES_FPS_INVALID']);
  expect(await ask('/cam/mjpeg', 'POST')).toEqual([405, 'METHOD_NOT_ALLOWED']);
});

test('all viewers of moving JPEG share what is made, each picture is the frame of its timestamp, and the last ends it', async () => {
  const first = await watch('/cam/mjpeg?fps=5');
  const second = await watch('/cam/mjpeg?fps=5');
  await eventually(() => first.parts.length >= 8 && second.parts.length >= 5);
  expect(await picturesTasks('cam')).toBe(1);
  for (const { pts, jpeg } of first.parts.slice(0, 5)) expect(await numberIn(jpeg)).toBe(frameOf(pts));
  // A picture more or less on the way to a keyframe; five a second over all.
  expect((first.parts[7]!.pts - first.parts[1]!.pts) / TICKS).toBeGreaterThanOrEqual(24);
  const shared = new Map(first.parts.map(({ pts, jpeg }) => [pts, jpeg]));
  expect(second.parts.filter(({ pts, jpeg }) => shared.get(pts)?.equals(jpeg)).length).toBeGreaterThan(3);
  expect(await server.get('/api/streams/cam')).toMatchObject({
    readers: expect.arrayContaining([expect.objectContaining({ door: 'mjpeg' })]),
  });
  first.leave();
  const had = second.parts.length;
  await eventually(() => second.parts.length > had + 2);
  second.leave();
  await eventually(async () => (await picturesTasks('cam')) === 0);
  expect(await server.get('/api/streams/cam')).toMatchObject({ readers: [] });
});

test('moving JPEG goes on when its worker is killed', async () => {
  const viewer = await watch('/cam/mjpeg?fps=10&width=320');
  await eventually(() => viewer.parts.length > 3);
  const { workers } = await server.get<{ workers: { role: string; pid: number }[] }>('/api/workers');
  process.kill(workers.find(({ role }) => role === 'pipeline')!.pid, 'SIGKILL');
  const killed = performance.now();
  const had = viewer.parts.length;
  await eventually(() => viewer.parts.length > had + 5);
  const { pts, jpeg } = viewer.parts.at(-1)!;
  expect(await numberIn(jpeg)).toBe(frameOf(pts));
  const gap = viewer.parts.slice(had - 1).map(({ at }, n, all) => at - (all[n - 1]?.at ?? at));
  console.info(
    `moving JPEG stood still for ${Math.round(Math.max(...gap))} ms after its worker was killed (${Math.round(performance.now() - killed)} ms to five more)`,
  );
  viewer.leave();
});
