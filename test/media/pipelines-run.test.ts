import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Result, RunStatistics } from '#algorithms/contract.ts';
import { h264Format } from '#codecs/h264.ts';
import type { TaskSpec } from '#link/messages.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { type BarcodeClipOptions, barcodeClip } from '../support/media.ts';

const manifest = fileURLToPath(new URL('../support/algorithms/barcode/manifest.json', import.meta.url));

function run(stream: string, parameters: Record<string, unknown> = {}): TaskSpec {
  return { kind: 'run', run: `${stream}/barcode`, stream, algorithm: 'barcode', manifest, parameters };
}

function results(hub: FakeHub, task: string): (Result & { number: number | undefined })[] {
  return hub
    .all('task.result')
    .filter((message) => message.task === task)
    .map(({ result }) => {
      const found = result as Result;
      return { ...found, number: (found.state as { number?: number } | undefined)?.number };
    });
}

function statistics(hub: FakeHub, task: string): RunStatistics | undefined {
  return hub.all('task.statistics').findLast((message) => message.task === task)?.statistics as RunStatistics;
}

/** Starts a looped clip and returns how the barcode follows from a timestamp. */
async function playClip(hub: FakeHub, options: BarcodeClipOptions): Promise<(pts: number) => number> {
  const path = await barcodeClip(options);
  hub.task({ kind: 'file-source', stream: 'clip', path, loop: true }, 'source');
  await hub.until(() => hub.units.length > 0, 'the first unit');
  const first = hub.units.find(({ trackId }) => trackId === 0)!.pts;
  return (pts) => ((pts - first) / 3600) % (options.seconds * 25);
}

const clips: [string, BarcodeClipOptions][] = [
  ['H.264 without B-frames', { seconds: 2, gop: 25 }],
  ['H.264 with B-frames', { seconds: 2, gop: 25, bframes: 3 }],
  ['H.265 with B-frames', { seconds: 2, gop: 25, bframes: 3, video: 'h265', container: 'mp4' }],
];

for (const [name, options] of clips) {
  test(`each picture of ${name} is seen under its own timestamp, over the seam of the loop`, async () => {
    await using hub = await FakeHub.start();
    const numberOf = await playClip(hub, options);
    const task = hub.task(run('clip', { fps: 0, mode: 'every' }));
    await hub.until(() => results(hub, task).length >= 80, '80 results');
    const found = results(hub, task);
    for (const { pts, number } of found) expect(number).toBe(numberOf(pts));
    const pts = found.map((result) => result.pts);
    expect(pts).toEqual(pts.toSorted((a, b) => a - b));
    // In mode `every` a fast algorithm misses none.
    for (const [n, value] of pts.slice(1).entries()) expect(value - pts[n]!).toBe(3600);
    expect(found[0]).toMatchObject({ stream: 'clip', algorithm: 'barcode', width: 640, height: 360 });
    const ntps = new Map(
      hub.units.filter(({ trackId }) => trackId === 0).map((unit) => [unit.pts, unit.ntp]),
    );
    for (const result of found) expect(result.ntp).toBe(ntps.get(result.pts));
  });
}

test('a slow algorithm gets the freshest picture, and what it passes over is counted', async () => {
  await using hub = await FakeHub.start();
  const numberOf = await playClip(hub, { seconds: 2, gop: 25 });
  const task = hub.task(run('clip', { fps: 0, delayMs: 150 }));
  await hub.until(() => results(hub, task).length >= 20, '20 results');
  const found = results(hub, task);
  for (const { pts, number } of found) expect(number).toBe(numberOf(pts));
  const pts = found.map((result) => result.pts);
  const mean = (pts.at(-1)! - pts[2]!) / (pts.length - 3);
  expect(mean).toBeGreaterThan(3600 * 3.5);
  expect(mean).toBeLessThan(3600 * 7);
  // About as old as a picture lasts: a backlog would grow with each.
  const queued = found.map(({ timing }) => timing.queueMs).toSorted((a, b) => a - b);
  expect(queued[10]).toBeLessThan(60);
  await hub.until(() => (statistics(hub, task)?.inferred ?? 0) >= 20, 'statistics');
  const counted = statistics(hub, task)!;
  expect(counted.skipped).toBeGreaterThan(counted.inferred * 2);
  expect(counted.offered).toBeGreaterThanOrEqual(counted.inferred + counted.skipped);
  expect(counted.resultAgeMs.p50).toBeGreaterThan(150);
  expect(counted.inferMs.p50).toBeGreaterThan(145);
});

