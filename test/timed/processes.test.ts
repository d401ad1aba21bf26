import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunInfo } from '#cameras/contract.ts';
import type { WorkerInfo } from '#workers/pool.ts';
import { processTree } from '../../bench/process-tree.ts';
import { startServer, until } from '../../bench/server.ts';
import { clipPath } from '../support/clips.ts';
import { publish } from '../support/rtsp.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';
import { MseViewer, RtspViewer } from '../support/viewers.ts';

/** Workers and algorithm hosts that die, stand still and grow, under the whole server. */

const flaky = join(import.meta.dirname, '../support/algorithms/flaky');
let folder: string;
let clip: string;
/** Configuration: only streams that somebody publishes, and algorithms that go wrong. */
let yaml: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-processes-'));
  clip = await clipPath('h264-aac');
  const manifest = JSON.parse(await readFile(join(flaky, 'manifest.json'), 'utf8')) as object;
  const impatient = {
    ...manifest,
    id: 'impatient',
    adapter: { kind: 'plugin', file: join(flaky, 'plugin.ts') },
    runtime: { frameTimeoutMs: 1000 },
  };
  await writeFile(join(folder, 'impatient.json'), JSON.stringify(impatient));
  yaml = `demo: false\nworkers: { max: 4 }\nalgorithms: { folders: [${JSON.stringify(join(flaky, '..'))}, ${JSON.stringify(folder)}], memoryMb: 400 }`;
});

afterAll(() => rm(folder, { recursive: true }));

function alive(pid: number): boolean {
  return processTree(pid).length > 0;
}

async function workerOf(server: TestSluice, stream: string): Promise<WorkerInfo & { pid: number }> {
  const { workers } = await server.get<{ workers: WorkerInfo[] }>('/api/workers');
  const worker = workers.find(
    ({ role, tasks }) => role === 'pipeline' && tasks.some((t) => t.affinity === stream),
  );
  if (worker?.pid === undefined) throw new Error(`No worker works for ${stream}.`);
  return { ...worker, pid: worker.pid };
}

async function hostOf(server: TestSluice, stream: string): Promise<number> {
  const { pid } = await workerOf(server, stream);
  const host = processTree(pid).find(({ role }) => role === 'algorithm-host');
  if (!host) throw new Error(`No algorithm host works for ${stream}.`);
  return host.pid;
}

async function runOf(server: TestSluice, stream: string): Promise<RunInfo> {
  const run = (await server.runs()).find((one) => one.stream === stream);
  if (!run) throw new Error(`There is no run on ${stream}.`);
  return run;
}

/** Waits until the run is at work and has looked at more frames than `before`. */
function atWork(server: TestSluice, stream: string, before = 0): Promise<RunInfo> {
  return eventually(async () => {
    const run = await runOf(server, stream);
    return run.state === 'running' && run.statistics.inferred > before ? run : undefined;
  }, 20_000);
}

/** Waits until the run says that it waits, and why. */
function waiting(server: TestSluice, stream: string): Promise<RunInfo> {
  return eventually(async () => {
    const run = await runOf(server, stream);
    return run.state === 'waiting' ? run : undefined;
  });
}

async function startRun(
  server: TestSluice,
  stream: string,
  algorithm: string,
  parameters: object,
): Promise<void> {
  const { status, body } = await server.post('/api/runs', { stream, algorithm, parameters });
  if (status !== 201) throw new Error(JSON.stringify(body));
}

