import type { FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { AccessControl } from '#auth/access-control.ts';
import { api } from '../../test/support/http-api.ts';

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

  it('say what the stream with their results drawn in is called, where there may be one', async () => {
    const { app, get, publish } = api();
    publish('a');
    const plain = (await post(app, { stream: 'a', algorithm: 'people' })).json();
    expect(plain.burnedIn).toBeUndefined();
    for (const burnIn of [true, { clock: true, labels: false }]) {
      const answer = await post(app, { stream: 'a', algorithm: 'people', burnIn });
      expect(answer.statusCode).toBe(201);
      expect(answer.json().burnedIn).toBe('a/people');
    }
    expect((await get('/api/runs/people@a')).json().burnedIn).toBe('a/people');
    // Names have eight segments at most: nobody could read it.
    const deep = 'a/b/c/d/e/f/g/h';
    publish(deep);
    const nameless = await post(app, { stream: deep, algorithm: 'people', burnIn: true });
    expect(nameless.json()).toMatchObject({ error: { code: 'STREAM_NAME_INVALID' } });
    expect((await get(`/api/runs?stream=${deep}`)).json().runs).toEqual([]);
    const refused = await post(app, { stream: 'a', algorithm: 'people', burnIn: { clok: true } });
    expect(refused.json()).toMatchObject({ error: { code: 'REQUEST_INVALID' } });
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

  it('give their frames out as was asked for, on a channel that the file names', async () => {
    const { app, publish } = api();
    publish('a');
    const ask = (frames: unknown) => post(app, { stream: 'a', algorithm: 'people', frames });
    expect((await ask({ quality: 0 })).json().error.message).toContain('a whole number from 1 to 100');
    expect((await ask({ channel: 'session:admin' })).json().error.message).toContain(
      'can only be written in the configuration file',
    );
    expect((await ask(false)).json().frames).toBeUndefined();
    expect((await ask({ width: 640, fps: 2.5 })).json().frames).toEqual({
      ...{ quality: 85, width: 640, fps: 2.5, boxes: true },
    });
  });

  it('show their frames to who may read their stream, with their times', async () => {
    const read = { actions: ['read' as const], streams: 'a' };
    const access = new AccessControl({
      users: [{ name: 'anna', password: 'secret', permissions: [read] }],
      tokens: [],
    });
    const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xd9]);
    const newest = async (run: string) => ({
      ...{ jpeg, pts: 9000, ntp: 1_700_000_000_250, width: 2, height: 2 },
      ...{ run, stream: 'a', algorithm: 'people' },
    });
    const { get, publish, runs } = api({ access, frames: { newest, channelOf: () => undefined } });
    const authorization = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
    for (const stream of ['a', 'b']) {
      publish(stream);
      runs.acquire({ stream, algorithm: 'people', holder: { kind: 'api', id: 'api', reason: 'test' } });
    }
    const shown = await get('/api/runs/people@a/frame.jpg', { authorization });
    expect(shown.rawPayload).toEqual(jpeg);
    expect(shown.headers).toMatchObject({
      ...{ 'content-type': 'image/jpeg', 'x-pts': '9000', 'x-timestamp': '1700000000.250000' },
      'cache-control': 'no-store',
    });
    expect((await get('/api/runs/people@b/frame.jpg', { authorization })).statusCode).toBe(403);
    expect((await get('/api/runs/people@a/frame.jpg')).statusCode).toBe(401);
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
