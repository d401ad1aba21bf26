import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import type { NamedError } from '#util/named-error.ts';
import { RtspClient } from './client.ts';
import { type RtspRequest, serializeInterleaved } from './message.ts';
import { RtspParser } from './parser.ts';

const SDP = 'v=0';
type Answer = string | Buffer | undefined;

/** A client and a server that says what the test scripts, on virtual time. */
function talk(
  answer: (request: RtspRequest, n: number) => Answer,
  options: {
    url?: string;
    tracks?: string[];
    control?: string;
    redirects?: boolean;
    ports?: [number, number][];
  } = {},
) {
  const clock = new VirtualClock();
  const asked: RtspRequest[] = [];
  const outcome: {
    base?: string;
    error?: NamedError;
    refused?: readonly number[];
    redirected?: string;
    udp: unknown[];
    datagrams: string[];
    playing: boolean;
    packets: string[];
  } = { playing: false, packets: [], udp: [], datagrams: [] };
  const parser = new RtspParser();
  const client = new RtspClient(
    options.url ?? 'rtsp://cam/live',
    {
      send(bytes) {
        parser.push(bytes);
        for (let message = parser.next(); message; message = parser.next()) {
          if (message.kind !== 'request') continue;
          asked.push(message);
          const reply = answer(message, asked.length);
          if (reply === undefined) continue;
          const cseq = `CSeq: ${message.headers.get('cseq')}`;
          queue.push(
            typeof reply === 'string'
              ? Buffer.from(reply.replaceAll('\n', '\r\n').replace('CSEQ', cseq))
              : reply,
          );
        }
      },
      described(_sdp, base) {
        outcome.base = base;
        client.play({
          baseUrl: base,
          control: options.control ?? '*',
          tracks: options.tracks ?? ['trackID=0'],
          ports: options.ports,
        });
      },
      udp: (track, ports) => void outcome.udp.push([track, ports]),
      sendDatagram: (track, packet) => void outcome.datagrams.push(`${track} ${packet.toString()}`),
      ready: (refused) => {
        outcome.refused = refused;
      },
      playing: () => {
        outcome.playing = true;
      },
      packet: (track, kind, payload) => void outcome.packets.push(`${track} ${kind} ${payload.toString()}`),
      failed: (error) => {
        outcome.error = error;
      },
      ...(options.redirects && {
        redirected: (url: string) => {
          outcome.redirected = url;
        },
      }),
    },
    { clock },
  );
  const queue: Buffer[] = [];
  const run = () => {
    for (let bytes = queue.shift(); bytes; bytes = queue.shift()) client.receive(bytes);
  };
  client.start();
  run();
  const media = (channel = 0) => client.receive(serializeInterleaved(channel, Buffer.from('x')));
  /** Time passes with a packet every second. */
  const play = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      run();
      media();
    }
  };
  const lines = () => asked.map(({ method, uri }) => `${method} ${uri}`);
  return { clock, client, asked, lines, outcome, run, media, play };
}

/** What a well-behaved server answers. */
function good({ method }: RtspRequest): string {
  switch (method) {
    case 'OPTIONS':
      return 'RTSP/1.0 200 OK\nCSEQ\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER\n\n';
    case 'DESCRIBE':
      return `RTSP/1.0 200 OK\nCSEQ\nContent-Base: rtsp://cam/live/\nContent-Length: 3\n\n${SDP}`;
    case 'SETUP':
      return 'RTSP/1.0 200 OK\nCSEQ\nSession: abc;timeout=60\nTransport: RTP/AVP/TCP;interleaved=0-1\n\n';
    default:
      return 'RTSP/1.0 200 OK\nCSEQ\nSession: abc\n\n';
  }
}

