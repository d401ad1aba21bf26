import { describe, expect, it } from 'vitest';
import { AccessControl } from '#auth/access-control.ts';
import { type EntryWish, wishedEntry } from '#config/entry-change.ts';
import { type StreamEntry, streamSchema } from '#config/stream-schema.ts';
import { api as bareApi } from '../../test/support/http-api.ts';
import type { ApiDependencies } from './dependencies.ts';

/** Entries in memory, changed by the rules of the file. */
function setUp(options: Partial<ApiDependencies> = {}) {
  const streams = new Map<string, StreamEntry>([
    ['yard/gate', streamSchema.parse({ source: 'rtsp://anna:secret@cam/live', detect: ['people'] })],
    ['~^cam-(\\d+)$', streamSchema.parse({ source: 'rtsp://10.0.0.$1/live' })],
  ]);
  const wishes: { key: string; keys: EntryWish; whole: boolean; fresh?: boolean }[] = [];
  const parts = bareApi({
    entries: {
      list: () => streams,
      set: async (key, wish) => {
        wishes.push({ key, ...wish });
        const before = streams.get(key);
        streams.set(key, wishedEntry(key, before, wish.keys, wish.whole));
        return before === undefined;
      },
      remove: async (key) => void streams.delete(key),
    },
    ...options,
  });
  const ask = async (
    method: 'GET' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
    headers = {},
  ) => {
    const answer = await parts.app.inject({
      method,
      url: `/api/config/streams${path}`,
      headers: { host: '127.0.0.1:8888', ...headers },
      ...(body ? { payload: body } : {}),
    });
    return {
      status: answer.statusCode,
      body: answer.body ? answer.json<Record<string, unknown>>() : {},
      headers: answer.headers,
    };
  };
  return { ...parts, streams, wishes, ask };
}