describe('a process that goes wrong', () => {
  it('is noticed within 2 s when it stands still, host or worker, and is back within 2 s; another run goes on', async () => {
    await using server = await sluice(yaml);
    await using _a = publish(clip, `${server.rtsp}/a`, 100);
    await using _b = publish(clip, `${server.rtsp}/b`, 100);
    await server.live('a');
    await server.live('b');
    await startRun(server, 'a', 'flaky', { fps: 10 });
    await startRun(server, 'b', 'flaky', { fps: 10 });
    await atWork(server, 'a', 5);
    await atWork(server, 'b', 5);
    const { pid: workerB } = await workerOf(server, 'b');
    const hostB = await hostOf(server, 'b');
    const { pid: workerA } = await workerOf(server, 'a');
    expect(workerA).not.toBe(workerB);
    for (const [who, reason] of [
      ['host', /stood still for/],
      ['worker', /did not answer for/],
    ] as const) {
      const pid = who === 'host' ? await hostOf(server, 'a') : (await workerOf(server, 'a')).pid;
      const before = await atWork(server, 'a');
      const other = (await runOf(server, 'b')).statistics.inferred;
      process.kill(pid, 'SIGSTOP');
      const stopped = performance.now();
      const lost = await waiting(server, 'a');
      const noticed = performance.now() - stopped;
      expect(lost.reason).toMatch(reason);
      await atWork(server, 'a', before.statistics.inferred + 1);
      const back = performance.now() - stopped - noticed;
      console.log(
        `${who}: noticed after ${noticed.toFixed(0)} ms, at work again ${back.toFixed(0)} ms later`,
      );
      // The state was asked for every 50 ms.
      expect(noticed).toBeLessThan(2100);
      expect(back).toBeLessThan(2000);
      // At least 7 of its 10 frames a second; told once a second, so the last of them a second later.
      const due = Math.floor(((noticed + back) / 1000) * 7);
      await eventually(async () => (await runOf(server, 'b')).statistics.inferred - other >= due, 1500);
    }
    expect((await workerOf(server, 'b')).pid).toBe(workerB);
    expect(await hostOf(server, 'b')).toBe(hostB);
  });

  it('is ended when it grows over its limit, and the run says so', async () => {
    await using server = await sluice(yaml);
    await using _a = publish(clip, `${server.rtsp}/a`, 100);
    await server.live('a');
    await startRun(server, 'a', 'flaky', { fps: 5, growMb: 100 });
    const lost = await waiting(server, 'a');
    expect(lost.reason).toMatch(
      /used \d+ MB of memory, more than the 400 MB that algorithms\.memoryMb allows/,
    );
    await atWork(server, 'a', lost.statistics.inferred);
  });

  it('is ended when it is a worker that is too large, alone in the end, and the stream of a publisher goes on', async () => {
    // No worker that decodes is so small.
    await using server = await sluice(yaml.replace('max: 4', 'max: 4, memoryMb: 80'));
    await using _a = publish(clip, `${server.rtsp}/a`, 100);
    await server.live('a');
    await using viewer = await RtspViewer.open(`${server.rtsp}/a`);
    await startRun(server, 'a', 'barcode', {});
    const lost = await eventually(async () => {
      const run = await runOf(server, 'a');
      return run.reason?.includes('workers.memoryMb') ? run : undefined;
    }, 20_000);
    expect(lost.reason).toMatch(/used \d+ MB of memory, more than the 80 MB that workers\.memoryMb allows/);
    const { workers } = await eventually(async () => {
      const list = await server.get<{ workers: WorkerInfo[] }>('/api/workers');
      return list.workers.some(({ quarantine }) => quarantine) ? list : undefined;
    }, 20_000);
    expect(workers.find(({ quarantine }) => quarantine)).toMatchObject({ tasks: [{ affinity: 'a' }] });
    expect(viewer.gaps).toBe(0);
    expect(viewer.closed).toBe(false);
  });

  it('is ended when a frame takes longer than its manifest allows', async () => {
    await using server = await sluice(yaml);
    await using _a = publish(clip, `${server.rtsp}/a`, 100);
    await server.live('a');
    await startRun(server, 'a', 'impatient', { fps: 5, hangAt: 3 });
    await atWork(server, 'a', 1);
    const lost = await waiting(server, 'a');
    expect(lost.reason).toMatch(/did not answer for 1(\.\d)? s, and a frame may take 1 s/);
    await atWork(server, 'a', lost.statistics.inferred);
  });
});