/** The same, with other words for some methods. */
function except(others: Record<string, Answer>): (request: RtspRequest) => Answer {
  return (request) => (request.method in others ? others[request.method] : good(request));
}

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

  test.each(['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY'])('waits 5 s for the answer to %s', (method) => {
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
      message: 'rtsp://cam/live answered SETUP with 461 Unsupported Transport.',
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

describe('the addresses of tracks', () => {
  const urls = (base: string, control: string, tracks: string[], url = 'rtsp://cam/live') => {
    const describe = `RTSP/1.0 200 OK\nCSEQ\n${base}Content-Length: 3\n\n${SDP}`;
    const { lines } = talk(except({ DESCRIBE: describe }), { url, control, tracks });
    return lines().slice(2);
  };

  test('belong to the address that was asked where Content-Base is missing or means nothing', () => {
    expect(urls('', '*', ['trackID=1'])).toEqual(['SETUP rtsp://cam/live/trackID=1', 'PLAY rtsp://cam/live']);
    expect(urls('Content-Base: nonsense\n', '', ['a'])).toContain('SETUP rtsp://cam/live/a');
    expect(urls('Content-Base: /other/\n', '', ['a'])).toContain('SETUP rtsp://cam/other/a');
    expect(urls('Content-Location: rtsp://cam/x\n', '', ['a'])).toContain('SETUP rtsp://cam/x/a');
  });

  test('stand behind a query as text, as servers expect it', () => {
    const url = 'rtsp://cam/cam/realmonitor?channel=1&subtype=0';
    expect(urls('', '*', ['trackID=0'], url)).toContain(`SETUP ${url}/trackID=0`);
    expect(urls('', '*', ['?ctype=video'], 'rtsp://cam/x')).toContain('SETUP rtsp://cam/x?ctype=video');
  });

  test('are taken as they stand when they are absolute, without credentials', () => {
    expect(urls('', 'rtsp://cam:554/agg/', ['rtsp://u:p@10.0.0.9/v', 'a'])).toEqual([
      'SETUP rtsp://10.0.0.9/v',
      'SETUP rtsp://cam:554/agg/a',
      'PLAY rtsp://cam:554/agg/',
    ]);
  });
});

describe('credentials', () => {
  const digest = (nonce: string, more = '') =>
    `RTSP/1.0 401 Unauthorized\nCSEQ\nWWW-Authenticate: Digest realm="c", nonce="${nonce}", qop="auth"${more}\n\n`;
  const nonceOf = ({ headers }: RtspRequest) => /nonce="(\w+)"/.exec(headers.get('authorization') ?? '')?.[1];
  const countOf = ({ headers }: RtspRequest) => /nc=(\w+)/.exec(headers.get('authorization') ?? '')?.[1];
  const url = 'rtsp://u:p@cam/live';

  test('go with every request after the challenge, counted', () => {
    const { asked, outcome } = talk((request) => (nonceOf(request) ? good(request) : digest('n1')), { url });
    expect(outcome.playing).toBe(true);
    expect(asked.map((request) => countOf(request))).toEqual([
      undefined,
      '00000001',
      '00000002',
      '00000003',
      '00000004',
    ]);
  });

  test.each(['', ', stale=true'])('answer a nonce that has run out in the midst (%s)', (stale) => {
    let nonce = 'n1';
    const { play, asked, outcome, lines } = talk(
      (request) => (nonceOf(request) === nonce ? good(request) : digest(nonce, stale)),
      { url },
    );
    nonce = 'n2';
    play(40);
    expect(outcome.error).toBeUndefined();
    expect(lines().slice(-2)).toEqual(Array(2).fill('GET_PARAMETER rtsp://cam/live/'));
    expect(nonceOf(asked.at(-1)!)).toBe('n2');
  });

  test('that are wrong are tried once, also where each refusal has a new nonce', () => {
    const { asked, outcome } = talk((_request, n) => digest(`n${n}`), { url });
    expect(outcome.error).toMatchObject({ code: 'RTSP_UNAUTHORIZED' });
    expect(outcome.error?.message).toContain('Check the user and the password');
    expect(asked).toHaveLength(2);
  });

  test('use SHA-256 where both are offered', () => {
    const both =
      'RTSP/1.0 401 Unauthorized\nCSEQ\nWWW-Authenticate: Digest realm="c", nonce="a"\nWWW-Authenticate: Digest realm="c", nonce="b", algorithm=SHA-256\n\n';
    const { asked, outcome } = talk((request) => (nonceOf(request) ? good(request) : both), { url });
    expect(outcome.playing).toBe(true);
    expect(asked[1]!.headers.get('authorization')).toMatch(/algorithm=SHA-256/);
    expect(asked[1]!.headers.get('authorization')).toMatch(/response="[0-9a-f]{64}"/);
  });
});

describe('a redirect', () => {
  const moved = 'RTSP/1.0 302 Moved Temporarily\nCSEQ\nLocation: rtsp://other/live\n\n';

  test('is handed over, and ends the conversation', () => {
    const { outcome, clock } = talk(except({ DESCRIBE: moved }), { redirects: true });
    expect(outcome.redirected).toBe('rtsp://other/live');
    expect(outcome.error).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test('is a refusal where it may not be followed', () => {
    const { outcome } = talk(except({ DESCRIBE: moved }));
    expect(outcome.error).toMatchObject({
      message: 'rtsp://cam/live answered DESCRIBE with 302 Moved Temporarily.',
    });
  });
});

describe('answers that are a little off', () => {
  test('belong to the oldest request when they have no number, and 100 is no answer yet', () => {
    const { outcome } = talk((request) => {
      const text = good(request).replace('CSEQ\n', '');
      return request.method === 'DESCRIBE' ? `RTSP/1.0 100 Continue\nCSEQ\n\n${text}` : text;
    });
    expect(outcome.playing).toBe(true);
  });

  test('belong to the oldest request too when their number is always the same', () => {
    const { outcome } = talk((request) => good(request).replace('CSEQ', 'CSeq: 1'));
    expect(outcome.playing).toBe(true);
  });

  test('that come too late are taken for no answer to another request', () => {
    const { client, clock, media, outcome, asked } = talk(
      except({ GET_PARAMETER: undefined, OPTIONS: 'RTSP/1.0 200 OK\nCSEQ\nPublic: GET_PARAMETER\n\n' }),
    );
    for (let second = 0; second < 62; second++) {
      clock.advance(1000);
      media();
    }
    expect(asked.slice(4).map(({ headers }) => headers.get('cseq'))).toEqual(['5', '6']);
    client.receive(Buffer.from('RTSP/1.0 454 Session Not Found\r\nCSeq: 5\r\n\r\n'));
    expect(outcome.error).toBeUndefined();
  });

  test('that are no RTSP end it with a name', () => {
    const { outcome } = talk(except({ OPTIONS: Buffer.alloc(200_000, 0xff) }));
    expect(outcome.error).toMatchObject({ code: 'RTSP_NOT_RTSP' });
  });
});
