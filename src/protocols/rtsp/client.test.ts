import { describe, expect, test } from 'vitest';
import type { NamedError } from '#util/named-error.ts';
import { RtspClient } from './client.ts';
import { authorize } from './credentials.ts';

function talk(url: string, answers: string[]) {
  const sent: string[] = [];
  const outcome: { sdp?: string; base?: string; error?: NamedError } = {};
  const client = new RtspClient(url, {
    send(bytes) {
      sent.push(bytes.toString());
      const answer = answers.shift();
      if (answer) queueMicrotask(() => client.receive(Buffer.from(answer.replaceAll('\n', '\r\n'))));
    },
    described: (sdp, base) => Object.assign(outcome, { sdp, base }),
    failed: (error) => Object.assign(outcome, { error }),
  });
  client.start();
  return new Promise<{ sent: string[] } & typeof outcome>((resolve) =>
    setImmediate(() => resolve({ sent, ...outcome })),
  );
}

describe('RtspClient', () => {
  test('asks OPTIONS and DESCRIBE and gives the description with its base', async () => {
    const { sent, sdp, base } = await talk('rtsp://cam/live', [
      'RTSP/1.0 200 OK\nCSeq: 1\n\n',
      'RTSP/1.0 200 OK\nCSeq: 2\nContent-Base: rtsp://cam/live/\nContent-Length: 3\n\nv=0',
    ]);
    expect(sent.map((request) => request.split('\r\n')[0])).toEqual([
      'OPTIONS rtsp://cam/live RTSP/1.0',
      'DESCRIBE rtsp://cam/live RTSP/1.0',
    ]);
    expect(sdp).toBe('v=0');
    expect(base).toBe('rtsp://cam/live/');
  });

  test('answers a challenge once and never shows the credentials', async () => {
    const challenge = (n: number) =>
      `RTSP/1.0 401 Unauthorized\nCSeq: ${n}\nWWW-Authenticate: Basic realm="c"\nWWW-Authenticate: Digest realm="c", nonce="n"\n\n`;
    const { sent, error } = await talk('rtsp://admin:s%40cret@cam/live', [
      'RTSP/1.0 200 OK\nCSeq: 1\n\n',
      challenge(2),
      challenge(3),
    ]);
    expect(sent).toHaveLength(3);
    expect(sent[2]).toContain(
      'Authorization: Digest username="admin", realm="c", nonce="n", uri="rtsp://cam/live"',
    );
    expect(error?.code).toBe('RTSP_UNAUTHORIZED');
    expect(`${sent.join()}${error?.message}`).not.toMatch(/s@cret|s%40cret/);
  });

  test('says what a server that refuses has said', async () => {
    const { error } = await talk('rtsp://cam/live', [
      'RTSP/1.0 501 Not Implemented\nCSeq: 1\n\n',
      'RTSP/1.0 404 Not Found - no such stream\nCSeq: 2\n\n',
    ]);
    expect(error?.message).toBe('rtsp://cam/live does not exist (Not Found - no such stream).');
  });
});

describe('authorize', () => {
  test('makes the digest of the example in RFC 2617 section 3.5', () => {
    const header = authorize(
      [
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
      ],
      { user: 'Mufasa', password: 'Circle Of Life' },
      { method: 'GET', uri: '/dir/index.html' },
      '0a4f113b',
    );
    expect(header).toContain('response="6629fae49393a05397450978507c4ef1"');
  });

  test('falls back to Basic, and gives up on schemes it does not know', () => {
    const credentials = { user: 'a', password: 'b' };
    const request = { method: 'DESCRIBE', uri: 'rtsp://h/' };
    expect(authorize(['Basic realm="x"'], credentials, request)).toBe('Basic YTpi');
    expect(authorize(['Bearer'], credentials, request)).toBeUndefined();
  });
});
