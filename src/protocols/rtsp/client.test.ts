import { describe, expect, test } from 'vitest';
import type { NamedError } from '#util/named-error.ts';
import { RtspClient } from './client.ts';

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
