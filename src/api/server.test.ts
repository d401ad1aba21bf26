import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, describe, expect, it } from 'vitest';
import { parameterSchema } from '#algorithms/parameters.ts';
import { Reader } from '#hub/reader.ts';
import { domain, statistics } from '../../test/support/api.ts';
import type { ApiDependencies } from './dependencies.ts';
import { createApi } from './server.ts';

const opened: FastifyInstance[] = [];
afterAll(async () => {
  for (const app of opened) await app.close();
});

function api(options: Partial<ApiDependencies> = {}) {
  const parts = domain();
  const app = createApi({
    hub: parts.hub,
    runs: parts.runs,
    sources: () => [],
    algorithms: () =>
      [...parts.algorithms.values()].map(({ manifest }) => ({
        ...manifest,
        parameters: parameterSchema(manifest),
      })),
    workers: () => [
      {
        id: 'pipeline-1',
        role: 'pipeline',
        pid: 7,
        state: 'running',
        since: 0,
        restarts: 2,
        quarantine: false,
        rssBytes: 100,
        tasks: [],
      },
    ],
    place: { host: '127.0.0.1' },
    version: '1.2.3',
    pageFolder: '/nowhere',
    ...options,
  });
  opened.push(app);
  const get = (url: string, headers: Record<string, string> = {}) =>
    app.inject({ method: 'GET', url, headers: { host: '127.0.0.1:8888', ...headers } });
  return { ...parts, app, get };
}

describe('streams', () => {
  it('are listed with their tracks, publisher and readers', async () => {
    const { get, publish, clock } = api();
    const { stream } = publish('yard/gate-1');
    const feed = stream.feed('test', [0], () => ({ write: () => {} }));
    const transport = { write: () => {}, backlog: 0, onDrain: () => {}, close: () => {} };
    feed.attach(new Reader({ id: 'r1', door: 'mse', remote: 'x', transport, clock, onClose: () => {} }));
    const answer = await get('/api/streams');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      streams: [
        {
          name: 'yard/gate-1',
          state: 'live',
          publisher: { door: 'rtsp', remote: '127.0.0.1:5000' },
          tracks: [
            { id: 0, kind: 'video', codec: 'h264', codecString: 'avc1.42c01e', width: 640, height: 360 },
          ],
          received: { units: 0, bytes: 0, discarded: 0 },
          readers: [{ id: 'r1', door: 'mse', dropped: { video: 0, audio: 0, skips: 0 } }],
        },
      ],
    });
  });

  it('show how the clocks of their publisher run, where its door measures them', async () => {
    const { get, hub, publish } = api();
    publish('plain');
    const track = { ...hub.get('plain')!.tracks[0]!, id: 7 };
    const clock = { track: 7, source: 'sender-report', skewPpm: -199.7, lagMs: 1.2345 } as const;
    const info = { id: 'p2', door: 'rtsp', remote: 'x' };
    hub.publish('timed', info, [track], { onClose: () => {}, clocks: () => [clock] });
    const { streams } = (await get('/api/streams')).json<{ streams: { tracks: { clock?: object }[] }[] }>();
    expect(streams.map(({ tracks }) => tracks[0]?.clock)).toEqual([
      undefined,
      { source: 'sender-report', skewPpm: -200, lagMs: 1.2 },
    ]);
  });

  it('show and count what was lost on the way from their publisher, and on the way to a reader', async () => {
    const { get, hub, publish, clock } = api();
    publish('plain');
    const [track] = hub.get('plain')?.tracks ?? [];
    if (!track) throw new Error('no track');
    const sound = { packets: 50, lost: 2, late: 1, duplicate: 4, concealed: 0 };
    const reception = () => [
      { track: 3, packets: 100, lost: 5, late: 0, duplicate: 0, concealed: 9 },
      { track: 4, ...sound },
    ];
    const info = { id: 'p2', door: 'rtsp', remote: 'x' };
    const tracks = [3, 4].map((id) => ({ ...track, id }));
    const { stream } = hub.publish('lossy', info, tracks, { onClose: () => {}, reception });
    const feed = stream.feed('test', [3], () => ({ write: () => {} }));
    const transport = { write: () => {}, backlog: 0, onDrain: () => {}, close: () => {} };
    const reader = new Reader({ id: 'r', door: 'rtsp', remote: 'x', transport, clock, onClose: () => {} });
    feed.attach(reader);
    reader.lost = 7;
    const { streams } = (await get('/api/streams')).json<{ streams: unknown[] }>();
    expect(streams).toMatchObject([
      {
        publisher: { packets: 150, lost: 7, late: 1, duplicate: 4, concealed: 9 },
        tracks: [{ losses: { lost: 5, concealed: 9 } }, { losses: sound }],
        readers: [{ lost: 7 }],
      },
      { publisher: expect.not.objectContaining({ lost: expect.anything() }) },
    ]);
    const text = (await get('/metrics')).body;
    expect(text).toContain('sluice_publisher_packets_lost_total{stream="lossy",track="3"} 5');
    expect(text).toContain('sluice_publisher_packets_late_total{stream="lossy",track="4"} 1');
    expect(text).toContain('sluice_publisher_packets_duplicate_total{stream="lossy",track="4"} 4');
    expect(text).toContain('sluice_publisher_pictures_concealed_total{stream="lossy",track="3"} 9');
    expect(text).toContain('sluice_reader_packets_lost_total{stream="lossy",door="rtsp"} 7');
  });

  it('are found by their name with slashes, written as they are or percent-encoded', async () => {
    const { get, publish } = api();
    publish('yard/gate-1');
    for (const path of ['/api/streams/yard/gate-1', '/api/streams/yard%2Fgate-1']) {
      expect((await get(path)).json()).toMatchObject({ name: 'yard/gate-1' });
    }
    const missing = await get('/api/streams/nobody/here');
    expect(missing.statusCode).toBe(404);
    expect(missing.json()).toMatchObject({ error: { code: 'STREAM_UNKNOWN' } });
  });
});