test('in mode every a slow algorithm lags behind by a bounded number of pictures, in order, and the rest is counted', async () => {
  await using hub = await FakeHub.start();
  const numberOf = await playClip(hub, { seconds: 2, gop: 25 });
  const task = hub.task(run('clip', { fps: 0, mode: 'every', delayMs: 100 }));
  await hub.until(() => results(hub, task).length >= 45, '45 results');
  const found = results(hub, task);
  for (const { pts, number } of found) expect(number).toBe(numberOf(pts));
  const pts = found.map((result) => result.pts);
  expect(pts).toEqual(pts.toSorted((a, b) => a - b));
  // 25 pictures wait, which last a second; then the oldest are passed over.
  const queued = found.slice(25).map(({ timing }) => timing.queueMs);
  expect(Math.max(...queued)).toBeLessThan(2000);
  await hub.until(() => (statistics(hub, task)?.skipped ?? 0) > 20, 'skipped pictures');
});

test('5 frames per second are each fifth picture of 25, keyframes among them once their rhythm is known', async () => {
  await using hub = await FakeHub.start();
  const numberOf = await playClip(hub, { seconds: 2, gop: 25 });
  const task = hub.task(run('clip', { fps: 5 }));
  await hub.until(() => results(hub, task).length >= 22, '22 results');
  // The second keyframe comes within a second.
  const pts = results(hub, task)
    .slice(8)
    .map((result) => result.pts);
  for (const [n, value] of pts.slice(1).entries()) expect(value - pts[n]!).toBe(18_000);
  for (const value of pts) expect(numberOf(value) % 5).toBe(0);
});

test('two runs share one decoder, and without a run nothing is decoded nor subscribed to', async () => {
  await using hub = await FakeHub.start();
  await playClip(hub, { seconds: 2, gop: 25 });
  expect(hub.subscribers('clip')).toBe(0);
  const one = hub.task({ ...run('clip', { fps: 0 }), run: 'one' } as TaskSpec, 'one');
  const two = hub.task({ ...run('clip', { fps: 2 }), run: 'two' } as TaskSpec, 'two');
  await hub.until(() => results(hub, two).length >= 6, 'results of both');
  expect(hub.subscribers('clip')).toBe(1);
  await hub.until(() => hub.all('task.statistics').length >= 8, 'statistics');
  expect(statistics(hub, one)!.decoded).toBeLessThanOrEqual(
    hub.units.filter((unit) => unit.trackId === 0).length,
  );
  hub.stop(one);
  hub.stop(two);
  await hub.state(one, 'done');
  await hub.state(two, 'done');
  await hub.until(() => hub.subscribers('clip') === 0, 'the end of the subscription');
});

for (const [name, options, parameters] of [
  ['mode keyframes', { seconds: 2, gop: 25 }, { fps: 0, mode: 'keyframes' }],
  ['mode keyframes with B-frames', { seconds: 2, gop: 25, bframes: 3 }, { fps: 0, mode: 'keyframes' }],
  ['a rate below that of keyframes', { seconds: 2, gop: 25 }, { fps: 0.9 }],
] as [string, BarcodeClipOptions, Record<string, unknown>][]) {
  test(`in ${name} nothing but keyframes is decoded, as far as the order of display allows`, async () => {
    await using hub = await FakeHub.start();
    const numberOf = await playClip(hub, options);
    const task = hub.task(run('clip', parameters));
    await hub.until(() => results(hub, task).length >= 5, '5 results');
    const found = results(hub, task).slice(1);
    for (const { pts, number } of found) {
      expect(number).toBe(numberOf(pts));
      expect(numberOf(pts) % 25).toBe(0);
    }
    // Before the rhythm of the keyframes was known, the first wish may have cost a whole group of pictures.
    const { decoded, offered } = statistics(hub, task)!;
    expect(decoded).toBeLessThan(offered * (options.bframes ? 0.4 : 0.3) + 25);
  });
}

test('while an algorithm waits nothing is decoded, however many pictures come', async () => {
  await using hub = await FakeHub.start();
  await playClip(hub, { seconds: 2, gop: 25 });
  const task = hub.task(run('clip', { fps: 0, delayMs: 4000 }));
  await hub.until(() => results(hub, task).length >= 1, 'a first result');
  await hub.until(() => (statistics(hub, task)?.offered ?? 0) >= 150, 'pictures');
  const counted = statistics(hub, task)!;
  // Two looks at most, each of which needs the pictures since one keyframe, 25 at most.
  expect(counted.inferred).toBeLessThanOrEqual(2);
  expect(counted.decoded).toBeLessThanOrEqual(3 * 25);
});

test('a result that comes too late is dropped and counted', async () => {
  await using hub = await FakeHub.start();
  await playClip(hub, { seconds: 2, gop: 25 });
  const task = hub.task(run('clip', { fps: 0, delayMs: 300, maxAge: 200 }));
  await hub.until(() => (statistics(hub, task)?.expired ?? 0) >= 3, 'late results');
  expect(results(hub, task)).toEqual([]);
});