describe('no child outlives its parent', () => {
  it('when a worker is killed with -9 while an algorithm blocks its host', async () => {
    await using server = await sluice(yaml);
    await using _a = publish(clip, `${server.rtsp}/a`, 100);
    await server.live('a');
    await startRun(server, 'a', 'flaky', { fps: 5, hangAt: 2 });
    await atWork(server, 'a');
    const [host, worker] = [await hostOf(server, 'a'), await workerOf(server, 'a')];
    // It hangs in the second frame.
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(worker.pid, 'SIGKILL');
    await expect.poll(() => alive(host), { timeout: 2000 }).toBe(false);
  });

  it('when the server is killed with -9, whatever its workers and hosts are doing', async () => {
    await using server = await startServer(yaml);
    await using _a = publish(clip, `${server.rtsp}/a`, 100);
    await until(async () => (await fetch(`${server.http}/api/streams/a`)).ok);
    await post(server.http, { stream: 'a', algorithm: 'flaky', parameters: { fps: 5, hangAt: 2 } });
    await post(server.http, { stream: 'a', algorithm: 'barcode', parameters: {} });
    await until(
      async () => processTree(server.pid).filter(({ role }) => role === 'algorithm-host').length === 2,
    );
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const tree = processTree(server.pid).map(({ pid }) => pid);
    expect(tree.length).toBeGreaterThanOrEqual(4);
    process.kill(server.pid, 'SIGKILL');
    await expect.poll(() => tree.filter(alive), { timeout: 3000 }).toEqual([]);
  });

  it('when the server is killed with -9 while a worker and a host stand still', async () => {
    await using server = await startServer(yaml);
    await using _a = publish(clip, `${server.rtsp}/a`, 100);
    await until(async () => (await fetch(`${server.http}/api/streams/a`)).ok);
    await post(server.http, { stream: 'a', algorithm: 'barcode', parameters: {} });
    const find = (wanted: string) => processTree(server.pid).find(({ role }) => role === wanted)?.pid;
    await until(async () => find('algorithm-host') !== undefined);
    const children = [find('worker')!, find('algorithm-host')!];
    // A process that stands still notices nothing by itself: the kernel has to end it.
    for (const pid of children) process.kill(pid, 'SIGSTOP');
    try {
      process.kill(server.pid, 'SIGKILL');
      await expect.poll(() => children.filter(alive), { timeout: 2000 }).toEqual([]);
    } finally {
      for (const pid of children.filter(alive)) process.kill(pid, 'SIGKILL');
    }
  });
});

it('SIGTERM ends everything within 5 s, with a worker that stands still, a host that hangs and readers that are stuck', async () => {
  const server = await startServer(yaml);
  await using _a = publish(clip, `${server.rtsp}/a`, 100);
  await until(async () => (await fetch(`${server.http}/api/streams/a`)).ok);
  await post(server.http, { stream: 'a', algorithm: 'flaky', parameters: { fps: 5, hangAt: 2 } });
  await using rtsp = await RtspViewer.open(`${server.rtsp}/a`);
  await using mse = await MseViewer.open(`${server.http.replace('http', 'ws')}/a/mse`);
  rtsp.stall();
  mse.stall();
  await until(async () => processTree(server.pid).some(({ role }) => role === 'algorithm-host'));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const tree = processTree(server.pid);
  const worker = tree.find(({ role }) => role === 'worker')!;
  process.kill(worker.pid, 'SIGSTOP');
  const told = performance.now();
  await server[Symbol.asyncDispose]();
  const took = performance.now() - told;
  console.log(`everything ended ${took.toFixed(0)} ms after SIGTERM`);
  expect(took).toBeLessThan(5000);
  await expect.poll(() => tree.filter(({ pid }) => alive(pid)), { timeout: 1000 }).toEqual([]);
});

async function post(http: string, body: object): Promise<void> {
  const answer = await fetch(`${http}/api/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
