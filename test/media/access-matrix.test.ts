import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { RawClient } from '../support/rtsp.ts';
import { sluice, type TestSluice } from '../support/sluice.ts';

/** Every door, every kind of user: closed unless a permission names it. A new door is one more line in `doors`. */

const STREAM = 'yard/a';
const permissions = (actions: string, streams: string) =>
  `[{ actions: [${actions}], streams: '${streams}' }]`;
const CONFIG = `demo: false
users:
  - { name: reader, password: pw, permissions: ${permissions('read', STREAM)} }
  - { name: publisher, password: pw, permissions: ${permissions('publish', STREAM)} }
  - { name: manager, password: pw, permissions: ${permissions('manage', '*')} }
  - { name: elsewhere, password: pw, permissions: ${permissions('publish, read, manage', 'hall/*')} }
  - { name: nothing, password: pw }
`;

const USERS = ['reader', 'publisher', 'manager', 'elsewhere', 'nothing', 'nobody', 'wrong'] as const;
type User = (typeof USERS)[number];

/** What a door needs: an action with the stream, or with the whole server; somebody at all; nothing. */
type Needs = 'publish' | 'read' | 'manage' | 'manage-server' | 'somebody' | 'no-lie' | 'nothing';

const MAY: Readonly<Record<Needs, readonly User[]>> = {
  publish: ['publisher'],
  read: ['reader'],
  manage: ['manager'],
  'manage-server': ['manager'],
  somebody: ['reader', 'publisher', 'manager', 'elsewhere', 'nothing'],
  /** Open, but whoever shows something wrong is told so. */
  'no-lie': USERS.filter((user) => user !== 'wrong'),
  nothing: USERS,
};

const SDP =
  'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=0\r\n';

const authorization = (user: User): Record<string, string> => {
  if (user === 'nobody') return {};
  const pair = user === 'wrong' ? 'reader:other' : `${user}:pw`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
};

/** A door, what it needs, and the status with which it answers somebody. */
interface Door {
  readonly name: string;
  readonly needs: Needs;
  readonly status: (server: TestSluice, headers: Record<string, string>) => Promise<number>;
}

function rest(name: string, needs: Needs, method = 'GET', path = name, body?: object): Door {
  return {
    name: `${method} ${name}`,
    needs,
    status: async ({ http }, headers) => {
      const json = body && { 'content-type': 'application/json' };
      const answer = await fetch(`${http}${path}`, {
        method,
        headers: { ...headers, ...json },
        ...(body && { body: JSON.stringify(body) }),
      });
      await answer.body?.cancel();
      return answer.status;
    },
  };
}

function socket(path: string, needs: Needs): Door {
  return {
    name: `WebSocket ${path}`,
    needs,
    status: ({ http }, headers) =>
      new Promise((resolve, reject) => {
        const client = new WebSocket(`${http.replace('http', 'ws')}${path}`, { headers });
        client.on('open', () => {
          client.terminate();
          resolve(101);
        });
        client.on('unexpected-response', (request, { statusCode = 0 }) => {
          request.destroy();
          resolve(statusCode);
        });
        client.on('error', reject);
      }),
  };
}

function rtsp(method: string, needs: Needs, path = STREAM): Door {
  return {
    name: `RTSP ${method}`,
    needs,
    status: async ({ rtsp: base }, headers) => {
      await using client = await RawClient.connect(Number(new URL(base).port));
      const more: Record<string, string> =
        method === 'SETUP' ? { Transport: 'RTP/AVP/TCP;interleaved=0-1' } : {};
      const { authorization: shown } = headers;
      const all = { ...more, ...(shown === undefined ? {} : { Authorization: shown }) };
      return (await client.ask(method, `${base}/${path}`, all, method === 'ANNOUNCE' ? SDP : '')).status;
    },
  };
}

const run = { stream: STREAM, algorithm: 'no-such-algorithm' };
const doors: readonly Door[] = [
  rtsp('DESCRIBE', 'read'),
  rtsp('SETUP', 'read', `${STREAM}/trackID=0`),
  rtsp('ANNOUNCE', 'publish'),
  rtsp('OPTIONS', 'nothing'),
  socket(`/${STREAM}/mse`, 'read'),
  socket(`/${STREAM}/results`, 'read'),
  socket(`/${STREAM}/frames`, 'read'),
  socket('/api/events', 'somebody'),
  rest('/api/health', 'no-lie'),
  rest('/api/streams', 'somebody'),
  rest('/api/streams/{name}', 'read', 'GET', `/api/streams/${STREAM}`),
  rest('/api/forwards', 'somebody'),
  rest('/api/algorithms', 'somebody'),
  rest('/api/runs', 'somebody'),
  rest('/api/runs', 'manage', 'POST', '/api/runs', run),
  rest('/api/runs/{id}', 'manage-server', 'DELETE', '/api/runs/none'),
  rest('/api/workers', 'manage-server'),
  rest('/api/hooks', 'manage-server'),
  rest('/snapshot.jpg', 'read', 'GET', `/${STREAM}/snapshot.jpg`),
  rest('/mjpeg', 'read', 'GET', `/${STREAM}/mjpeg`),
  rest('/live.flv', 'read', 'GET', `/${STREAM}/live.flv`),
  socket(`/${STREAM}/live.flv`, 'read'),
  rest('/whep', 'read', 'POST', `/${STREAM}/whep`),
  rest('/whep/{session}', 'read', 'DELETE', `/${STREAM}/whep/none`),
  rest('/whip', 'publish', 'POST', `/${STREAM}/whip`),
  rest('/whip/{session}', 'publish', 'DELETE', `/${STREAM}/whip/none`),
  rest('/index.m3u8', 'read', 'GET', `/${STREAM}/index.m3u8`),
  rest('/hls/media.m3u8', 'read', 'GET', `/${STREAM}/hls/media.m3u8`),
  rest('/api/session', 'somebody'),
  rest('/api/session', 'nothing', 'DELETE'),
  rest('/api/openapi.json', 'somebody'),
  rest('/metrics', 'manage-server'),
  rest('/api/config/streams', 'somebody'),
  ...(
    [
      ['PUT', { source: 'testsrc', onDemand: true }],
      ['GET', undefined],
      ['PATCH', { onDemandCloseSeconds: 5 }],
      ['DELETE', undefined],
    ] as const
  ).map(([method, body]) =>
    rest('/api/config/streams/{name}', 'manage', method, `/api/config/streams/${STREAM}`, body),
  ),
  rest('/api/jobs', 'somebody'),
  ...(
    [
      ['PUT', '', { type: 'push', input: 'testsrc', output: 'rtsp://server.invalid/lobby', enabled: false }],
      ['GET', '', undefined],
      ['PATCH', '', {}],
      ['POST', '/start', undefined],
      ['POST', '/stop', undefined],
      ['DELETE', '', undefined],
    ] as const
  ).map(([method, act, body]) =>
    rest(`/api/jobs/{name}${act}`, 'manage', method, `/api/jobs/lobby${act}`, body),
  ),
  rest('/', 'nothing'),
];

