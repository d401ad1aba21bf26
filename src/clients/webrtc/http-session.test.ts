import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseWebRtcAddress } from './address.ts';
import { HttpSession } from './http-session.ts';

/** An address of this machine that its neighbours reach; absent where there is no network. */
const outer = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'));

async function listening(host: string, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, host);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

/** A server on loopback, and what it was asked. */
async function inner() {
  const asked: string[] = [];
  const url = await listening('127.0.0.1', (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(201, { location: '/session' }).end('answer');
  });
  return { url, asked };
}

function open(url: string): Promise<HttpSession> {
  const { signal } = new AbortController();
  return HttpSession.open(parseWebRtcAddress(`${url}/a/whip`, 'whip'), 'offer', { trust: {}, signal });
}

describe('a session with a WHIP or WHEP server', () => {
  it('follows one redirect and says goodbye where the server says, on this machine too where it is there itself', async () => {
    const { url, asked } = await inner();
    const first = await listening('127.0.0.1', (_, response) =>
      response.writeHead(307, { location: `${url}/b/whip` }).end(),
    );
    const session = await open(first);
    expect(session.answer).toBe('answer');
    await session.close();
    expect(asked).toEqual(['POST /b/whip', 'DELETE /session']);
  });

  it.skipIf(!outer)(
    'is led to this machine by no server elsewhere, neither by a redirect nor to say goodbye',
    async () => {
      const { url, asked } = await inner();
      const { port } = new URL(url);
      const { address } = outer!;
      for (const place of [url, `http://localhost:${port}`]) {
        const redirects = await listening(address, (_, response) =>
          response.writeHead(307, { location: `${place}/b/whip` }).end(),
        );
        await expect(open(redirects)).rejects.toMatchObject({ code: 'WEBRTC_REFUSED' });
        const names = await listening(address, (_, response) =>
          response.writeHead(201, { location: `${place}/api/config/streams/yard` }).end('answer'),
        );
        await (await open(names)).close();
      }
      expect(asked).toEqual([]);
    },
  );

  it('passes on what a server says that refuses, whatever that costs to read', async () => {
    const busy = await listening('127.0.0.1', (_, response) =>
      response.writeHead(400).end(`<b>No</b>${'<'.repeat(60_000)}`),
    );
    await expect(open(busy)).rejects.toMatchObject({
      code: 'WEBRTC_REFUSED',
      message: expect.stringContaining('answered 400: No'),
    });
  });
});
