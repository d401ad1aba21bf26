import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#util/clock.ts';
import { processTree } from '../../bench/process-tree.ts';
import { probeFile } from '../support/probed-file.ts';
import { start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** What jobs leave behind, and how they end with the server. */

const root = resolve(import.meta.dirname, '..', '..');
let folder: string;
let target: TestSluice;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-jobs-'));
  target = await sluice('demo: false\n');
});
afterAll(async () => {
  await target?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe('jobs', () => {
  it('leave no process, descriptor, timer or memory behind after 200 starts and stops', async () => {
    await using server = await sluice(
      'demo: false\nstreams:\n  test: { source: testsrc, onDemand: false }\njobs:\n  copy: { type: push, input: "stream:test", noAudio: true, output: "stream:copy" }\n' +
        `  away: { type: push, input: "stream:test", output: "${target.rtsp}/away" }\n` +
        '  made: { type: push, input: testsrc, output: "stream:made", enabled: false }\n',
    );
    await server.live('test');
    const turn = async (to: 'start' | 'stop', more: readonly string[] = []) => {
      await Promise.all(
        ['copy', 'away', ...more].map(async (name) => {
          const { status } = await server.post(`/api/jobs/${name}/${to}`, {});
          expect(status).toBe(200);
        }),
      );
    };
    /** Everything that could stay, once what ends has ended. */
    const left = async () => {
      await eventually(async () => {
        const { streams } = await server.get<{ streams: { name: string }[] }>('/api/streams');
        return streams.length === 1;
      });
      collect();
      return {
        descriptors: (await readdir('/proc/self/fd')).length,
        processes: processTree(process.pid).length,
        timers: systemClock.pending,
        heapMb: process.memoryUsage().heapUsed / 2 ** 20,
      };
    };
    const cycles = async (count: number) => {
      for (let n = 0; n < count; n++) {
        // Some get as far as to run, with a source in a worker; most are stopped on their way.
        const more = n % 10 === 0 ? ['made'] : [];
        await turn('start', more);
        if (more.length > 0) {
          await Promise.all([server.live('copy'), target.live('away'), server.live('made')]);
        }
        await turn('stop', more);
      }
    };
    await turn('stop');
    await cycles(20);
    const before = await left();
    await cycles(100);
    const after = await left();
    expect(after.processes).toBe(before.processes);
    // A connection of the test's own may be open, or not.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 4);
    expect(after.timers).toBeLessThanOrEqual(before.timers + 4);
    expect(after.heapMb).toBeLessThan(before.heapMb + 8);
  }, 240_000);

  it('end with the server by SIGTERM within 5 s: what they push to hears that it is over, files are whole', async () => {
    const file = join(folder, 'sluice.yml');
    await writeFile(
      file,
      'rtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\nhttp: { port: 0 }\ndemo: false\n' +
        `jobs:\n  last: { type: push, input: testsrc, output: "${target.rtsp}/last" }\n` +
        '  record: { type: push, input: "stream:jobs/last", output: record.mp4 }\n',
    );
    const record = join(folder, 'record.mp4');
    await using server = start(process.execPath, [join(root, 'src/cli/main.ts'), 'serve', '--config', file]);
    await target.live('last');
    await eventually(async () => (await stat(record)).size > 100_000);
    server.child.kill('SIGTERM');
    const told = performance.now();
    const { code, stderr } = await server.finished;
    expect(performance.now() - told).toBeLessThan(5000);
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/error/i);
    const { video, audio, stderr: complaints } = await probeFile(record);
    expect([video?.codec, audio?.codec, complaints]).toEqual(['h264', 'aac', '']);
    await eventually(async () => {
      const { streams } = await target.get<{ streams: { name: string }[] }>('/api/streams');
      return !streams.some(({ name }) => name === 'last');
    }, 2000);
  });
});