/** Routes that stand in tests of their own below, or of whose answers users see their own part. */
const ELSEWHERE = [
  'GET /api/runs/{id}',
  'GET /api/runs/{id}/frame.jpg',
  'POST /api/session',
  'POST /api/links',
];

let server: TestSluice;
beforeAll(async () => {
  server = await sluice(CONFIG);
});
afterAll(() => server[Symbol.asyncDispose]());

/** The right password, so that wrong ones before are forgotten. */
async function forgiven(): Promise<void> {
  const answer = await fetch(`${server.http}/api/session`, { headers: authorization('reader') });
  expect(answer.status).toBe(200);
  await answer.body?.cancel();
}

describe.each(doors.map((door) => [door.name, door] as const))('%s', (_, { needs, status }) => {
  it.each(USERS)(`answers "%s" as ${needs} is answered`, async (user) => {
    await forgiven();
    const got = await status(server, authorization(user));
    if (MAY[needs].includes(user)) expect([401, 403]).not.toContain(got);
    else expect(got).toBe(user === 'nobody' || user === 'wrong' ? 401 : 403);
  });
});

describe('the matrix', () => {
  it('has every route that the API describes', async () => {
    const answer = await fetch(`${server.http}/api/openapi.json`, { headers: authorization('reader') });
    const { paths } = (await answer.json()) as { paths: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const known = new Set([...doors.map(({ name }) => name), ...ELSEWHERE]);
    expect(routes.filter((route) => !known.has(route))).toEqual([]);
    expect(routes.length).toBeGreaterThan(10);
  });
});

describe('the API', () => {
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${server.http}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  it('logs in by a cookie that scripts cannot read and other pages cannot send, and out again', async () => {
    await forgiven();
    const refused = await post('/api/session', { user: 'reader', password: 'other' });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('set-cookie')).toBeNull();
    const answer = await post('/api/session', { user: 'reader', password: 'pw' });
    const set = answer.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^sluice_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    const cookie = set.split(';', 1)[0] ?? '';
    const who = () => fetch(`${server.http}/api/session`, { headers: { cookie } });
    expect(await (await who()).json()).toEqual({ user: 'reader', manage: false });
    await fetch(`${server.http}/api/session`, { method: 'DELETE', headers: { cookie } });
    expect((await who()).status).toBe(401);
  });

  it('gives out tokens for one stream, and only for what the giver may do', async () => {
    await forgiven();
    const body = { stream: 'hall/1', actions: ['read'], expiresSeconds: 60 };
    expect((await post('/api/links', body)).status).toBe(401);
    expect((await post('/api/links', body, authorization('reader'))).status).toBe(403);
    expect((await post('/api/links', body, authorization('manager'))).status).toBe(403);
    const given = await post('/api/links', body, authorization('elsewhere'));
    expect(given.status).toBe(201);
    const { token } = (await given.json()) as { token: string };
    const look = (name: string) => fetch(`${server.http}/api/streams/${name}?token=${token}`);
    expect((await look('hall/1')).status).toBe(404);
    expect((await look(STREAM)).status).toBe(403);
  });

  it('tells whoever asks how it is, and only who manages it what it is', async () => {
    const health = async (user: User) =>
      (await (await fetch(`${server.http}/api/health`, { headers: authorization(user) })).json()) as object;
    expect(await health('nobody')).toEqual({ status: 'ok' });
    expect(await health('reader')).toEqual({ status: 'ok' });
    expect(await health('manager')).toMatchObject({ status: 'ok', workers: {} });
  });

  it('slows down who guesses, and says for how long', async () => {
    for (let i = 0; i < 3; i++) await post('/api/session', { user: 'reader', password: `guess ${i}` });
    const answer = await post('/api/session', { user: 'reader', password: 'guess' });
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('1');
    const body = await answer.text();
    expect(body).toContain('ACCESS_THROTTLED');
    expect(body).not.toContain('guess');
  });
});
