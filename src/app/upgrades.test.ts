import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { requestRefusal } from '#api/request-guard.ts';
import { openAccess } from '#hub/access.ts';
import { socketRoom } from '../../test/support/api.ts';
import { routeUpgrades } from './upgrades.ts';

/** Doors that take every request, as the server puts them behind the guard. */
function room() {
  const taken: string[] = [];
  const webSockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  routeUpgrades(server, {
    refusal: (headers) =>
      requestRefusal(headers, { host: '127.0.0.1', names: [], origins: [], asksWho: false }, true),
    admit: (request) => openAccess.check(request as never),
    onFault: () => {},
    paths: {
      '/api/events': (request, socket, head) => {
        taken.push('events');
        webSockets.handleUpgrade(request, socket, head, () => {});
      },
    },
    doors: {
      mse: (request, socket, head, stream) => {
        taken.push(stream);
        webSockets.handleUpgrade(request, socket, head, () => {});
      },
    },
  });
  const upgrade = socketRoom((request, socket, head) => server.emit('upgrade', request, socket, head));
  return { ...upgrade, taken };
}

const PATHS = ['/api/events', '/yard/gate-1/mse'];

describe.each(PATHS)('the WebSocket %s', (path) => {
  it.each(['https://evil.example', 'http://127.0.0.1:3000', 'null', 'file://'])(
    'is closed to a page of %s',
    async (origin) => {
      const { refused, taken } = room();
      expect(await refused({ origin }, path)).toBe(403);
      expect(taken).toEqual([]);
    },
  );

  it.each(['rebound.example.org', 'cam.example', 'user@127.0.0.1'])(
    'is closed to the name %s',
    async (host) => {
      const { refused, taken } = room();
      expect(await refused({ host, origin: `http://${host}` }, path)).toBe(403);
      expect(taken).toEqual([]);
    },
  );

  it.each<Record<string, string>>([
    { host: '127.0.0.1:8888', origin: 'http://127.0.0.1:8888' },
    { host: '[::1]:8888', origin: 'http://[::1]:8888' },
    { host: 'LOCALHOST:8888', origin: 'https://localhost:8888' },
    { host: '127.0.0.1:8888' },
  ])('is open to its own page, and to programs, which send no origin: %o', async (headers) => {
    const { connect, taken } = room();
    const { client } = connect(headers, path);
    await once(client, 'open');
    expect(taken).toEqual([path === PATHS[0] ? 'events' : 'yard/gate-1']);
    client.terminate();
  });
});

describe('a WebSocket', () => {
  it('is refused where there is no door, and where the name is none', async () => {
    const { refused } = room();
    expect(await refused({}, '/yard/gate-1/nothing')).toBe(404);
    expect(await refused({}, '/%zz/mse')).toBe(400);
  });

  it('is closed with the reason when who opened it may be here no longer, and refused while it is opened', async () => {
    const revoke: ((reason: string) => void)[] = [];
    const webSockets = new WebSocketServer({ noServer: true });
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    routeUpgrades(server, {
      refusal: () => undefined,
      admit: async () => ({ user: 'anna', onRevoked: (put) => (revoke.push(put), () => {}) }),
      onFault: () => {},
      paths: {
        '/api/events': (request, socket, head) => webSockets.handleUpgrade(request, socket, head, () => {}),
      },
      // It waits for its stream.
      doors: { 'live.flv': () => revoke.at(-1)?.('Out.') },
    });
    const open = new WebSocket(`ws://127.0.0.1:${port}/api/events`);
    await once(open, 'open');
    const reason = 'The users of the server changed, and this is not allowed any more.';
    revoke[0]?.(reason);
    const [code, said] = (await once(open, 'close')) as [number, Buffer];
    expect([code, said.toString()]).toEqual([1008, reason]);
    const waiting = new WebSocket(`ws://127.0.0.1:${port}/cam/live.flv`);
    const [error] = await once(waiting, 'error');
    expect(String(error)).toContain('403');
    webSockets.close();
    server.close();
  });
});
