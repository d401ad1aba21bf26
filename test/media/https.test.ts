import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { probe } from '#app/probe.ts';
import { selfSigned } from '../support/certificate.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** What is at the HTTP port, over TLS, at the port of its own. */

const USERS = `
users:
  - { name: root, password: rooted, permissions: [{ actions: [publish, read, manage] }] }
`;

let server: TestSluice;
let certificate: Awaited<ReturnType<typeof selfSigned>>;
let yaml: string;

beforeAll(async () => {
  certificate = await selfSigned();
  yaml = `demo: false\ntls: { cert: ${certificate.cert}, key: ${certificate.key} }\n${USERS}
streams: { test: { source: testsrc, onDemand: false } }\n`;
  server = await sluice(yaml);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await certificate[Symbol.asyncDispose]();
});

const address = () => server.server.addresses.https ?? '';

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}) {
  const options = { method, headers, ca: await readFile(certificate.cert), agent: false as const };
  const asked = request(`${address()}${path}`, options);
  asked.end(body);
  const [answer] = await once(asked, 'response');
  let text = '';
  for await (const part of answer) text += String(part);
  return { status: answer.statusCode as number, headers: (answer as IncomingMessage).headers, body: text };
}

const root = { authorization: `Basic ${Buffer.from('root:rooted').toString('base64')}` };