describe('streams whose source is not there', () => {
  it('are listed with the reason', async () => {
    const source = {
      stream: 'cam',
      address: '/films/letter.mp4',
      state: 'failed',
      reason: 'letter.mp4 is no media file.',
      code: 'INPUT_UNREADABLE',
      since: 1000,
    };
    const { get } = api({ sources: () => [source] });
    const { streams } = (await get('/api/streams')).json<{ streams: object[] }>();
    expect(streams).toEqual([
      expect.objectContaining({
        name: 'cam',
        state: 'failed',
        since: '1970-01-01T00:00:01.000Z',
        source: {
          address: '/films/letter.mp4',
          state: 'failed',
          reason: 'letter.mp4 is no media file.',
          code: 'INPUT_UNREADABLE',
        },
        readers: [],
      }),
    ]);
  });
});

describe('algorithms', () => {
  it('come with the schema of everything that can be set', async () => {
    const { algorithms } = (await api().get('/api/algorithms')).json();
    expect(algorithms).toHaveLength(1);
    expect(algorithms[0]).toMatchObject({ id: 'people', title: { 'zh-CN': '人员' }, licence: 'Apache-2.0' });
    expect(Object.keys(algorithms[0].parameters.properties)).toEqual(
      expect.arrayContaining(['threshold', 'fps', 'mode', 'maxAge']),
    );
  });
});

