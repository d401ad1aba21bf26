import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import type { NamedError } from '#util/named-error.ts';
import type { ChannelPair } from './application.ts';
import { type RtspRequest, serializeInterleaved } from './message.ts';
import { RtspParser } from './parser.ts';
import { RtspPublishingClient } from './publishing-client.ts';

const SDP = 'v=0\r\nm=video 0 RTP/AVP 96\r\n';

/** A publisher of two tracks and a server that says what the test scripts, on virtual time. */
function talk(
  answer: (request: RtspRequest) => string | undefined,
  options: { url?: string; tracks?: string[] } = {},
) {
  const clock = new VirtualClock();
  const asked: RtspRequest[] = [];
  const queue: Buffer[] = [];
  const outcome: { channels?: readonly ChannelPair[]; error?: NamedError; rtcp: string[] } = { rtcp: [] };
  const parser = new RtspParser();
  const client: RtspPublishingClient = new RtspPublishingClient(
    options.url ?? 'rtsp://cloud/yard',
    {
      send(bytes) {
        parser.push(bytes);
        for (let message = parser.next(); message; message = parser.next()) {
          if (message.kind !== 'request') continue;
          asked.push(message);
          const reply = answer(message)?.replace('CSEQ', `CSeq: ${message.headers.get('cseq')}`);
          if (reply !== undefined) queue.push(Buffer.from(reply.replaceAll('\n', '\r\n')));
        }
      },
      recording: (channels) => void Object.assign(outcome, { channels }),
      rtcp: (track, packet) => void outcome.rtcp.push(`${track} ${packet.toString()}`),
      failed: (error) => void Object.assign(outcome, { error }),
    },
    { clock },
  );
  const run = () => {
    for (let bytes = queue.shift(); bytes; bytes = queue.shift()) client.receive(bytes);
  };
  client.start({ sdp: SDP, tracks: options.tracks ?? ['trackID=0', 'trackID=1'] });
  run();
  const pass = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      run();
    }
  };
  const lines = () => asked.map(({ method, uri }) => `${method} ${uri}`);
  return { clock, client, asked, lines, outcome, pass };
}

function good({ method }: RtspRequest): string {
  switch (method) {
    case 'OPTIONS':
      return 'RTSP/1.0 200 OK\nCSEQ\nPublic: ANNOUNCE, SETUP, RECORD, GET_PARAMETER\n\n';
    case 'SETUP':
      return 'RTSP/1.0 200 OK\nCSEQ\nSession: abc;timeout=60\n\n';
    default:
      return 'RTSP/1.0 200 OK\nCSEQ\n\n';
  }
}

const except =
  (others: Record<string, string | undefined>) =>
  (request: RtspRequest): string | undefined =>
    request.method in others ? others[request.method] : good(request);

