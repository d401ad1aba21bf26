import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { except, good, talk } from '../../../test/support/rtsp-client.ts';
import { RtspClient } from './client.ts';
import { type RtspRequest, serializeInterleaved } from './message.ts';

describe('a client that plays', () => {
  test('sets up and plays with the session that the server names, and says goodbye', () => {
    const { client, asked, lines, outcome, clock } = talk(good);
    expect(outcome.playing).toBe(true);
    client.close();
    client.close();
    expect(lines()).toEqual([
      'OPTIONS rtsp://cam/live',
      'DESCRIBE rtsp://cam/live',
      'SETUP rtsp://cam/live/trackID=0',
      'PLAY rtsp://cam/live/',
      'TEARDOWN rtsp://cam/live/',
    ]);
    expect(asked[2]!.headers.get('transport')).toBe('RTP/AVP/TCP;unicast;interleaved=0-1');
    expect(asked[3]!.headers.get('session')).toBe('abc');
    expect(clock.pending).toBe(0);
    expect(outcome.error).toBeUndefined();
  });

  test('keeps the session alive at half its time-out by GET_PARAMETER, else by OPTIONS', () => {
    const one = talk(good);
    one.play(95);
    expect(one.lines().slice(4)).toEqual(Array(3).fill('GET_PARAMETER rtsp://cam/live/'));
    const two = talk(
      except({
        OPTIONS: 'RTSP/1.0 200 OK\nCSEQ\nPublic: DESCRIBE, SETUP, PLAY\n\n',
        SETUP: 'RTSP/1.0 200 OK\nCSEQ\nSession: abc; timeout=20\n\n',
      }),
    );
    two.play(31);
    expect(two.lines().slice(4)).toEqual(Array(3).fill('OPTIONS rtsp://cam/live/'));
    const three = talk(except({ GET_PARAMETER: 'RTSP/1.0 501 Not Implemented\nCSEQ\n\n' }));
    three.play(95);
    expect(three.asked.slice(4).map(({ method }) => method)).toEqual(['GET_PARAMETER', 'OPTIONS', 'OPTIONS']);
  });

  test('does without answers to keep-alives while media come, but not without the session', () => {
    const deaf = talk(except({ GET_PARAMETER: undefined }));
    deaf.play(120);
    expect(deaf.outcome.error).toBeUndefined();
    const forgetful = talk(except({ GET_PARAMETER: 'RTSP/1.0 454 Session Not Found\nCSEQ\n\n' }));
    forgetful.play(31);
    expect(forgetful.outcome.error).toMatchObject({ code: 'RTSP_REFUSED' });
    expect(forgetful.clock.pending).toBe(0);
  });

  test('describes after 2 s when a camera leaves OPTIONS unanswered', () => {
    const { clock, run, lines, outcome } = talk(except({ OPTIONS: undefined }));
    clock.advance(1999);
    expect(lines()).toEqual(['OPTIONS rtsp://cam/live']);
    clock.advance(1);
    run();
    expect(outcome.playing).toBe(true);
  });

  test.each(['DESCRIBE', 'SETUP', 'PLAY'])('waits 5 s for the answer to %s', (method) => {
    const { clock, outcome } = talk(except({ [method]: undefined }));
    clock.advance(4999);
    expect(outcome.error).toBeUndefined();
    clock.advance(1);
    expect(outcome.error).toMatchObject({
      code: 'RTSP_TIMEOUT',
      message: `rtsp://cam/live did not answer ${method} within 5 s.`,
    });
    expect(clock.pending).toBe(0);
  });

  test('ends when no media come for 5 s, at the beginning or in the midst; reports are no media', () => {
    const never = talk(good);
    never.clock.advance(4999);
    never.media(1);
    never.clock.advance(1);
    expect(never.outcome.error).toMatchObject({ code: 'RTSP_NO_MEDIA' });
    const hung = talk(good);
    hung.play(100);
    hung.clock.advance(4999);
    expect(hung.outcome.error).toBeUndefined();
    hung.clock.advance(1);
    expect(hung.outcome.error).toMatchObject({ message: 'rtsp://cam/live sent no media for 5 s.' });
    expect(hung.clock.pending).toBe(0);
  });

  test('waits for the first packet as long as it is told to, and then as long as ever', () => {
    const never = talk(good, { firstMediaMs: 3000 });
    never.clock.advance(2999);
    expect(never.outcome.error).toBeUndefined();
    never.clock.advance(1);
    expect(never.outcome.error).toMatchObject({ message: 'rtsp://cam/live sent no media for 3 s.' });
    const heard = talk(good, { firstMediaMs: 3000 });
    heard.play(2);
    heard.clock.advance(4999);
    expect(heard.outcome.error).toBeUndefined();
    heard.clock.advance(1);
    expect(heard.outcome.error).toMatchObject({ message: 'rtsp://cam/live sent no media for 5 s.' });
  });

  test('takes the channels that the server chose, and media before the answer to PLAY', () => {
    const { outcome } = talk(
      ({ method, headers, uri }) => {
        const cseq = headers.get('cseq');
        if (method === 'SETUP') {
          const channels = uri.endsWith('v') ? '8-9' : '5-4';
          return Buffer.from(
            `RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nSession: 1\r\nTransport: RTP/AVP/TCP;interleaved=${channels}\r\n\r\n`,
          );
        }
        if (method !== 'PLAY') return good({ method } as RtspRequest);
        return Buffer.concat([
          serializeInterleaved(8, Buffer.from('a')),
          serializeInterleaved(5, Buffer.from('b')),
          serializeInterleaved(77, Buffer.from('c')),
          Buffer.from(`RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\n\r\n`),
          serializeInterleaved(4, Buffer.from('d')),
        ]);
      },
      { tracks: ['v', 'a'] },
    );
    expect(outcome.playing).toBe(true);
    expect(outcome.packets).toEqual(['0 rtp a', '1 rtp b', '1 rtcp d']);
  });

  test('plays what is set up when the server refuses one track, and nothing when it refuses all', () => {
    const answer = (request: RtspRequest) =>
      request.uri.endsWith('/a') ? 'RTSP/1.0 461 Unsupported Transport\nCSEQ\n\n' : good(request);
    const one = talk(answer, { tracks: ['v', 'a'] });
    expect(one.outcome).toMatchObject({ playing: true, refused: [1] });
    const none = talk(answer, { tracks: ['a'] });
    expect(none.outcome.error).toMatchObject({
      code: 'RTSP_TRANSPORT_REFUSED',
      message: 'rtsp://cam/live does not send over TCP (461). Try it with transport: udp.',
    });
  });

  test('answers requests of the server', () => {
    const sent: string[] = [];
    const client = new RtspClient('rtsp://cam/', {
      send: (bytes) => void sent.push(bytes.toString()),
      described() {},
      failed() {},
    });
    client.receive(
      Buffer.from('OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\nREDIRECT * RTSP/1.0\r\nCSeq: 8\r\n\r\n'),
    );
    expect(sent.map((text) => text.split('\r\n').slice(0, 2))).toEqual([
      ['RTSP/1.0 200 OK', 'CSeq: 7'],
      ['RTSP/1.0 501 Not Implemented', 'CSeq: 8'],
    ]);
  });
});

