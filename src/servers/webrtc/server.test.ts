import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { openAccess } from '#hub/access.ts';
import { Hub } from '#hub/hub.ts';
import { buildClientOffer, sendingSection } from '#protocols/sdp/webrtc-client-offer.ts';
import { h264Track } from '../../../test/support/fmp4-units.ts';
import { WebRtcServer } from './server.ts';

const section = sendingSection(h264Track, { ssrc: 7, cname: 'yard' })!;
const OFFER = buildClientOffer([section], {
  ice: { ufrag: 'ours', password: '0123456789012345678901' },
  fingerprint: Array.from({ length: 32 }, () => 'AB').join(':'),
  candidates: [],
});

/** The door behind a port of HTTP, at which everybody publishes `yard`. */
async function setUp() {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const hub = new Hub();
  const webrtc = new WebRtcServer({
    ...{ hub, access: openAccess, results: () => ({ receive: () => {}, leave: () => {} }) },
    log: { info: note, debug: note, error: (_, message) => note(message) },
  });
  const media = { port: 0, transports: ['udp'], addresses: [], iceServers: [] } as const;
  webrtc.setMedia(await webrtc.prepareMedia(media, '127.0.0.1'));
  const http = createServer((request, response) => {
    const rest = (request.url ?? '').split('/')[3] ?? '';
    webrtc.whip(request, response, { stream: 'yard', rest, query: new URLSearchParams() });
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const publish = () =>
    fetch(`${base}/yard/whip`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: OFFER,
    });
  const close = async () => {
    await webrtc.close('The test is over.');
    hub.close('The test is over.');
    http.close();
  };
  return { webrtc, http, base, publish, logged, close };
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

it('a session that is under way while the port changes keeps the port that it is told of', async () => {
  const { webrtc, http, publish, close } = await setUp();
  const asked = once(http, 'request');
  const answered = publish();
  await asked;
  await new Promise(setImmediate);
  const media = { port: 0, transports: ['udp'], addresses: [], iceServers: [] } as const;
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
