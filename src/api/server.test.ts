import { describe, expect, it } from 'vitest';
import { api } from '../../test/support/http-api.ts';

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

  it('answers to every address, and to names that it was given, where it asks everybody who they are', async () => {
    const { get } = api({
      place: { host: '0.0.0.0', names: ['video.example.org'], origins: [], asksWho: true },
    });
    for (const host of ['192.168.1.2:8888', '[2001:db8::1]', 'localhost', 'Video.example.org:443']) {
      expect((await get('/api/health', { host })).statusCode, host).toBe(200);
    }
    for (const host of ['example.org', '192.168.1.2.example.org']) {
      expect((await get('/api/health', { host })).statusCode, host).toBe(403);
    }
    const alone = api({ place: { host: '127.0.0.1', names: [], origins: [], asksWho: false } });
    expect((await alone.get('/api/health', { host: '192.168.1.2' })).statusCode).toBe(403);
  });

  it('lets pages of other origins in where the configuration names them, and no other ones', async () => {
    const place = { host: '127.0.0.1', names: [], origins: ['https://control.example.org'], asksWho: false };
    const { app, get } = api({ place });
    const ask = (origin: string, method: 'OPTIONS' | 'DELETE') =>
      app.inject({
        url: '/api/session',
        method,
        headers: { host: '127.0.0.1', origin, 'access-control-request-method': 'DELETE' },
      });
    const named = await ask('https://control.example.org', 'OPTIONS');
    expect(named.statusCode).toBe(204);
    expect(named.headers).toMatchObject({
      'access-control-allow-origin': 'https://control.example.org',
      'access-control-allow-headers': expect.stringContaining('Authorization'),
      vary: 'Origin',
    });
    expect(named.headers).not.toHaveProperty('access-control-allow-credentials');
    expect((await ask('https://control.example.org', 'DELETE')).statusCode).toBe(204);
    for (const origin of ['https://evil.example.org', 'https://control.example.org:444', 'null']) {
      expect((await ask(origin, 'DELETE')).json()).toMatchObject({ error: { code: 'ORIGIN_FORBIDDEN' } });
      expect((await ask(origin, 'OPTIONS')).headers).not.toHaveProperty('access-control-allow-origin');
      const read = await get('/api/health', { host: '127.0.0.1', origin });
      expect(read.headers).not.toHaveProperty('access-control-allow-origin');
    }
    const open = api({ place: { ...place, origins: ['*'] } });
    const anybody = await open.get('/api/health', { host: '127.0.0.1', origin: 'https://evil.example.org' });
    expect(anybody.headers['access-control-allow-origin']).toBe('*');
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
      '/api/forwards',
      '/api/health',
      '/api/hooks',
      '/api/links',
      '/api/runs',
      '/api/runs/{id}',
      '/api/runs/{id}/frame.jpg',
      '/api/session',
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
});