describe('runs', () => {
  const post = (app: FastifyInstance, body: unknown, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url: '/api/runs',
      headers: { host: '127.0.0.1:8888', 'content-type': 'application/json', ...headers },
      payload: typeof body === 'string' ? body : JSON.stringify(body),
    });

  it('are started, listed, looked at and ended', async () => {
    const { app, get, publish, started } = api();
    publish('yard/gate-1');
    const answer = await post(app, {
      stream: 'yard/gate-1',
      algorithm: 'people',
      parameters: { threshold: 0.7 },
    });
    expect(answer.statusCode).toBe(201);
    const run = answer.json();
    expect(run).toMatchObject({ stream: 'yard/gate-1', algorithm: 'people', title: { en: 'People' } });
    expect(run.parameters.threshold).toBe(0.7);
    expect(run.leases).toMatchObject([{ holder: 'api' }]);
    expect(started).toHaveLength(1);
    expect((await get(answer.headers['location'] as string)).json().id).toBe(run.id);
    expect((await get('/api/runs?stream=yard/gate-1')).json().runs).toHaveLength(1);
    expect((await get('/api/runs?stream=other')).json().runs).toHaveLength(0);
    const end = () =>
      app.inject({ method: 'DELETE', url: `/api/runs/${run.id}`, headers: { host: 'localhost' } });
    expect((await end()).statusCode).toBe(204);
    expect((await end()).json()).toMatchObject({ error: { code: 'RUN_UNKNOWN' } });
    expect((await get(`/api/runs/${run.id}`)).statusCode).toBe(404);
  });

  it('are refused by name when the request has another shape, and by the domain when it makes no sense', async () => {
    const { app, publish } = api();
    publish('a');
    const shape = await post(app, { stream: 'a', algorithm: 3 });
    expect(shape.statusCode).toBe(400);
    expect(shape.json().error).toMatchObject({
      code: 'REQUEST_INVALID',
      details: [{ field: 'body.algorithm' }],
    });
    expect((await post(app, '{')).json()).toMatchObject({ error: { code: 'REQUEST_INVALID' } });
    expect((await post(app, { stream: 'a', algorithm: 'people', more: 1 })).json().error.message).toContain(
      'more',
    );
    const unknown = await post(app, { stream: 'a', algorithm: 'cats' });
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json()).toMatchObject({ error: { code: 'ALGORITHM_UNKNOWN' } });
    expect((await post(app, { stream: 'b', algorithm: 'people' })).json()).toMatchObject({
      error: { code: 'STREAM_UNKNOWN' },
    });
  });

  it('cannot be started by a page of somebody else', async () => {
    const { app, publish } = api();
    publish('a');
    const body = { stream: 'a', algorithm: 'people' };
    const foreign = await post(app, body, { origin: 'https://example.org' });
    expect(foreign.statusCode).toBe(403);
    expect(foreign.json()).toMatchObject({ error: { code: 'ORIGIN_FORBIDDEN' } });
    expect((await post(app, body, { origin: 'null' })).statusCode).toBe(403);
    expect((await post(app, body, { origin: 'http://127.0.0.1:8888' })).statusCode).toBe(201);
  });
});

