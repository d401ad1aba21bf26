import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SinkStatistics } from '#link/messages.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { isVideo } from '#media/track.ts';
import { fileKind } from '../../src/media/outputs.ts';
import { openFileOutput } from '../../src/pipelines/file-output.ts';
import { BARCODE_FLASH, beepDelays, readMarks } from '../support/av-marks.ts';
import { clipUnits, moved } from '../support/clip-units.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { type ProbedFile, probeFile } from '../support/probed-file.ts';

const SECONDS = 4;
/** A camera that has been up for a while. */
const UPTIME = 54_321;
let folder: string;
/** With B-frames. */
let units: AccessUnit[];

beforeAll(async () => {
  const clip = await clipUnits({ seconds: SECONDS, bframes: 2, gop: 25 });
  // Fragments say nothing of edits: the picture is two frames late for its B-frames, the sound one of AAC for its priming.
  const late = 2 / 25 - 1024 / 48_000;
  units = clip
    .flatMap((unit) => moved([unit], isVideo(unit.track) ? UPTIME : UPTIME + late))
    .sort((a, b) => a.dts / a.track.clockRate - b.dts / b.track.clockRate);
  folder = await mkdtemp(join(tmpdir(), 'sluice-files-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Begins to write the stream `yard` into files, and gives it what was filmed. */
async function record(hub: FakeHub, names: readonly string[], filmed: readonly AccessUnit[] = units) {
  const tracks = [...new Map(filmed.map(({ track }) => [track.id, track])).values()];
  const stream = hub.open('yard', tracks);
  const ids = tracks.map(({ id }) => id);
  const tasks = names.map((name) => {
    const path = join(folder, name);
    const container = fileKind(path)!;
    return hub.task({ kind: 'muxed-sink', stream: 'yard', tracks: ids, to: { container, path } });
  });
  await hub.until(() => hub.subscribers('yard') === names.length, 'subscriptions');
  const written = (task: string) =>
    hub.all('task.statistics').findLast((message) => message.task === task)?.statistics as SinkStatistics;
  const began = filmed[0]!.dts / filmed[0]!.track.clockRate;
  let second = 1;
  for (const unit of filmed) {
    // As in real life no more than a second is under way: what is far behind is left out.
    if (unit.dts / unit.track.clockRate - began > second) {
      const ms = second * 1000 - 200;
      await hub.until(() => tasks.every((task) => written(task)?.timeMs >= ms), `${ms} ms of all`);
      second++;
    }
    stream.write(unit);
  }
  const last = filmed.at(-1)!;
  const all = (last.dts / last.track.clockRate - began) * 1000 - 2;
  await hub.until(() => tasks.every((task) => written(task).timeMs >= all), 'all of it');
  return { stream, tasks };
}

async function expectWhole(name: string, made: ProbedFile, seconds = SECONDS): Promise<void> {
  expect(made.stderr, name).toBe('');
  expect(made.video, name).toMatchObject({ codec: 'h264', width: 640, height: 360 });
  expect(made.audio, name).toMatchObject({ codec: 'aac', sampleRate: 48_000 });
  // From zero on: a player would wait for the camera's uptime.
  expect(made.pictures[0], name).toBeLessThan(0.2);
  for (let n = 1; n < made.pictures.length; n++) {
    expect(Math.abs(made.pictures[n]! - made.pictures[n - 1]! - 0.04), name).toBeLessThan(0.0011);
  }
  const marks = await readMarks(['-i', join(folder, name)], SECONDS, BARCODE_FLASH);
  const delays = beepDelays(marks);
  expect(delays.length, name).toBeGreaterThanOrEqual(Math.floor(seconds) - 1);
  for (const delay of delays) expect(Math.abs(delay), name).toBeLessThanOrEqual(20);
}

describe('a stream that is written into files', () => {
  it('is whole in every kind of file when its task is stopped, its worker is, or the server is gone', async () => {
    const [hub, orphaned] = await Promise.all([FakeHub.start(), FakeHub.start()]);
    const [{ tasks }] = await Promise.all([
      record(hub, ['a.mp4', 'a.mov', 'a.mkv', 'a.ts', 'a.flv', 'b.mp4', 'b.mkv']),
      record(orphaned, ['c.mp4', 'c.mkv']),
    ]);
    for (const task of tasks.slice(0, 5)) hub.stop(task);
    for (const task of tasks.slice(0, 5)) expect((await hub.state(task, 'done')).reason).toBe('Stopped.');
    // The others are ended by SIGTERM of their worker.
    await hub[Symbol.asyncDispose]();
    expect(await hub.exited).toMatchObject({ signal: null });
    orphaned.closeLink();
    expect(await orphaned.exited).toMatchObject({ signal: null });
    await orphaned[Symbol.asyncDispose]();
    const kinds = ['a.mp4', 'a.mov', 'a.mkv', 'a.ts', 'a.flv', 'b.mp4', 'b.mkv', 'c.mp4', 'c.mkv'];
    for (const name of kinds) {
      const made = await probeFile(join(folder, name));
      expect(made.pictures, name).toHaveLength(SECONDS * 25);
      expect(Math.abs(made.duration - SECONDS), name).toBeLessThan(0.2);
      await expectWhole(name, made);
    }
    const statistics = hub.all('task.statistics').findLast(({ task }) => task === tasks[0])!
      .statistics as SinkStatistics;
    expect(statistics).toMatchObject({ dropped: 0 });
    expect(statistics.bytesSent).toBeGreaterThan(100_000);
  });

  it('can be played up to the last second and a half when the worker is killed', async () => {
    await using hub = await FakeHub.start();
    const names = ['k.mp4', 'k.mkv', 'k.ts', 'k.flv'];
    await record(hub, names);
    hub.worker.kill('SIGKILL');
    await hub.exited;
    for (const name of names) {
      const made = await probeFile(join(folder, name));
      expect(made.pictures.length, name).toBeGreaterThanOrEqual(SECONDS * 25 - 38);
      await expectWhole(name, made, made.pictures.length / 25);
    }
  });

  it('leaves nothing behind where it could not be begun, so that the next attempt may', async () => {
    const path = join(folder, 'not-begun.mp4');
    const tracks = [...new Map(units.map(({ track }) => [track.id, track])).values()];
    const tooSlow = AbortSignal.abort(new Error('The disk takes nothing.'));
    const begin = openFileOutput({ container: 'mp4', path }, tracks, tooSlow);
    await expect(begin).rejects.toThrow('The disk takes nothing.');
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('ends a file that keeps its index in memory after six hours, complete, at a keyframe', async () => {
    await using hub = await FakeHub.start();
    const { stream, tasks } = await record(hub, ['long.mp4', 'long.mkv']);
    // Two groups of pictures, no more than may wait.
    const next = units.filter((unit) => unit.dts / unit.track.clockRate - UPTIME < 1.5);
    for (const unit of moved(next, 6 * 3600 + 10)) stream.write(unit);
    expect(await hub.state(tasks[0]!, 'done')).toMatchObject({
      reason: 'The file is as long as one may be, 6 hours; what follows goes into another.',
    });
    const made = await probeFile(join(folder, 'long.mp4'));
    expect(made.stderr).toBe('');
    expect(made.duration).toBeGreaterThan(6 * 3600);
    // The first of the two is the last in this file.
    expect(made.pictures).toHaveLength(SECONDS * 25 + 25);
    hub.stop(tasks[1]!);
    await hub.state(tasks[1]!, 'done');
  });

  it('that cannot be written says why, and never writes over another file', async () => {
    await using hub = await FakeHub.start();
    const [full, other] = ['full.mp4', 'other.mp4'].map((name) => join(folder, name));
    await Promise.all([
      symlink('/dev/full', full!),
      writeFile(other!, 'something else'),
      mkdir(join(folder, 'folder.mp4')),
    ]);
    const tracks = [...new Map(units.map(({ track }) => [track.id, track])).values()];
    const stream = hub.open('yard', tracks);
    const begin = (path: string, overwrite = false) =>
      hub.task({
        kind: 'muxed-sink',
        stream: 'yard',
        tracks: tracks.map(({ id }) => id),
        to: { container: 'mp4', path, ...(overwrite && { overwrite: true }) },
      });
    const tasks = {
      full: begin(full!, true),
      other: begin(other!),
      folder: begin(join(folder, 'folder.mp4'), true),
      nowhere: begin(join(folder, 'no', 'a.mp4')),
    };
    await hub.until(() => hub.subscribers('yard') === 4, 'subscriptions');
    for (const unit of units) stream.write(unit);
    expect(await hub.state(tasks.full, 'failed')).toMatchObject({
      code: 'FILE_DISK_FULL',
      reason: expect.stringContaining('no room left'),
    });
    expect(await hub.state(tasks.other, 'failed')).toMatchObject({ code: 'FILE_EXISTS' });
    expect((await stat(other!)).size).toBe('something else'.length);
    expect(await hub.state(tasks.folder, 'failed')).toMatchObject({
      code: 'FILE_NOT_WRITABLE',
      reason: expect.stringContaining('it is a folder'),
    });
    expect(await hub.state(tasks.nowhere, 'failed')).toMatchObject({
      code: 'FILE_NOT_WRITABLE',
      reason: expect.stringContaining('there is no folder'),
    });
  });
});
