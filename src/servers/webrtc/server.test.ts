import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { type Access, openAccess } from '#hub/access.ts';
import { Hub } from '#hub/hub.ts';
import { buildClientOffer, receivingSections, sendingSection } from '#protocols/sdp/webrtc-client-offer.ts';
import { AccessRefusal } from '#util/access-refusal.ts';
import { h264Track } from '../../../test/support/fmp4-units.ts';
import { MediaDoor, type MediaTransport } from './media-door.ts';
import { type WebRtcMedia, WebRtcServer } from './server.ts';

const section = sendingSection(h264Track, { ssrc: 7, cname: 'yard' })!;
const PEER = {
  ice: { ufrag: 'ours', password: '0123456789012345678901' },
  fingerprint: Array.from({ length: 32 }, () => 'AB').join(':'),
  candidates: [],
};
const OFFER = buildClientOffer([section], PEER);

const media: WebRtcMedia = {
  ...{ port: 0, transports: ['udp'], addresses: [], iceServers: [], sessionsPerClient: 500 },
};

/** The door behind a port of HTTP, at which everybody publishes `yard`; of streams elsewhere, `/<stream>/whip`. */
async function setUp(access: Access = openAccess) {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const hub = new Hub();
  const webrtc = new WebRtcServer({
    ...{ hub, access, results: () => ({ receive: () => {}, leave: () => {} }) },
    log: { info: note, debug: note, error: (_, message) => note(message) },
  });
  webrtc.setMedia(await webrtc.prepareMedia(media, '127.0.0.1'));
  const http = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://h');
    const [, stream = '', , rest = ''] = url.pathname.split('/');
    const door = url.pathname.includes('/whep') ? webrtc.whep : webrtc.whip;
    door(request, response, { stream, rest, query: url.searchParams });
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const publish = (path = '/yard/whip') =>
    fetch(`${base}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: OFFER,
    });
  const close = async () => {
    await webrtc.close('The test is over.');
    hub.close('The test is over.');
    http.close();
  };
  return { webrtc, hub, http, base, publish, logged, close };
}

it('the address of a session is told to its client alone: whoever has it may end the session', async () => {
  const { webrtc, base, publish, logged, close } = await setUp();
  const location = (await publish()).headers.get('location') ?? '';
  const id = /WebRTC: (\S+) from \S+ publishes/.exec(logged.join('\n'))?.[1];
  expect(id).toBeDefined();
  expect(location).toMatch(/^\/yard\/whip\/[\w-]{22}$/);
  expect((await fetch(`${base}/yard/whip/${id}`, { method: 'DELETE' })).status).toBe(404);
  expect(webrtc.sessions).toBe(1);
  expect((await fetch(`${base}${location}`, { method: 'DELETE' })).status).toBe(200);
  expect(webrtc.sessions).toBe(0);
  await close();
});

/** A port that is free, and that the system gives to nobody else while it is closed for a moment. */
async function steadyPort(): Promise<number> {
  for (;;) {
    // Those of outgoing connections begin behind these.
    const port = randomInt(20_000, 32_000);
    const door = await MediaDoor.open('127.0.0.1', port, ['udp', 'tcp']).catch(() => undefined);
    await door?.close();
    if (door) return port;
  }
}

it('a session that is under way while the port changes keeps the port that it is told of', async () => {
  const { webrtc, http, publish, close } = await setUp();
  const asked = once(http, 'request');
  const answered = publish();
  await asked;
  await new Promise(setImmediate);
  // Another address of this machine, so another port.
  webrtc.setMedia(await webrtc.prepareMedia(media, '127.0.0.2'));
  const told = / (127\.0\.0\.1) (\d+) typ host/.exec(await (await answered).text());
  const other = createSocket('udp4');
  const outcome = await new Promise((resolve) => {
    other.once('error', ({ message }) => resolve(message)).once('listening', () => resolve('It is free.'));
    other.bind(Number(told?.[2]), told?.[1]);
  });
  other.close();
  expect(outcome).toContain('EADDRINUSE');
  await close();
});

it('a session that is under way while the server closes is closed with it', async () => {
  const { webrtc, http, publish, close } = await setUp();
  const asked = once(http, 'request');
  const answered = publish();
  await asked;
  // The offer has been read then, and a session is being made of it.
  await new Promise(setImmediate);
  await close();
  await answered.catch(() => {});
  expect(webrtc.sessions).toBe(0);
});

it('a session is changed and ended by its address alone, without the token that it was begun with', async () => {
  const { webrtc, base, publish, close } = await setUp({
    check: async ({ credentials }) => {
      if (credentials.kind === 'token' && credentials.token === 'right') return { user: 'link' };
      throw new AccessRefusal('ACCESS_UNAUTHENTICATED', 'Who are you?', 401);
    },
  });
  expect((await publish()).status).toBe(401);
  const made = await publish('/yard/whip?token=right');
  const location = made.headers.get('location') ?? '';
  expect(location).not.toContain('right');
  const patch = (path: string) =>
    fetch(`${base}${path}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
      body: '',
    });
  const restarted = await patch(location);
  expect(restarted.status).toBe(200);
  expect(restarted.headers.get('etag')).not.toBe(made.headers.get('etag'));
  // Who guesses addresses is not told whether there is one.
  expect((await patch('/yard/whip/none')).status).toBe(401);
  expect((await patch(location.replace('yard', 'hall'))).status).toBe(401);
  expect((await fetch(`${base}${location}`, { method: 'DELETE' })).status).toBe(200);
  expect(webrtc.sessions).toBe(0);
  await close();
});