describe('entries of streams over the API', () => {
  it('are shown complete with defaults, and without secrets', async () => {
    const { ask } = setUp();
    const { status, body } = await ask('GET', '');
    expect(status).toBe(200);
    expect(body['streams']).toEqual([
      {
        name: 'yard/gate',
        pattern: false,
        restricted: [],
        version: expect.stringMatching(/^[\w-]{22}$/),
        settings: {
          source: 'rtsp://***@cam/live',
          onDemandStartSeconds: 10,
          onDemandCloseSeconds: 10,
          transport: 'auto',
          insecure: false,
          loop: true,
          detect: [{ algorithm: 'people', parameters: {} }],
          standbyAfterSeconds: 3,
          forward: [],
        },
      },
      expect.objectContaining({ name: '~^cam-(\\d+)$', pattern: true }),
    ]);
    for (const path of ['/yard/gate', '/yard%2Fgate'])
      expect((await ask('GET', path)).body['name']).toBe('yard/gate');
    expect(await ask('GET', '/nobody')).toMatchObject({
      status: 404,
      body: { error: { code: 'STREAM_NOT_CONFIGURED' } },
    });
  });

  it('are made and replaced by PUT, which takes what GET gave', async () => {
    const { ask, streams, wishes } = setUp();
    const made = await ask(
      'PUT',
      '/hall%2Fa',
      { source: 'rtsp://cam/a', onDemand: false },
      { 'if-none-match': '*' },
    );
    expect(made).toMatchObject({ status: 201, headers: { location: '/api/config/streams/hall%2Fa' } });
    expect(made.body).toMatchObject({
      name: 'hall/a',
      restricted: ['source'],
      settings: { onDemand: false },
    });
    expect(wishes[0]).toMatchObject({ key: 'hall/a', whole: true, fresh: true });
    const { settings } = (await ask('GET', '/yard/gate')).body as { settings: object };
    expect(await ask('PUT', '/yard/gate', settings)).toMatchObject({
      status: 200,
      body: { restricted: [] },
    });
    expect(streams.get('yard/gate')).toMatchObject({ source: 'rtsp://anna:secret@cam/live', detect: [{}] });
  });

  it('have their second source, stand-by and forwards, and take back what GET gave without the secrets', async () => {
    const { ask, streams } = setUp();
    const hand = streamSchema.parse({
      source: 'rtsp://cam/live',
      fill: 'rtsp://anna:secret@mic/sound',
      standby: '/cards/a.png',
      forward: ['rtsp://feeder:secret@127.0.0.1/a', { url: 'rtmp://x/app?token=hidden', insecure: true }],
    });
    streams.set('hall', hand);
    const { body } = await ask('GET', '/hall');
    expect(JSON.stringify(body)).not.toMatch(/secret|hidden/);
    expect(body['settings']).toMatchObject({
      fill: 'rtsp://***@mic/sound',
      standby: '/cards/a.png',
      forward: [
        { url: 'rtsp://***@127.0.0.1/a', insecure: false },
        { url: 'rtmp://x/app?token=***', insecure: true },
      ],
    });
    expect((await ask('PUT', '/hall', body['settings'] as object)).body['restricted']).toEqual([]);
    expect(streams.get('hall')).toEqual(hand);
    const { settings } = body as { settings: { forward: object[] } };
    const more = { forward: [...settings.forward, 'srt://archive:9000'], fill: 'rtsp://mic/other' };
    expect(await ask('PATCH', '/hall', more)).toMatchObject({
      status: 200,
      body: { restricted: ['fill', 'forward[2]'] },
    });
    expect(streams.get('hall')?.forward.slice(0, 2)).toEqual(hand.forward);
    const trusting = { forward: [{ url: 'srt://archive:9000', restricted: false }] };
    expect((await ask('PATCH', '/hall', trusting)).status).toBe(400);
    const many = Array.from({ length: 65 }, (_, at) => `srt://archive:${at + 1}`);
    expect(await ask('PATCH', '/hall', { forward: many })).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('64 addresses at most') } },
    });
    const away = { forward: ['rtsp://***@evil/a'] };
    expect((await ask('PATCH', '/hall', away)).body['error']).toMatchObject({ code: 'SECRET_MISSING' });
  });

  it('are changed by PATCH, key by key', async () => {
    const { ask, streams, wishes } = setUp();
    expect((await ask('PATCH', '/yard/gate', { loop: false, detect: null })).status).toBe(200);
    expect(wishes[0]?.keys).toEqual({ loop: false, detect: null });
    expect(streams.get('yard/gate')).toMatchObject({ loop: false, detect: [], onDemandStartSeconds: 10 });
  });

  it('are taken out by DELETE, patterns by their percent-encoded text', async () => {
    const { ask, streams } = setUp();
    expect((await ask('DELETE', `/${encodeURIComponent('~^cam-(\\d+)$')}`)).status).toBe(204);
    expect([...streams.keys()]).toEqual(['yard/gate']);
  });

  it('that break a rule are refused with the key and the rule', async () => {
    const { ask } = setUp();
    const refusal = async (body: object) => (await ask('PUT', '/a', body)).body['error'];
    expect(await refusal({ source: 'rtsp://cam/', lop: true })).toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('there is no key "lop" that the API takes. Did you mean "loop"?'),
    });
    expect(await refusal({ source: 'rtsp://cam/', restricted: false })).toMatchObject({
      code: 'REQUEST_INVALID',
    });
    expect(await refusal({ source: 'rtsp://cam/', transport: 'sctp' })).toMatchObject({
      message: expect.stringContaining('"body.transport": must be one of auto, tcp, udp'),
    });
    expect(await refusal({ source: 'pipe:0/x', loop: 3 })).toMatchObject({
      details: [{ field: 'body.loop' }],
    });
    expect(await refusal({})).toMatchObject({
      message: expect.stringContaining('"streams.a" must have a `source`'),
    });
    expect(await refusal({ source: 'rtsp://***@cam/' })).toMatchObject({ code: 'SECRET_MISSING' });
  });

  it('are for who may manage the stream, and patterns for who may manage the server', async () => {
    const permission = { actions: ['manage' as const], streams: 'yard/*' };
    const access = new AccessControl({
      users: [{ name: 'anna', password: 'x', permissions: [permission] }],
      tokens: [],
    });
    const { ask } = setUp({ access });
    const authorization = `Basic ${Buffer.from('anna:x').toString('base64')}`;
    const as = (method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object) =>
      ask(method, path, body, { authorization });
    const { streams } = (await as('GET', '')).body as { streams: { name: string }[] };
    expect(streams.map(({ name }) => name)).toEqual(['yard/gate']);
    const camera = { source: 'rtsp://cam/a' };
    expect((await as('PUT', '/yard/new', camera)).status).toBe(201);
    for (const path of ['/hall', '/yard%2F*', '/~.*', '/*', '//hall/yard/', '/%2Fyard'])
      expect((await as('PUT', path, camera)).status, path).toBe(403);
    expect((await as('DELETE', `/${encodeURIComponent('~^cam-(\\d+)$')}`)).status).toBe(403);
    expect((await ask('GET', '')).status).toBe(401);
  });

  it('stand in the OpenAPI document with the rules of the file', async () => {
    const { app } = setUp();
    await app.ready();
    const { paths, components } = app.swagger() as unknown as {
      paths: Record<string, object>;
      components: { schemas: Record<string, { properties: Record<string, object> }> };
    };
    expect(Object.keys(paths['/api/config/streams/{name}'] ?? {})).toEqual(['get', 'put', 'patch', 'delete']);
    const { properties } = components.schemas['StreamSettingsInput'] ?? { properties: {} };
    expect(Object.keys(properties)).not.toContain('restricted');
    expect(properties['onDemandStartSeconds']).toMatchObject({ minimum: 1, maximum: 60, default: 10 });
  });
});
