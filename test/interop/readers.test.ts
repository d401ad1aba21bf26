import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { processTree } from '../../bench/process-tree.ts';
import { sleep, startServer, until } from '../../bench/server.ts';
import { clipPath } from '../support/clips.ts';
import { publish } from '../support/rtsp.ts';
import { eventually, sluice } from '../support/sluice.ts';
import { MseViewer, RtspViewer, type Viewer } from '../support/viewers.ts';

/** Readers that stop reading, and many that come and go, under the whole server. */

/** Ticks from one picture of 25 fps to the next. */
const STEP = 3600;

interface ReaderState {
  readonly door: string;
  readonly remote: string;
  readonly dropped: { readonly video: number };
  readonly queuedBytes: number;
}

/** The least memory of a process over a second: what garbage comes and goes meanwhile does not count. */
async function residentMb(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 10; n++) {
    least = Math.min(least, processTree(pid)[0]!.rssMb);
    await sleep(100);
  }
  return least;
}

/** Timestamps as RTP has them: 32 bits. */
function low(pts: number): number {
  return pts >>> 0;
}

it('two of a hundred readers stop reading: the others get every picture, and the two go on at a keyframe', async () => {
  await using server = await startServer('demo: false\nreader: { stallSeconds: 60 }');
  await using _publisher = publish(await clipPath('h264-4m'), `${server.rtsp}/a`, 100);
  await until(async () => (await fetch(`${server.http}/api/streams/a`)).ok);
  const ws = `${server.http.replace('http', 'ws')}/a/mse`;
  await using room = new AsyncDisposableStack();
  const viewers: Viewer[] = [];
  for (let n = 0; n < 100; n++) {
    viewers.push(
      room.use(n % 4 === 0 ? await MseViewer.open(ws) : await RtspViewer.open(`${server.rtsp}/a`)),
    );
  }
  const stuck = [viewers.shift()!, viewers.shift()!];
  await sleep(1000);
  const before = await residentMb(server.pid);
  for (const viewer of stuck) viewer.stall();
  const stalledAt = stuck.map(({ pictures }) => pictures.length);
  const readers = async (): Promise<ReaderState[]> => {
    const answer = await fetch(`${server.http}/api/streams/a`);
    return ((await answer.json()) as { readers: ReaderState[] }).readers;
  };
  await eventually(
    async () => (await readers()).filter(({ dropped }) => dropped.video > 25).length === 2,
    60_000,
  );
  const after = await residentMb(server.pid);
  const queued = (await readers()).reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
  console.log(
    `server: ${before.toFixed(0)} MB before, ${after.toFixed(0)} MB with two stuck readers; queued ${queued} bytes`,
  );
  // The budget of one reader is 8 MiB.
  expect(after - before).toBeLessThan(2 * 8.4);
  expect(queued).toBeLessThan(2 * 8.4e6);
  for (const viewer of stuck) viewer.resume();
  await eventually(() =>
    stuck.every(({ pictures }) => low(pictures.at(-1)!) === low(viewers[0]!.pictures.at(-1)!)),
  );

  // All that were quick have the same pictures, one step after the other but for the seam of the clip.
  const first = Math.max(...viewers.map(({ pictures }) => pictures[0]!));
  const reference = viewers[0]!.pictures.filter((pts) => pts >= first).map(low);
  expect(reference.length).toBeGreaterThan(200);
  for (const viewer of viewers) {
    const seen = viewer.pictures.filter((pts) => pts >= first).map(low);
    const length = Math.min(seen.length, reference.length);
    expect(seen.slice(0, length)).toEqual(reference.slice(0, length));
    if (viewer instanceof RtspViewer) expect(viewer.gaps).toBe(0);
  }
  for (const [index, { pictures, keyframes }] of stuck.entries()) {
    const gap = pictures.findIndex((pts, at) => at > stalledAt[index]! && pts - pictures[at - 1]! > 5 * STEP);
    expect(gap).toBeGreaterThan(0);
    expect(keyframes[gap]).toBe(true);
  }
});

it('a reader that takes nothing for the time that is set is closed, and the log says why', async () => {
  const notes: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void notes.push(line) });
  await using server = await sluice('demo: false\nreader: { stallSeconds: 1 }', log);
  await using _publisher = publish(await clipPath('h264-4m'), `${server.rtsp}/a`, 100);
  await server.live('a');
  const ws = `${server.http.replace('http', 'ws')}/a/mse`;
  await using rtsp = await RtspViewer.open(`${server.rtsp}/a`);
  await using mse = await MseViewer.open(ws);
  await using other = await RtspViewer.open(`${server.rtsp}/a`);
  rtsp.stall();
  mse.stall();
  for (const said of [
    /RTSP \S+: no longer reads \\"a\\"\. The reader took nothing for 1 s\./,
    /MSE: \S+ no longer watches \\"a\\"\. The reader took nothing for 1 s\./,
  ]) {
    await eventually(() => notes.some((note) => said.test(note)), 60_000);
  }
  const { readers } = await server.get<{ readers: ReaderState[] }>('/api/streams/a');
  expect(readers).toHaveLength(1);
  expect(other.closed).toBe(false);
  expect(other.gaps).toBe(0);
  rtsp.resume();
  mse.resume();
  await eventually(() => rtsp.closed && mse.closed);
});

/** Collects garbage and gives the bytes that are left. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let n = 0; n < 3; n++) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it('five hundred readers that come and go leave nothing behind', async () => {
  await using server = await sluice('demo: false');
  await using _publisher = publish(await clipPath('h264-aac'), `${server.rtsp}/a`, 100);
  await server.live('a');
  const ws = `${server.http.replace('http', 'ws')}/a/mse`;
  /** One of many: most watch a while, some vanish at once, some stop reading before they go. */
  const visit = async (n: number) => {
    const viewer = n % 3 === 0 ? await MseViewer.open(ws) : await RtspViewer.open(`${server.rtsp}/a`);
    if (n % 5 === 0) viewer.stall();
    if (n % 7 !== 0) await sleep(100 + (n % 11) * 50);
    await viewer[Symbol.asyncDispose]();
  };
  const visits = async (from: number, count: number) => {
    for (let n = from; n < from + count; n += 25) {
      await Promise.all(Array.from({ length: 25 }, async (_, index) => visit(n + index)));
    }
  };
  const look = async () => {
    // Sockets that were closed have a second to go.
    await sleep(2500);
    const metrics = await (await fetch(`${server.http}/metrics`)).text();
    const resources = process.getActiveResourcesInfo();
    return {
      feeds: Number(/^sluice_feeds\{stream="a"\} (\d+)/m.exec(metrics)?.[1]),
      readers: metrics.match(/^sluice_readers\{/gm)?.length ?? 0,
      descriptors: readdirSync('/proc/self/fd').length,
      sockets: resources.filter((name) => name.startsWith('TCP')).length,
      timers: Number(/^sluice_timers (\d+)/m.exec(metrics)?.[1]),
      heap: heapBytes(),
    };
  };
  await visits(0, 100);
  const before = await look();
  await visits(100, 500);
  const after = await look();
  console.log(JSON.stringify({ before, after }));
  expect(after.feeds).toBe(0);
  expect(after.readers).toBe(0);
  expect(after.descriptors - before.descriptors).toBeLessThanOrEqual(3);
  expect(after.sockets - before.sockets).toBeLessThanOrEqual(2);
  expect(after.timers - before.timers).toBeLessThanOrEqual(3);
  // Less than 6 kB a reader: what one leaves behind for ever is more.
  expect(after.heap - before.heap).toBeLessThan(3e6);
});