it('one user behind one address has so many sessions, and another user has as many again', async () => {
  const { webrtc, base, publish, close } = await setUp({
    check: async ({ credentials }) => ({
      user: credentials.kind === 'token' ? credentials.token : undefined,
    }),
  });
  webrtc.setMedia(await webrtc.prepareMedia({ ...media, sessionsPerClient: 2 }, '127.0.0.1'));
  const all = await Promise.all(['a', 'b', 'c'].map((name) => publish(`/${name}/whip?token=anna`)));
  expect(all.filter(({ status }) => status === 201)).toHaveLength(2);
  const refused = all.find(({ status }) => status === 429);
  expect(refused?.status).toBe(429);
  expect(refused?.headers.get('retry-after')).toBe('10');
  expect(await refused?.text()).toContain('WEBRTC_CLIENT_FULL');
  expect((await publish('/d/whip?token=ben')).status).toBe(201);
  for (let i = 0; i < 3; i++) {
    const headers = { 'content-type': 'application/sdp' };
    const wrong = await fetch(`${base}/f/whip?token=ben`, { method: 'POST', headers, body: 'no offer' });
    expect(wrong.status).toBe(400);
  }
  expect((await publish('/f/whip?token=ben')).status).toBe(201);
  const location = all.find(({ status }) => status === 201)?.headers.get('location') ?? '';
  await fetch(`${base}${location}`, { method: 'DELETE' });
  expect((await publish('/e/whip?token=anna')).status).toBe(201);
  expect((await publish('/f/whip?token=anna')).status).toBe(429);
  await close();
});

it('the TCP port is closed when the configuration takes it out, and UDP when its last session ends', async () => {
  const { webrtc, base, publish, close } = await setUp();
  const port = await steadyPort();
  const only = (...transports: MediaTransport[]) => ({ ...media, port, transports });
  webrtc.setMedia(await webrtc.prepareMedia(only('udp', 'tcp'), '127.0.0.1'));
  const isTaken = async (transport: 'udp' | 'tcp') => {
    const outcome = await MediaDoor.open('127.0.0.1', port, [transport]).catch((error: unknown) => error);
    if (outcome instanceof MediaDoor) await outcome.close();
    return !(outcome instanceof MediaDoor);
  };
  expect([await isTaken('udp'), await isTaken('tcp')]).toEqual([true, true]);
  webrtc.setMedia(await webrtc.prepareMedia(only('udp'), '127.0.0.1'));
  expect([await isTaken('udp'), await isTaken('tcp')]).toEqual([true, false]);
  const location = (await publish()).headers.get('location') ?? '';
  const withTcp = await webrtc.prepareMedia(only('tcp'), '127.0.0.1');
  expect(await isTaken('tcp')).toBe(true);
  withTcp.release();
  expect([await isTaken('udp'), await isTaken('tcp')]).toEqual([true, false]);
  webrtc.setMedia(await webrtc.prepareMedia(only('tcp'), '127.0.0.1'));
  expect([await isTaken('udp'), await isTaken('tcp')]).toEqual([true, true]);
  await fetch(`${base}${location}`, { method: 'DELETE' });
  expect([await isTaken('udp'), await isTaken('tcp')]).toEqual([false, true]);
  expect(webrtc.port).toBe(port);
  await close();
});

it('a stream that ends while a viewer of it is let in ends the session, too', async () => {
  const { webrtc, hub, base, logged, close } = await setUp();
  const hooks = { onClose: () => {} };
  hub.publish('hall', { id: 'camera', door: 'source', remote: 'camera' }, [h264Track], hooks);
  const find = hub.wanted.bind(hub);
  hub.wanted = async (name) => {
    const stream = await find(name);
    queueMicrotask(() => stream.end('The camera is off.'));
    return stream;
  };
  await fetch(`${base}/hall/whep`, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: buildClientOffer(receivingSections(), PEER),
  });
  expect(logged.join('\n')).toMatch(/no longer watches "hall". The stream has ended/);
  expect(webrtc.sessions).toBe(0);
  await close();
});