describe('media over UDP', () => {
  const setUp =
    'RTSP/1.0 200 OK\nCSEQ\nSession: abc\nTransport: RTP/AVP;unicast;client_port=5000-5001;server_port=7000-7001\n\n';

  test('are asked for with our ports, and counted as media', () => {
    const { asked, client, clock, outcome } = talk(except({ SETUP: setUp }), { ports: [[5000, 5001]] });
    expect(asked[2]!.headers.get('transport')).toBe('RTP/AVP;unicast;client_port=5000-5001');
    expect(outcome.udp).toEqual([[0, [7000, 7001]]]);
    clock.advance(4000);
    client.datagram(0, 'rtp', Buffer.from('a'));
    clock.advance(4000);
    expect(outcome.error).toBeUndefined();
    expect(outcome.packets).toEqual(['0 rtp a']);
    client.sendRtcp(0, Buffer.from('r'));
    expect(outcome.datagrams).toEqual(['0 r']);
    clock.advance(1000);
    expect(outcome.error?.message).toContain('A firewall may keep UDP out; try transport: tcp.');
  });

  test('come inside the connection where the server wants that', () => {
    const { media, outcome } = talk(good, { ports: [[5000, 5001]] });
    media();
    expect(outcome.udp).toEqual([]);
    expect(outcome.packets).toEqual(['0 rtp x']);
  });

  test('that nobody asked for end it', () => {
    const { outcome } = talk(except({ SETUP: setUp }));
    expect(outcome.error?.message).toContain('Try it with transport: udp.');
  });
});

test('reports about a track go by its own channel of the connection', () => {
  const written: Buffer[] = [];
  const clock = new VirtualClock();
  const client = new RtspClient(
    'rtsp://cam/',
    {
      send: (bytes) => void written.push(bytes),
      described: (_sdp, baseUrl) => client.play({ baseUrl, control: '', tracks: ['v', 'a'] }),
      failed() {},
    },
    { clock },
  );
  client.start();
  for (let n = 1; n <= 4; n++) client.receive(Buffer.from(`RTSP/1.0 200 OK\r\nCSeq: ${n}\r\n\r\n`));
  client.sendRtcp(1, Buffer.from('report'));
  expect(written.at(-1)).toEqual(serializeInterleaved(3, Buffer.from('report')));
});