test('a run waits for its stream, and goes on when it is there again', async () => {
  await using hub = await FakeHub.start();
  const task = hub.task(run('clip', { fps: 0 }));
  expect(await hub.state(task, 'waiting')).toMatchObject({ reason: 'There is no stream "clip".' });
  await playClip(hub, { seconds: 2, gop: 25 });
  await hub.until(() => results(hub, task).length >= 5, 'results');
  await hub.state(task, 'running');
});

test('a host that is killed is back within 2 s, and the run says why it waits', async () => {
  await using hub = await FakeHub.start();
  await playClip(hub, { seconds: 2, gop: 25 });
  const task = hub.task(run('clip', { fps: 0 }));
  await hub.until(() => results(hub, task).length >= 5, 'results');
  const [host] = childrenOf(hub.worker.pid!);
  process.kill(host!, 'SIGKILL');
  const killed = performance.now();
  const { reason } = await hub.state(task, 'waiting');
  expect(reason).toContain('SIGKILL');
  const before = results(hub, task).length;
  await hub.until(() => results(hub, task).length > before + 3, 'results again');
  expect(performance.now() - killed).toBeLessThan(2000);
});

test('an algorithm that cannot be loaded fails with its code', async () => {
  await using hub = await FakeHub.start();
  const spec = { ...run('clip'), manifest: '/nowhere/manifest.json' } as TaskSpec;
  const state = await hub.state(hub.task(spec), 'failed');
  expect(state.code).toMatch(/^[A-Z_]+$/);
  expect(state.reason).toContain('/nowhere/manifest.json');
});

test('broken pictures cost the ones up to the next keyframe, and a change of size is followed', async () => {
  await using hub = await FakeHub.start();
  // The worker's own sources give us real access units, which we then bend.
  const small = await unitsOf(hub, 'small', await barcodeClip({ seconds: 2, gop: 10, audio: 'none' }));
  const stream = hub.open('bent', [small.track]);
  const task = hub.task(run('bent', { fps: 0, mode: 'every' }));
  await hub.until(() => hub.subscribers('bent') === 1, 'the subscription');
  const send = (unit: AccessUnit, n: number) => stream.write({ ...unit, pts: n * 3600, dts: n * 3600 });
  for (let n = 0; n < 50; n++) {
    const unit = small.units[n]!;
    const broken = n === 13 ? unit.payload.map((nal) => Buffer.alloc(nal.length, 0xa5)) : unit.payload;
    send({ ...unit, payload: broken }, n);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await hub.until(() => results(hub, task).some(({ pts }) => pts === 49 * 3600), 'the last picture');
  const seen = new Set(results(hub, task).map(({ pts }) => pts / 3600));
  for (const n of [5, 12, 25, 40]) expect(seen).toContain(n);
  for (const { pts, number } of results(hub, task)) expect(number).toBe(pts / 3600);

  // Half the size in mid-stream, and with B-frames: other parameter sets, the same track.
  const clip = await barcodeClip({ seconds: 1, gop: 5, audio: 'none' });
  const half = join(tmpdir(), 'sluice-test-media', `half-${process.pid}.mp4`);
  const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '5'];
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', clip, '-vf', 'scale=320:180', ...encoder, half]);
  const other = await unitsOf(hub, 'other', half);
  rmSync(half);
  const first = other.units[0]!.pts;
  for (const unit of other.units) {
    const shift = 900_000 - first;
    stream.write({ ...unit, track: other.track, pts: unit.pts + shift, dts: unit.dts + shift });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const later = () => results(hub, task).filter(({ pts }) => pts >= 900_000);
  await hub.until(() => later().length >= 20, 'the other format');
  for (const { pts, number, width } of later()) {
    expect(width).toBe(320);
    expect(number).toBe((pts - 900_000) / 3600);
  }
});

/** All access units of a clip, as the file source publishes them. */
async function unitsOf(
  hub: FakeHub,
  name: string,
  path: string,
): Promise<{ track: Track; units: AccessUnit[] }> {
  const task = hub.task({ kind: 'file-source', stream: name, path, loop: false });
  await hub.state(task, 'done');
  const publication = hub.publications.find(({ stream }) => stream === name)!;
  const track = publication.tracks[0] ?? { id: 0, clockRate: 90_000, format: h264Format([]) };
  const units = hub.units
    .filter(({ channel }) => channel === publication.publication)
    .map(({ pts, dts, keyframe, ntp, payload }) => ({ track, pts, dts, keyframe, ntp, payload }));
  return { track, units };
}

function childrenOf(pid: number): number[] {
  const list = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return list.trim().split(/\s+/).map(Number);
}