describe('the server', () => {
  it('refuses an address that cannot be decoded as it refuses everything else', async () => {
    const { get } = api();
    for (const url of ['/api/streams/a%-1Fb', '/%zz', '/%', '/assets/%zz', '/api/%zz?a=b']) {
      const answer = await get(url);
      expect(answer.statusCode, url).toBe(400);
      expect(answer.json(), url).toMatchObject({ error: { code: 'REQUEST_INVALID' } });
      expect(answer.headers['content-type'], url).toContain('application/json');
      expect(answer.headers['x-content-type-options'], url).toBe('nosniff');
      expect((await get(url, { host: 'example.org' })).statusCode, url).toBe(403);
    }
  });

  it('answers only to names and addresses of this machine', async () => {
    const { get } = api();
    for (const host of ['localhost:8888', '127.0.0.1', '[::1]:8888', 'LOCALHOST']) {
      expect((await get('/api/health', { host })).statusCode, host).toBe(200);
    }
    for (const host of [
      'example.org',
      '192.168.1.2:8888',
      '127.0.0.1.example.org',
      'a b',
      'user@localhost',
    ]) {
      const answer = await get('/api/health', { host });
      expect(answer.statusCode, host).toBe(403);
      expect(answer.json()).toMatchObject({ error: { code: 'HOST_FORBIDDEN' } });
    }
  });

  it('says how it is', async () => {
    const { get, publish } = api();
    publish('a');
    expect((await get('/api/health')).json()).toMatchObject({
      status: 'ok',
      version: '1.2.3',
      streams: 1,
      readers: 0,
      workers: { total: 1, running: 1, restarts: 2 },
    });
    expect((await get('/api/workers')).json().workers).toMatchObject([{ id: 'pipeline-1', pid: 7 }]);
  });

  it('says which configuration is at work, and that it is not well while the file has an error', async () => {
    let error: { code: string; message: string } | undefined;
    const { get } = api({
      configuration: () => ({ file: '/etc/sluice.yml', loadedAt: 0, ...(error ? { error } : {}) }),
    });
    const well = { file: '/etc/sluice.yml', loadedAt: '1970-01-01T00:00:00.000Z' };
    const before = (await get('/api/health')).json();
    expect(before.status).toBe('ok');
    expect(before.configuration).toEqual(well);
    error = { code: 'CONFIG_INVALID', message: 'sluice.yml, line 3: this is no YAML.' };
    const after = (await get('/api/health')).json();
    expect(after.status).toBe('degraded');
    expect(after.configuration).toEqual({ ...well, error });
  });

  it('tells of a bug that there is one, and the log what', async () => {
    const faults: unknown[] = [];
    const { get } = api({
      workers: () => {
        throw new Error('secret');
      },
      onFault: (error) => faults.push(error),
    });
    const answer = await get('/api/workers');
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ error: { code: 'INTERNAL_ERROR' } });
    expect(answer.body).not.toContain('secret');
    expect(faults).toHaveLength(1);
  });

  it('describes itself by OpenAPI 3.1', async () => {
    const document = (await api().get('/api/openapi.json')).json();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).toSorted()).toEqual([
      '/api/algorithms',
      '/api/health',
      '/api/runs',
      '/api/runs/{id}',
      '/api/streams',
      '/api/streams/{name}',
      '/api/workers',
    ]);
    expect(document.paths['/api/streams/{name}'].get.parameters).toMatchObject([
      { name: 'name', in: 'path' },
    ]);
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Stream', 'Run', 'RunRequest', 'Worker', 'Error']),
    );
  });

  it('gives Prometheus its counters, and a counter of a reader outlives the reader', async () => {
    const { get, publish, runs, clock } = api();
    const { stream } = publish('a');
    const { run } = runs.acquire({
      ...{ stream: 'a', algorithm: 'people' },
      holder: { kind: 'api', id: 'api', reason: 'test' },
    });
    runs.statistics('task-1', 1, statistics);
    const feed = stream.feed('test', [0], () => ({ write: () => {} }));
    const transport = { write: () => {}, backlog: 0, onDrain: () => {}, close: () => {} };
    const reader = new Reader({ id: 'r', door: 'rtsp', remote: 'x', transport, clock, onClose: () => {} });
    const other = new Reader({ id: 'o', door: 'mse', remote: 'x', transport, clock, onClose: () => {} });
    feed.attach(reader);
    feed.attach(other);
    reader.counters.bytes = 1000;
    reader.counters.droppedVideo = 3;
    const text = (await get('/metrics')).body;
    expect(text).toContain('sluice_streams{state="live"} 1');
    expect(text).toContain('sluice_readers{stream="a",door="rtsp"} 1');
    expect(text).toContain('sluice_reader_bytes_sent_total{stream="a",door="rtsp"} 1000');
    expect(text).toContain('sluice_reader_dropped_access_units_total{stream="a",door="rtsp",kind="video"} 3');
    expect(text).toContain(
      `sluice_run_frames_total{run="${run.id}",stream="a",algorithm="people",outcome="inferred"} 8`,
    );
    expect(text).toContain('sluice_worker_restarts_total{worker="pipeline-1"} 2');
    expect(text).toContain('process_cpu_seconds_total');
    feed.detach(reader);
    const later = (await get('/metrics')).body;
    expect(later).not.toContain('sluice_readers{stream="a",door="rtsp"}');
    expect(later).toContain('sluice_reader_bytes_sent_total{stream="a",door="rtsp"} 1000');
    stream.end('over');
    expect((await get('/metrics')).body).not.toContain('stream="a",door');
  });
});

