import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { api } from '../../test/support/http-api.ts';

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
