import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Result } from '#algorithms/contract.ts';
import { barcodeClip } from '../support/media.ts';
import { run, start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-server-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** Publishes a clip with the real ffmpeg, in real time, without end. */
function publish(clip: string, address: string) {
  const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy'];
  return start('ffmpeg', [...input, '-f', 'rtsp', '-rtsp_transport', 'tcp', address], 120_000);
}

/** A viewer of a stream's results; its leases end with it. */
function watchResults(server: TestSluice, stream: string) {
  const socket = new WebSocket(`${server.http.replace('http', 'ws')}/${stream}/results`);
  const results: Result[] = [];
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: string; result: Result };
    if (message.type === 'result') results.push(message.result);
  });
  return { results, socket, [Symbol.asyncDispose]: async () => socket.close() };
}

describe('errors a user meets', () => {
  it('name the port and the setting when a port is busy', async () => {
    const other = createTcpServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    for (const [yaml, setting] of [
      [`http: { port: ${port} }`, 'http.port'],
      [`rtsp: { port: ${port} }`, 'rtsp.port'],
    ] as const) {
      const file = join(folder, `${setting}.yml`);
      const rest = setting === 'http.port' ? 'rtsp: { port: 0, udpPort: 0 }' : 'http: { port: 0 }';
      await writeFile(file, `${yaml}\n${rest}\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\ndemo: false\n`);
      const { code, stderr } = await run(
        process.execPath,
        ['src/cli/main.ts', 'serve', '--config', file],
        20_000,
      );
      expect(code).toBe(1);
      expect(stderr).toContain(String(port));
      expect(stderr).toContain(setting);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
    other.close();
  });

  it('name the file of a missing model, in the state of the run', async () => {
    await writeFile(
      join(folder, 'lost.json'),
      JSON.stringify({
        schema: 1,
        id: 'lost',
        version: '1',
        title: { en: 'Lost' },
        task: 'detect',
        input: { size: { kind: 'source' }, format: 'rgb24' },
        labels: ['person'],
        parameters: { type: 'object', properties: {}, additionalProperties: false },
        licence: 'none',
        adapter: { kind: 'onnx', file: 'nowhere.onnx', decoder: 'nanodet' },
      }),
    );
    await using server = await sluice(`algorithms: { folders: [${JSON.stringify(folder)}] }`);
    await server.live('demo');
    expect((await server.post('/api/runs', { stream: 'demo', algorithm: 'lost' })).status).toBe(201);
    const failed = await eventually(async () => (await server.runs()).find(({ code }) => code));
    expect(failed.reason).toContain('nowhere.onnx');
    expect(failed.code).toBe('MODEL_MISSING');
  });

  it('say that a file is no video, where the stream is looked for', async () => {
    const file = join(folder, 'letter.mp4');
    await writeFile(file, 'Dear all, this is no video.\n'.repeat(100));
    await using server = await sluice(`demo: false\nstreams: { cam: { source: ${JSON.stringify(file)} } }`);
    const stream = await eventually(async () => {
      const { streams } = await server.get<{
        streams: { name: string; state: string; source?: { reason: string } }[];
      }>('/api/streams');
      return streams.find(({ name, state }) => name === 'cam' && state === 'failed');
    });
    expect(stream.source!.reason).toContain('letter.mp4');
  });

  it('name the file, the stream and the key when the configuration wants an algorithm that cannot be', async () => {
    const start = (detect: string) => sluice(`demo: false\nstreams: { hall: { detect: [${detect}] } }`);
    await expect(start('unicorns')).rejects.toMatchObject({
      code: 'ALGORITHM_UNKNOWN',
      message: expect.stringMatching(
        /^\/.*\/sluice\.yml: "streams\.hall\.detect\[0\]": There is no algorithm "unicorns"\. There are: .*people/,
      ),
    });
    await expect(start('people, { algorithm: people, parameters: { colour: 1 } }')).rejects.toMatchObject({
      code: 'PARAMETERS_INVALID',
      message: expect.stringMatching(/"streams\.hall\.detect\[1\]": .*"people".*colour/),
    });
  });

  it('list the algorithms there are when one is unknown', async () => {
    await using server = await sluice();
    await server.live('demo');
    const { status, body } = await server.post('/api/runs', { stream: 'demo', algorithm: 'unicorns' });
    expect(status).toBe(404);
    expect(body).toMatchObject({ error: { code: 'ALGORITHM_UNKNOWN' } });
    expect(JSON.stringify(body)).toContain('people');
  });

  it('say why a stream name is forbidden: in the file, over RTSP and over WebSocket', async () => {
    await expect(sluice('demo: false\nstreams: { "api/x": { detect: [people] } }')).rejects.toThrow(
      'reserved',
    );
    await using server = await sluice('demo: false');
    const clip = await barcodeClip({ seconds: 2 });
    const { stderr } = await run('ffmpeg', [
      '-v',
      'error',
      '-i',
      clip,
      '-c',
      'copy',
      '-f',
      'rtsp',
      '-rtsp_transport',
      'tcp',
      `${server.rtsp}/api/x`,
    ]);
    expect(stderr).toContain('400');
    const socket = new WebSocket(`${server.http.replace('http', 'ws')}/metrics/x/mse`);
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('400');
  });
});

describe('a run', () => {
  it('finds people in the demonstration video, two on average, and shows it in the API', async () => {
    await using server = await sluice();
    await using viewer = watchResults(server, 'demo');
    const { results } = viewer;
    await eventually(() => results.length >= 40, 30_000);
    const mean = results.reduce((sum, { objects }) => sum + objects.length, 0) / results.length;
    expect(mean).toBeGreaterThanOrEqual(2);
    const [info] = await server.runs();
    expect(info).toMatchObject({ algorithm: 'people', stream: 'demo', state: 'running' });
    expect(info!.averageObjects).toBeGreaterThanOrEqual(2);
    expect(info!.statistics.skipped).toBeGreaterThan(0);
  });

  it('is there while somebody watches; with the last viewer gone nothing is decoded any more', async () => {
    await using server = await sluice();
    await server.live('demo');
    expect(await server.runs()).toEqual([]);
    const viewer = new WebSocket(`${server.http.replace('http', 'ws')}/demo/results`);
    await eventually(async () => (await server.runs())[0]?.statistics.decoded);
    viewer.close();
    await eventually(async () => (await server.runs()).length === 0);
    // What was under way may still be ending for a moment.
    type Workers = { workers: { role: string; tasks: unknown[] }[] };
    await eventually(async () => {
      const { workers } = await server.get<Workers>('/api/workers');
      return workers.filter(({ role }) => role === 'pipeline').every(({ tasks }) => tasks.length === 0);
    });
    type Streams = { streams: { name: string; readers: unknown[] }[] };
    await eventually(async () => {
      const { streams } = await server.get<Streams>('/api/streams');
      return streams.find(({ name }) => name === 'demo')!.readers.length === 0;
    });
  });
});

describe('a worker killed with -9', () => {
  it('costs the stream of an RTSP publisher nothing, and the run is back within 2 s', async () => {
    await using server = await sluice('demo: false');
    const clip = await barcodeClip({ seconds: 20 });
    await using _publisher = publish(clip, `${server.rtsp}/live`);
    await server.live('live');
    expect((await server.post('/api/runs', { stream: 'live', algorithm: 'people' })).status).toBe(201);
    await using viewer = watchResults(server, 'live');
    await eventually(() => viewer.results.length > 0);
    // A reader over RTSP writes down every packet it gets while the worker dies.
    const entries = ['-show_entries', 'packet=stream_index,pts', '-of', 'csv=p=0'];
    const reading = run('ffprobe', [
      '-v',
      'error',
      '-rtsp_transport',
      'tcp',
      ...entries,
      '-read_intervals',
      '%+8',
      `${server.rtsp}/live`,
    ]);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    type Workers = { workers: { role: string; pid: number }[] };
    const { workers } = await server.get<Workers>('/api/workers');
    const { pid } = workers.find(({ role }) => role === 'pipeline')!;
    process.kill(pid, 'SIGKILL');
    const killed = performance.now();
    const before = viewer.results.length;
    await eventually(() => viewer.results.length > before, 10_000);
    const back = performance.now() - killed;
    console.log(`the run was back ${back.toFixed(0)} ms after its worker was killed`);
    expect(back).toBeLessThan(2000);
    const { stdout } = await reading;
    const pts = stdout
      .split('\n')
      .map((line) => line.split(','))
      .filter(([index, value]) => index === '0' && /^\d+$/.test(value ?? ''))
      .map(([, value]) => Number(value));
    expect(pts.length).toBeGreaterThan(100);
    const steps = new Set(pts.slice(1).map((value, index) => value - pts[index]!));
    expect([...steps]).toEqual([3600]);
  });
});