describe('the page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-page-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<title>Sluice</title>');
  writeFileSync(join(folder, 'assets', 'app-3f2a.js'), 'export {};');
  afterAll(() => rmSync(folder, { recursive: true }));
  const browser = { accept: 'text/html,*/*' };

  it('is served with its hashed files for ever and its index never from a cache', async () => {
    const { get } = api({ pageFolder: folder });
    const index = await get('/', browser);
    expect(index.body).toContain('Sluice');
    expect(index.headers['cache-control']).toBe('no-cache');
    const script = await get('/assets/app-3f2a.js');
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(script.headers['content-type']).toContain('javascript');
  });

  it('is the answer to addresses of views, and to nothing else that is missing', async () => {
    const { get } = api({ pageFolder: folder });
    const view = await get('/live/yard?mode=step', browser);
    expect(view.statusCode).toBe(200);
    expect(view.body).toContain('Sluice');
    expect(view.headers['cache-control']).toBe('no-cache');
    for (const path of ['/assets/gone.js', '/assets/gone', '/api/nothing', '/favicon.ico']) {
      const answer = await get(path, browser);
      expect(answer.statusCode, path).toBe(404);
      expect(answer.json()).toMatchObject({ error: { code: 'ROUTE_UNKNOWN' } });
    }
    expect((await get('/live/yard')).statusCode).toBe(404);
    expect((await get('/../package.json', browser)).body).not.toContain('dependencies');
  });

  it('that is built anew is served without a new start, and its former files are gone', async () => {
    const { get } = api({ pageFolder: folder });
    await get('/', browser);
    const [before, after] = ['app-3f2a.js', 'app-77b1.js'].map((name) => join(folder, 'assets', name));
    renameSync(before!, after!);
    writeFileSync(join(folder, 'index.html'), '<title>Sluice, newer</title>');
    try {
      expect((await get('/', browser)).body).toContain('newer');
      expect((await get('/live/yard', browser)).body).toContain('newer');
      const script = await get('/assets/app-77b1.js');
      expect(script.statusCode).toBe(200);
      expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
      const former = await get('/assets/app-3f2a.js', browser);
      expect(former.statusCode).toBe(404);
      expect(former.headers['cache-control']).toBeUndefined();
      expect(former.json()).toMatchObject({ error: { code: 'ROUTE_UNKNOWN' } });
    } finally {
      renameSync(after!, before!);
    }
  });

  it('gives nothing from outside its folder, no list of a folder, and takes nothing', async () => {
    const { app, get } = api({ pageFolder: folder });
    writeFileSync(join(folder, '..', `${basename(folder)}.secret`), 'secret');
    const secret = `${basename(folder)}.secret`;
    for (const path of [`/../${secret}`, `/%2e%2e/${secret}`, `/assets/..%2f..%2f${secret}`, `//${secret}`]) {
      const answer = await get(path, browser);
      expect(answer.statusCode, path).toBeGreaterThanOrEqual(400);
      expect(answer.json(), path).toMatchObject({ error: { code: expect.any(String) } });
    }
    for (const path of ['/assets', '/assets/', '/%00', '/a%00.js']) {
      const answer = await get(path, browser);
      expect(answer.statusCode, path).toBeGreaterThanOrEqual(400);
      expect(answer.statusCode, path).toBeLessThan(500);
      expect(answer.json(), path).toMatchObject({ error: { code: expect.any(String) } });
    }
    rmSync(join(folder, '..', secret));
    const head = { method: 'HEAD', headers: { host: '127.0.0.1', ...browser } } as const;
    expect((await app.inject({ ...head, url: '/assets/app-3f2a.js' })).statusCode).toBe(200);
    expect((await app.inject({ ...head, url: '/live/yard' })).statusCode).toBe(200);
    const post = await app.inject({ ...head, method: 'POST', url: '/assets/app-3f2a.js' });
    expect(post.statusCode).toBe(404);
    expect(post.json()).toMatchObject({ error: { code: 'ROUTE_UNKNOWN' } });
  });

  it('that is not built is a sentence that says how to build it, and is there as soon as it is', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'sluice-page-'));
    const { get } = api({ pageFolder: join(parent, 'dist') });
    for (const path of ['/', '/live/yard']) {
      const answer = await get(path, browser);
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ error: { code: 'PAGE_MISSING' } });
    }
    mkdirSync(join(parent, 'dist'));
    writeFileSync(join(parent, 'dist', 'index.html'), '<title>Sluice</title>');
    for (const path of ['/', '/live/yard']) expect((await get(path, browser)).body).toContain('Sluice');
    rmSync(parent, { recursive: true });
  });
});
