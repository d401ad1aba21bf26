import { once } from 'node:events';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { forbidInner } from '#util/guarded-lookup.ts';
import { HttpGuard, type HttpGuardOptions } from './http-guard.ts';

async function serve(handle: RequestListener): Promise<{ port: number; server: Server }> {
  const server = createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, server };
}

/** Names of tests lead to this machine; everything but `forbidden` may be reached there. */
async function guard(more: Partial<HttpGuardOptions> = {}): Promise<HttpGuard> {
  const opened = await HttpGuard.open({
    trust: {},
    address: 'http://cam/',
    lookup: (host, _options, callback) =>
      callback(null, [{ address: host === 'inner' ? '169.254.169.254' : '127.0.0.1', family: 4 }]),
    forbid: (address, shown) => {
      if (address !== '127.0.0.1') forbidInner(address, shown);
    },
    ...more,
  });
  onTestFinished(() => opened[Symbol.asyncDispose]());
  return opened;
}

/** As FFmpeg asks a proxy. */
function fetchBy(by: HttpGuard, url: string, headers: Record<string, string> = {}) {
  const { hostname, port } = new URL(by.proxy);
  const { host } = new URL(url);
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>(
    (resolve, reject) => {
      const asked = request({ host: hostname, port, path: url, headers: { host, ...headers } }, (answer) => {
        let body = '';
        answer.on('data', (part) => (body += part));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
      });
      asked.on('error', reject);
      asked.end();
    },
  );
}

describe('the guard of what FFmpeg fetches', () => {
  it('passes on what the server says, and what it is asked', async () => {
    const { port } = await serve((asked, answer) => {
      answer.writeHead(206, {
        'content-type': 'video/mp2t',
        'x-asked': `${asked.url} ${asked.headers.host}`,
      });
      answer.end(`range ${asked.headers.range}`);
    });
    const { status, headers, body } = await fetchBy(await guard(), `http://cam:${port}/a.ts?b=c`, {
      range: 'bytes=5-',
    });
    expect({ status, asked: headers['x-asked'], body }).toEqual({
      status: 206,
      asked: `/a.ts?b=c cam:${port}`,
      body: 'range bytes=5-',
    });
  });

  it('reaches no address of this machine, its cable or its cloud, by name or number, and says why', async () => {
    let reached = false;
    const { port } = await serve((_asked, answer) => {
      reached = true;
      answer.end();
    });
    for (const url of [`http://inner:${port}/`, 'http://169.254.169.254/latest', 'http://2852039166/']) {
      const strict = await guard();
      expect(await fetchBy(strict, url)).toMatchObject({ status: 403 });
      expect(strict.refusal?.message).toContain('169.254.169.254');
    }
    const strict = await guard({ forbid: forbidInner });
    expect(await fetchBy(strict, `http://127.0.0.1:${port}/`)).toMatchObject({ status: 403 });
    expect(await fetchBy(strict, `http://cam:${port}/`)).toMatchObject({ status: 403 });
    expect(reached).toBe(false);
  });

  it('turns https:// into what comes back to it, in playlists and redirects', async () => {
    const playlist = '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="https://keys/k"\nhttps://cdn:8443/1.ts\n2.ts\n';
    const { port } = await serve((asked, answer) => {
      if (asked.url === '/away') return answer.writeHead(302, { location: 'https://cdn/live.m3u8' }).end();
      if (asked.url === '/near') return answer.writeHead(302, { location: 'x.m3u8' }).end();
      return answer
        .writeHead(206, { 'content-range': 'bytes 0-1/2', 'content-type': 'text/plain' })
        .end(playlist);
    });
    const by = await guard();
    expect(await fetchBy(by, `http://cam:${port}/live`)).toMatchObject({
      status: 200,
      body: '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="http://keys:443/k"\nhttp://cdn:8443/1.ts\n2.ts\n',
      headers: expect.not.objectContaining({ 'content-range': expect.anything() }),
    });
    expect((await fetchBy(by, `http://cam:${port}/away`)).headers['location']).toBe(
      'http://cdn:443/live.m3u8',
    );
    expect((await fetchBy(by, `http://cam:${port}/near`)).headers['location']).toBe(
      `http://cam:${port}/x.m3u8`,
    );
    expect(by.inward('https://u:p@Cam/a')).toBe('http://u:p@Cam:443/a');
    expect(by.inward('http://cam/a')).toBe('http://cam/a');
  });

  it('makes no tunnels, and answers nothing but requests for other servers', async () => {
    const by = await guard();
    const { hostname, port } = new URL(by.proxy);
    const asked = request({ host: hostname, port, method: 'CONNECT', path: 'cam:443' });
    asked.end();
    await expect(once(asked, 'connect')).rejects.toThrow();
    expect((await fetch(by.proxy)).status).toBe(400);
  });
});
