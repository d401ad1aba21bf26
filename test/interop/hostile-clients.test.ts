import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** Clients that want to do harm, or are broken in a way that looks like it, against the whole server. */

let server: TestSluice;
let ports: Record<'http' | 'rtsp', number>;

beforeAll(async () => {
  server = await sluice();
  ports = { http: Number(new URL(server.http).port), rtsp: Number(new URL(server.rtsp).port) };
});
afterAll(() => server[Symbol.asyncDispose]());

interface RawSocket {
  readonly socket: Socket;
  /** All that came. */
  text(): string;
  /** Seconds from the connection to its end. */
  readonly closed: Promise<number>;
}

async function raw(port: number): Promise<RawSocket> {
  const socket = connect(port, '127.0.0.1');
  const began = performance.now();
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  const closed = new Promise<number>((resolve) =>
    socket.on('close', () => resolve((performance.now() - began) / 1000)),
  );
  await once(socket, 'connect');
  return { socket, text: () => text, closed };
}

/** Says it and gives the answer, up to the end of the connection. */
async function say(port: number, text: string): Promise<string> {
  const client = await raw(port);
  client.socket.write(text);
  await client.closed;
  return client.text();
}

async function expectService(): Promise<void> {
  expect((await fetch(`${server.http}/api/health`)).status).toBe(200);
  const client = await raw(ports.rtsp);
  client.socket.write(`OPTIONS ${server.rtsp}/a RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
  await eventually(() => client.text().startsWith('RTSP/1.0 200'));
  client.socket.destroy();
}

const descriptors = async () => (await readdir('/proc/self/fd')).length;

describe('clients that hold connections', () => {
  test('are cut off after 10 s, 2,000 at each door and some that say a byte now and then; others are served', async () => {
    await expectService();
    const before = await descriptors();
    const idle: RawSocket[] = [];
    for (let i = 0; i < 2000; i += 100) {
      const some = Array.from({ length: 100 }, () => [raw(ports.http), raw(ports.rtsp)]).flat();
      idle.push(...(await Promise.all(some)));
    }
    const requests = {
      http: 'GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ',
      rtsp: 'OPTIONS * RTSP/1.0\r\nCSeq: ',
    };
    const slow = await Promise.all(
      (['http', 'rtsp'] as const).map(async (door) => {
        const client = await raw(ports[door]);
        client.socket.write(requests[door]);
        const timer = setInterval(() => client.socket.writable && client.socket.write('1'), 300);
        void client.closed.then(() => clearInterval(timer));
        return client;
      }),
    );
    await expectService();
    for (const client of slow) {
      const seconds = await client.closed;
      expect(seconds).toBeGreaterThan(9);
      expect(seconds).toBeLessThan(15);
    }
    expect(slow[0]?.text()).toContain('408');
    await Promise.all(idle.map(({ closed }) => closed));
    await expectService();
    await eventually(async () => (await descriptors()) <= before + 4);
  });

  test('and have vanished are found out by probes', async () => {
    const clients = await Promise.all([raw(ports.http), raw(ports.rtsp)]);
    // Columns of /proc/net/tcp: local address, remote address, state, queues, kind of the timer that runs (02: probes).
    const lines = (await readFile('/proc/net/tcp', 'utf8'))
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    for (const { socket } of clients) {
      const number = (port = 0) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
      const own = lines.find(([, local, remote]) => {
        return local === number(socket.remotePort) && remote === number(socket.localPort);
      });
      expect(own?.[5]?.slice(0, 2)).toBe('02');
      socket.destroy();
    }
  });
});

describe('requests that are too large', () => {
  const long = 'x'.repeat(40_000);

  test('are refused by their head', async () => {
    expect(await say(ports.http, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ${long}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431/,
    );
    expect(await say(ports.rtsp, `OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX-A: ${long}\r\n\r\n`)).toMatch(
      /^RTSP\/1.0 413/,
    );
    expect(await say(ports.rtsp, `OPTIONS rtsp://${long}`)).toMatch(/^RTSP\/1.0 413/);
    await expectService();
  });

  test('are refused by their body', async () => {
    const answer = await fetch(`${server.http}/api/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stream: 'a', algorithm: 'x'.repeat(2 << 20) }),
    });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ error: { code: expect.any(String) as string } });
    const announce = `ANNOUNCE ${server.rtsp}/a RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 9999999\r\n\r\n`;
    expect(await say(ports.rtsp, announce)).toMatch(/^RTSP\/1.0 413/);
  });
});

describe('a WebSocket', () => {
  test.each(['/yard/results', '/yard/mse', '/api/events'])(
    '%s is closed when a thousand messages a second come on it',
    async (path) => {
      const client = new WebSocket(`${server.http.replace('http', 'ws')}${path}`);
      await once(client, 'open');
      const timer = setInterval(() => {
        for (let i = 0; i < 10 && client.readyState === client.OPEN; i++) client.send('{"type":"nonsense"}');
      }, 10);
      const began = performance.now();
      const [code, reason] = (await once(client, 'close')) as [number, Buffer];
      clearInterval(timer);
      expect(performance.now() - began).toBeLessThan(3000);
      expect(code).toBe(1008);
      expect(reason.toString()).toContain('messages in a second');
      await expectService();
    },
  );

  test.each(['/yard/results', '/yard/mse'])('%s is closed by one message that is too long', async (path) => {
    const client = new WebSocket(`${server.http.replace('http', 'ws')}${path}`);
    await once(client, 'open');
    client.send('x'.repeat(1 << 20));
    const [code] = (await once(client, 'close')) as [number];
    expect(code).toBe(1009);
  });
});
