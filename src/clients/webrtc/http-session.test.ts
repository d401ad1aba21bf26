import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { parseWebRtcAddress } from './address.ts';
import { HttpSession } from './http-session.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(answer: RequestListener, host = '127.0.0.1'): Promise<string> {
  const server = createServer(answer).listen(0, host);
  servers.push(server);
  await once(server, 'listening');
  return `${host}:${(server.address() as AddressInfo).port}`;
}

function open(where: string): Promise<HttpSession> {
  const signal = AbortSignal.timeout(10_000);
  return HttpSession.open(parseWebRtcAddress(`http://${where}/a/whip`, 'whip'), 'v=0', { trust: {}, signal });
}

/** An address that a server outside could have. */
const outside = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

describe('a session with another server', () => {
  it('is ended where the server said, on the same machine too', async () => {
    const asked: string[] = [];
    const inner = await listen(({ method, url }, response) => {
      asked.push(`${method} ${url}`);
      response.writeHead(201, { location: '/sessions/1' }).end('v=0');
    });
    const session = await open(inner);
    await session.close();
    expect(asked).toEqual(['POST /a/whip', 'DELETE /sessions/1']);
  });

  it.skipIf(outside === undefined)('is led from outside to nowhere on this machine', async () => {
    const asked: string[] = [];
    const inner = await listen(({ method, url }, response) => {
      asked.push(`${method} ${url}`);
      response.end();
    });
    const leading = (status: number) =>
      listen((request, response) => {
        request.resume();
        response.writeHead(status, { location: `http://${inner}/api/streams/yard` }).end('v=0');
      }, outside);
    const session = await open(await leading(201));
    await session.close();
    const refused = await open(await leading(307)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'WEBRTC_REFUSED', message: expect.stringContaining('redirect') });
    expect(asked).toEqual([]);
  });

  it('passes on what a server says that refuses, whatever that costs to read', async () => {
    const busy = await listen((_, response) => response.writeHead(400).end(`<b>No</b>${'<'.repeat(60_000)}`));
    await expect(open(busy)).rejects.toMatchObject({
      code: 'WEBRTC_REFUSED',
      message: expect.stringContaining('answered 400: No'),
    });
  });
});