/** A client that wants nothing but a peer connection: no media, no data. */
const OFFER = [
  ...['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0'],
  ...['m=audio 9 UDP/TLS/RTP/SAVPF 0', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=sendonly', 'a=rtcp-mux'],
  ...['a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'a=setup:actpass', 'a=rtpmap:0 PCMU/8000'],
  `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
].join('\r\n');

describe('HTTPS', () => {
  test('has what HTTP has, under a certificate that can be checked, by HTTP/1.1', async () => {
    expect(address()).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(address()).not.toContain(new URL(server.http).port);
    expect(await ask('/api/health')).toMatchObject({ status: 200, body: '{"status":"ok"}' });
    const { port } = new URL(address());
    const socket = connect({
      ...{ host: '127.0.0.1', port: Number(port), ca: await readFile(certificate.cert) },
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.destroy();
  });

  test('gives the page a cookie that HTTP neither sees nor replaces, and takes both back', async () => {
    const body = JSON.stringify({ user: 'root', password: 'rooted' });
    const headers = { 'content-type': 'application/json', origin: address() };
    const login = await ask('/api/session', { method: 'POST', headers, body });
    expect(login.status).toBe(204);
    const [set = ''] = login.headers['set-cookie'] ?? [];
    expect(set).toMatch(/^__Host-sluice_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    const secure = set.split(';')[0] ?? '';
    const plain = await fetch(`${server.http}/api/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const other = plain.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(other).toMatch(/^sluice_session=/);
    const cookie = `${other}; ${secure}`;
    expect((await ask('/api/streams', { headers: { cookie } })).status).toBe(200);
    const logout = await ask('/api/session', { method: 'DELETE', headers: { cookie, origin: address() } });
    expect(logout.headers['set-cookie']).toEqual([
      expect.stringMatching(/^__Host-sluice_session=;.*Secure; Max-Age=0$/),
      expect.stringMatching(/^sluice_session=;.*Max-Age=0$/),
    ]);
    for (const one of [secure, other]) {
      expect((await ask('/api/streams', { headers: { cookie: one } })).status).toBe(401);
    }
  });

  test('takes WebSockets of its own page and of no other, and says when it ends', async () => {
    const open = async (origin: string) =>
      new WebSocket(`${address().replace('https', 'wss')}/api/events`, {
        ...{ origin, headers: root, ca: await readFile(certificate.cert) },
      });
    const foreign = await open('https://evil.example');
    const [error] = await once(foreign, 'error');
    expect(String(error)).toContain('403');
    const own = await open(address());
    await once(own, 'open');
    own.close();
    await once(own, 'close');
  });

  test('is probed where its certificate is the one that was named, or any may be', async () => {
    const isLive = async () =>
      (await ask('/api/streams/test', { headers: root })).body.includes('"state":"live"');
    await eventually(isLive);
    const { fingerprint256: fingerprint } = new X509Certificate(await readFile(certificate.cert));
    const login = (url: string) => url.replace('://', '://root:rooted@');
    const hls = login(`${address()}/test/index.m3u8`);
    const rtsps = login(`${server.server.addresses.rtsps}/test`);
    await expect(probe(hls)).rejects.toMatchObject({ code: 'INPUT_CERTIFICATE_REFUSED' });
    await expect(probe(rtsps, { fingerprint: '00'.repeat(32) })).rejects.toThrow(fingerprint);
    const [byName, any] = await Promise.all([probe(hls, { fingerprint }), probe(rtsps, { insecure: true })]);
    for (const { tracks } of [byName, any])
      expect(tracks.map(({ codec }) => codec).sort()).toEqual(['aac', 'h264']);
  });

  test('names sessions of WHIP by addresses that lead back to it', async () => {
    const headers = { ...root, 'content-type': 'application/sdp' };
    const made = await ask('/yard/whip', { method: 'POST', headers, body: `${OFFER}\r\n` });
    expect(made.status, made.body).toBe(201);
    const location = made.headers['location'] ?? '';
    const where = new URL(location, `${address()}/yard/whip`);
    expect(where.origin).toBe(address());
    const gone = await ask(where.pathname + where.search, { method: 'DELETE', headers: root });
    expect(gone.status).toBe(200);
  });

  test('lets tunnels of RTSP in, which stay inside the connection', async () => {
    const options = { host: '127.0.0.1', port: Number(new URL(address()).port) };
    const ca = await readFile(certificate.cert);
    const [get, post] = [connect({ ...options, ca }), connect({ ...options, ca })];
    const said: string[] = [];
    get.on('data', (bytes: Buffer) => said.push(bytes.toString()));
    const host = `Host: 127.0.0.1:${options.port}\r\n`;
    const common = `HTTP/1.0\r\n${host}x-sessioncookie: a1b2c3d4\r\n`;
    get.write(`GET /yard ${common}Accept: application/x-rtsp-tunnelled\r\n\r\n`);
    await eventually(() => said.join('').includes('200 OK'));
    post.write(
      `POST /yard ${common}Content-Type: application/x-rtsp-tunnelled\r\nContent-Length: 32767\r\n\r\n`,
    );
    const setup =
      `SETUP rtsp://h/yard/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nAuthorization: ${root.authorization}\r\n` +
      'Transport: RTP/AVP;unicast;client_port=5000-5001\r\n\r\n';
    post.write(Buffer.from(setup).toString('base64'));
    const answer = await eventually(() => /RTSP\/1\.0 461[^]*\r\n\r\n/.exec(said.join(''))?.[0]);
    expect(answer).toContain('Transport: RTP/AVP/TCP;unicast;interleaved=0-1');
    for (const socket of [get, post]) socket.destroy();
  });

  test('closes and opens with the configuration, and nothing holds the end of the server up', async () => {
    await server.change(`demo: false\n${USERS}`);
    await eventually(() => server.server.addresses.https === undefined);
    await server.change(yaml);
    await eventually(() => server.server.addresses.https !== undefined);
    await certificate.renew('second');
    const idle = await eventually(async () => {
      const { port } = new URL(address());
      const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      if (socket.getPeerCertificate().subject.CN === 'second') return socket;
      return void socket.destroy();
    });
    const events = new WebSocket(`${address().replace('https', 'wss')}/api/events`, {
      ...{ headers: root, rejectUnauthorized: false },
    });
    await once(events, 'open');
    const closed = [once(idle, 'close'), once(events, 'close')] as const;
    idle.on('error', () => {});
    await server.server.close();
    const [, [code]] = await Promise.all(closed);
    expect(code).toBe(1001);
  });
});