describe('a client that publishes', () => {
  test('announces the description, sets each track up for recording, records, and says goodbye', () => {
    const { asked, client, clock, lines, outcome } = talk(good);
    expect(outcome.channels).toEqual([
      [0, 1],
      [2, 3],
    ]);
    client.close();
    client.close();
    expect(lines()).toEqual([
      'OPTIONS rtsp://cloud/yard',
      'ANNOUNCE rtsp://cloud/yard',
      'SETUP rtsp://cloud/yard/trackID=0',
      'SETUP rtsp://cloud/yard/trackID=1',
      'RECORD rtsp://cloud/yard',
      'TEARDOWN rtsp://cloud/yard',
    ]);
    expect(asked[1]!.headers.get('content-type')).toBe('application/sdp');
    expect(asked[1]!.body.toString()).toBe(SDP);
    expect(asked[2]!.headers.get('transport')).toBe('RTP/AVP/TCP;unicast;interleaved=0-1;mode=record');
    expect(asked[4]!.headers.get('session')).toBe('abc');
    expect(clock.pending).toBe(0);
    expect(outcome.error).toBeUndefined();
  });

  test('takes the channels that the server chose, and hands its reports over', () => {
    const setUp = (request: RtspRequest) =>
      request.method === 'SETUP'
        ? `RTSP/1.0 200 OK\nCSEQ\nSession: abc\nTransport: RTP/AVP/TCP;unicast;interleaved=${request.uri.endsWith('0') ? '8-9' : '4-5'}\n\n`
        : good(request);
    const { client, outcome } = talk(setUp);
    expect(outcome.channels).toEqual([
      [8, 9],
      [4, 5],
    ]);
    client.receive(serializeInterleaved(5, Buffer.from('report')));
    client.receive(serializeInterleaved(8, Buffer.from('nonsense')));
    expect(outcome.rtcp).toEqual(['1 report']);
  });

  test('answers a challenge to ANNOUNCE with the description once more, and shows no password', () => {
    let challenged = false;
    const { asked, outcome } = talk(
      (request) => {
        if (request.method !== 'ANNOUNCE' || challenged) return good(request);
        challenged = true;
        return 'RTSP/1.0 401 Unauthorized\nCSEQ\nWWW-Authenticate: Digest realm="r", nonce="n"\n\n';
      },
      { url: 'rtsp://feeder:s%40cret@cloud/yard' },
    );
    expect(outcome.channels).toHaveLength(2);
    expect(asked[2]!.method).toBe('ANNOUNCE');
    expect(asked[2]!.headers.get('authorization')).toMatch(
      /^Digest username="feeder", .*uri="rtsp:\/\/cloud\/yard"/,
    );
    expect(asked[2]!.body.toString()).toBe(SDP);
    expect(asked.map(({ uri }) => uri).join()).not.toMatch(/s@cret|s%40cret/);
  });

  test.each([
    ['ANNOUNCE', '404 Not Found', 'RTSP_REFUSED', /takes no stream under this address/],
    ['ANNOUNCE', '405 Method Not Allowed', 'RTSP_REFUSED', /lets streams be published/],
    [
      'ANNOUNCE',
      '403 Forbidden',
      'RTSP_REFUSED',
      /does not let the stream be published: Forbidden\. Check what/,
    ],
    ['ANNOUNCE', '401 Unauthorized', 'RTSP_UNAUTHORIZED', /asks for a user/],
    ['SETUP', '461 Unsupported Transport', 'RTSP_REFUSED', /answered SETUP with 461/],
    ['RECORD', '503 Service Unavailable', 'RTSP_REFUSED', /answered RECORD with 503/],
    ['ANNOUNCE', '302 Moved Temporarily', 'RTSP_REFUSED', /answered ANNOUNCE with 302/],
  ])('says what a server means that answers %s with %s', (method, status, code, sentence) => {
    const { outcome, clock } = talk(except({ [method]: `RTSP/1.0 ${status}\nCSEQ\n\n` }));
    expect(outcome.error).toMatchObject({ code });
    expect(outcome.error?.message).toMatch(sentence);
    expect(clock.pending).toBe(0);
  });

  test.each(['ANNOUNCE', 'SETUP', 'RECORD'])('waits 5 s for the answer to %s', (method) => {
    const { clock, outcome } = talk(except({ [method]: undefined }));
    clock.advance(4999);
    expect(outcome.error).toBeUndefined();
    clock.advance(1);
    expect(outcome.error).toMatchObject({ code: 'RTSP_TIMEOUT' });
    expect(clock.pending).toBe(0);
  });

  test('asks every 10 s whether the server is still there, more often where its session wants that', () => {
    const one = talk(good);
    one.pass(35);
    expect(one.lines().slice(5)).toEqual(Array(3).fill('GET_PARAMETER rtsp://cloud/yard'));
    const two = talk(except({ SETUP: 'RTSP/1.0 200 OK\nCSEQ\nSession: abc;timeout=10\n\n' }));
    two.pass(16);
    expect(two.lines().slice(5)).toHaveLength(3);
    two.pass(600);
    expect(two.outcome.error).toBeUndefined();
  });

  test('ends when nothing is heard of the server any more, and a report is a sign of life', () => {
    const deaf = except({ GET_PARAMETER: undefined });
    const silent = talk(deaf);
    silent.clock.advance(34_999);
    expect(silent.outcome.error).toBeUndefined();
    silent.clock.advance(1);
    expect(silent.outcome.error).toMatchObject({ code: 'RTSP_TIMEOUT' });
    expect(silent.clock.pending).toBe(0);
    const reporting = talk(deaf);
    for (let n = 0; n < 20; n++) {
      reporting.clock.advance(5000);
      reporting.client.receive(serializeInterleaved(1, Buffer.from('report')));
    }
    expect(reporting.outcome.error).toBeUndefined();
    reporting.client.close();
    expect(reporting.clock.pending).toBe(0);
  });
});
