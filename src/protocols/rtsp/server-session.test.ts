import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { RtspApplication } from './application.ts';
import { serializeInterleaved } from './message.ts';
import { RtspParser } from './parser.ts';
import { RtspServerSession } from './server-session.ts';
import type { ServerTransports } from './transport-choice.ts';

interface Reply {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
  header(name: string): string | undefined;
}

/** A session over an application that notes what it is asked; single answers can be replaced. */
function setUp(overrides: Partial<RtspApplication> = {}, timeoutMs = 60_000, transports?: ServerTransports) {
  const calls: string[] = [];
  const clock = new VirtualClock();
  const replies: Reply[] = [];
  const parser = new RtspParser();
  const application: RtspApplication = {
    describe: ({ path }) => ({ sdp: 'v=0\r\n', name: path }),
    announce: (name) => void calls.push(`announce ${name}`),
    setupPlay: ({ name, track, channels }) =>
      void calls.push(`play-setup ${name} ${track} ${channels.join()}`),
    setupRecord: ({ name, track, channels }) =>
      void calls.push(`record-setup ${name} ${track} ${channels.join()}`),
    play: () => ({
      info: [{ track: 'trackID=0', sequence: 5, timestamp: 90_000 }],
      start: () => void calls.push(`start after ${replies.length} replies`),
    }),
    pause: () => void calls.push('pause'),
    record: () => void calls.push('record'),
    progress: () => 0,
    interleaved: (channel, payload) => void calls.push(`frame ${channel} ${payload.length}`),
    released: (reason) => void calls.push(`released: ${reason}`),
    disconnect: (reason) => void calls.push(`disconnect: ${reason}`),
    fault: (error) => void calls.push(`fault: ${messageOf(error)}`),
    ...overrides,
  };
  const session = new RtspServerSession({
    application,
    clock,
    id: 'S1',
    timeoutMs,
    ...(transports && { transports }),
    send(bytes) {
      parser.push(bytes);
      const message = parser.next();
      if (message?.kind !== 'response') throw new Error('The server sent something that is no response.');
      const { status, reason, headers, body } = message;
      replies.push({ status, reason, body: body.toString(), header: (name) => headers.get(name) });
    },
  });
  let cseq = 0;
  const say = (method: string, uri: string, headers: Record<string, string> = {}, body = '') => {
    const all = { CSeq: String(++cseq), ...(body && { 'Content-Length': String(body.length) }), ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    session.receive(Buffer.from(`${method} ${uri} RTSP/1.0\r\n${lines.join('')}\r\n${body}`));
  };
  const ask = async (...request: Parameters<typeof say>): Promise<Reply> => {
    say(...request);
    await new Promise((resolve) => setImmediate(resolve));
    const reply = replies.at(-1);
    if (!reply) throw new Error('There was no reply.');
    return reply;
  };
  return { session, clock, calls, replies, say, ask };
}

const TCP = { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' };
const URL = 'rtsp://cam:8554/yard/gate';

describe('RtspServerSession', () => {
  test('leads a reader from DESCRIBE to TEARDOWN, and media starts only after the response to PLAY', async () => {
    const { ask, calls } = setUp();
    expect((await ask('OPTIONS', URL)).header('Public')).toContain('GET_PARAMETER');
    const described = await ask('DESCRIBE', `${URL}?token=x`, { Accept: 'application/sdp' });
    expect(described.header('Content-Base')).toBe(`${URL}/`);
    expect(described.body).toBe('v=0\r\n');
    const setup = await ask('SETUP', `${URL}/trackID=0`, TCP);
    expect(setup.header('Transport')).toBe('RTP/AVP/TCP;unicast;interleaved=0-1');
    expect(setup.header('Session')).toBe('S1;timeout=60');
    const play = await ask('PLAY', URL, { Session: 'S1' });
    expect(play.header('CSeq')).toBe('4');
    expect(play.header('Range')).toBe('npt=0.000-');
    expect(play.header('RTP-Info')).toBe(`url=${URL}/trackID=0;seq=5;rtptime=90000`);
    expect((await ask('PAUSE', URL, { Session: 'S1' })).status).toBe(200);
    expect((await ask('PLAY', `${URL}/`, { Session: 'S1;timeout=60' })).status).toBe(200);
    expect((await ask('TEARDOWN', URL, { Session: 'S1' })).status).toBe(200);
    expect(calls).toEqual([
      'play-setup yard/gate trackID=0 0,1',
      'start after 4 replies',
      'pause',
      'start after 6 replies',
      'released: The client left (TEARDOWN).',
    ]);
  });

  test('leads a publisher from ANNOUNCE to RECORD, with the track names of its own description', async () => {
    const { session, ask, calls } = setUp();
    await ask('ANNOUNCE', URL, { 'Content-Type': 'application/sdp' }, 'v=0\r\n');
    const setup = await ask('SETUP', `${URL}/streamid=1`, {
      Transport: 'RTP/AVP/TCP;unicast;interleaved=2-3;mode=record',
    });
    expect(setup.header('Transport')).toBe('RTP/AVP/TCP;unicast;interleaved=2-3;mode=record');
    expect((await ask('RECORD', URL, { Session: 'S1' })).status).toBe(200);
    expect(session.state).toBe('RECORDING');
    session.receive(serializeInterleaved(2, Buffer.alloc(12)));
    session.close('The connection is gone.');
    session.close('again');
    expect(calls).toEqual([
      'announce yard/gate',
      'record-setup yard/gate streamid=1 2,3',
      'record',
      'frame 2 12',
      'released: The connection is gone.',
    ]);
  });

  test('sets up a track without a DESCRIBE before it, as some players do', async () => {
    const { ask, calls } = setUp();
    expect((await ask('SETUP', `${URL}/trackID=1`, TCP)).status).toBe(200);
    expect(calls).toEqual(['play-setup yard/gate trackID=1 0,1']);
  });

  test('answers requests in their order, also when the first answer takes time', async () => {
    const answer = Promise.withResolvers<{ sdp: string; name: string }>();
    const { say, replies } = setUp({ describe: () => answer.promise });
    say('DESCRIBE', URL);
    say('OPTIONS', URL);
    await new Promise((resolve) => setImmediate(resolve));
    expect(replies).toHaveLength(0);
    answer.resolve({ sdp: 'v=0\r\n', name: 'yard/gate' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(replies.map((reply) => reply.header('CSeq'))).toEqual(['1', '2']);
    expect(replies[0]?.header('Content-Type')).toBe('application/sdp');
  });

  test('disconnects a client that sends without end while an answer is awaited', async () => {
    const { say, calls } = setUp({ describe: () => new Promise(() => {}) });
    for (let i = 0; i < 12; i++) say('DESCRIBE', URL, {}, ' '.repeat(60_000));
    expect(calls.at(-1)).toBe('disconnect: The client sent too much while a request was being answered.');
  });

  test('answers what is wrong with a status and a sentence', async () => {
    const { ask } = setUp({
      describe: () => {
        throw new NamedError('STREAM_NOT_FOUND', 'There is no stream "yard/gate".', 404);
      },
      announce: () => {
        throw new Error('a bug');
      },
    });
    const play = await ask('PLAY', URL);
    expect(play.status).toBe(455);
    expect(play.header('Allow')).toContain('SETUP');
    expect(play.header('Content-Type')).toBe('text/plain; charset=utf-8');
    expect(play.body).toBe('PLAY is not possible in the state INIT.\r\n');
    const missing = await ask('DESCRIBE', URL);
    expect([missing.status, missing.reason]).toEqual([404, 'Not Found - There is no stream "yard/gate".']);
    expect((await ask('ANNOUNCE', URL)).status).toBe(500);
    expect((await ask('FLY', URL)).status).toBe(501);
    expect((await ask('REDIRECT', URL)).status).toBe(405);
    expect((await ask('PLAY', URL, { Session: 'other' })).status).toBe(454);
    expect((await ask('OPTIONS', URL, { CSeq: 'x' })).status).toBe(400);
    expect((await ask('DESCRIBE', 'nowhere')).status).toBe(400);
    expect((await ask('DESCRIBE', URL, { Accept: 'text/html' })).status).toBe(406);
    expect((await ask('SET_PARAMETER', URL, {}, 'volume: 11')).status).toBe(451);
    expect((await ask('SETUP', `${URL}/trackID=0`)).status).toBe(400);
    expect((await ask('SETUP', `${URL}/trackID=0`, { Transport: 'RTP/AVP/TCP;mode=record' })).status).toBe(
      455,
    );
  });

  test('offers TCP to a client that asks for UDP or multicast', async () => {
    const { ask } = setUp();
    const udp = await ask('SETUP', `${URL}/trackID=0`, {
      Transport: 'RTP/AVP;unicast;client_port=5000-5001',
    });
    expect(udp.status).toBe(461);
    expect(udp.reason).toMatch(/^Unsupported Transport - /);
    expect(udp.header('Transport')).toBe('RTP/AVP/TCP;unicast;interleaved=0-1');
    const both = await ask('SETUP', `${URL}/trackID=0`, {
      Transport: 'RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=4-5',
    });
    expect(both.header('Transport')).toContain('interleaved=4-5');
  });

  test('gives other channels to a client that asks for the same ones twice', async () => {
    const { ask } = setUp();
    await ask('SETUP', `${URL}/trackID=0`, TCP);
    const second = await ask('SETUP', `${URL}/trackID=1`, TCP);
    expect(second.header('Transport')).toContain('interleaved=2-3');
  });

  test('refuses the option of an ONVIF back channel, so that the client goes on without it', async () => {
    const { ask } = setUp();
    const reply = await ask('DESCRIBE', URL, { Require: 'www.onvif.org/ver20/backchannel' });
    expect([reply.status, reply.header('Unsupported')]).toEqual([551, 'www.onvif.org/ver20/backchannel']);
  });

  test('tells a browser that knocks that this is RTSP, and hangs up on what is not RTSP at all', () => {
    const { session, replies, calls } = setUp();
    session.receive(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    expect(replies[0]?.status).toBe(505);
    session.receive(Buffer.alloc(70_000));
    expect(replies[1]?.status).toBe(400);
    expect(calls[0]).toMatch(/^disconnect: .*RTSP/);
  });

  test('answers every request of any sequence exactly once and in order, and never fails', async () => {
    const method = fc.constantFrom(
      'OPTIONS',
      'DESCRIBE',
      'ANNOUNCE',
      'SETUP',
      'PLAY',
      'PAUSE',
      'RECORD',
      'TEARDOWN',
    );
    const transport = fc.constantFrom(
      '',
      'RTP/AVP/TCP',
      'RTP/AVP/TCP;interleaved=0-1;mode=record',
      'RTP/AVP',
      '?;=',
    );
    const uri = fc.constantFrom(URL, `${URL}/trackID=0`, '*', 'rtsp://', '/x?y/');
    const request = fc.record({ method, uri, transport, session: fc.constantFrom('', 'S1', 'other') });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 30 }), async (requests) => {
        const { say, replies, calls } = setUp();
        for (const { method, uri, transport, session } of requests) {
          say(method, uri, {
            ...(transport && { Transport: transport }),
            ...(session && { Session: session }),
          });
        }
        await new Promise((resolve) => setImmediate(resolve));
        expect(replies.map((reply) => reply.header('CSeq'))).toEqual(requests.map((_, i) => String(i + 1)));
        expect(calls.filter((call) => call.startsWith('fault'))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('disconnects a client that says nothing for 10 s, or does not end what it began', async () => {
    const late = 'disconnect: The client did not finish a request within 10 s.';
    const silent = setUp();
    silent.clock.advance(9999);
    expect(silent.calls).toEqual([]);
    silent.clock.advance(1);
    expect(silent.calls).toEqual([late]);

    const slow = setUp();
    await slow.ask('OPTIONS', URL);
    slow.clock.advance(30_000);
    for (const byte of 'DESCRIBE rt') {
      slow.session.receive(Buffer.from(byte));
      slow.clock.advance(999);
    }
    expect(slow.calls).toEqual([late]);
    expect(slow.clock.pending).toBe(0);
  });

  test('disconnects a silent client after the time-out, and bytes in either direction start it anew', async () => {
    let taken = 0;
    const { clock, ask, calls } = setUp({ progress: () => taken });
    await ask('ANNOUNCE', URL, {}, 'v=0\r\n');
    clock.advance(59_000);
    await ask('GET_PARAMETER', URL);
    clock.advance(59_000);
    taken = 1000;
    clock.advance(59_000);
    expect(calls).toEqual(['announce yard/gate']);
    clock.advance(2000);
    expect(calls.slice(1)).toEqual([
      'released: The client gave no sign of life for 60 s.',
      'disconnect: The client gave no sign of life for 60 s.',
    ]);
    expect(clock.pending).toBe(0);
  });
});

describe('media over UDP', () => {
  const both: ServerTransports = { tcp: true, udp: [8000, 8001] };
  const udp = (ports: string) => ({ Transport: `RTP/AVP;unicast;client_port=${ports}` });

  test('is agreed on by the ports of both sides and the source of the packets', async () => {
    const setups: unknown[] = [];
    const setupPlay: RtspApplication['setupPlay'] = (setup) => {
      setups.push([setup.channels, setup.clientPorts]);
      return { ssrc: 0xabc };
    };
    const { ask } = setUp({ setupPlay }, 60_000, both);
    const first = await ask('SETUP', `${URL}/trackID=0`, udp('5000-5001'));
    expect(first.header('Transport')).toBe(
      'RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=00000ABC',
    );
    const second = await ask('SETUP', `${URL}/trackID=1`, {
      Transport: 'RTP/AVPF/UDP;unicast;client_port=5002, RTP/AVP/TCP;unicast;interleaved=0-1',
    });
    expect(second.header('Transport')).toContain('RTP/AVPF;unicast;client_port=5002-5003;');
    expect(setups).toEqual([
      [
        [0, 1],
        [5000, 5001],
      ],
      [
        [2, 3],
        [5002, 5003],
      ],
    ]);
  });

  test('is agreed on with a publisher', async () => {
    const { ask } = setUp({}, 60_000, both);
    await ask('ANNOUNCE', URL, { 'Content-Type': 'application/sdp' }, 'v=0\r\n');
    const setup = await ask('SETUP', `${URL}/streamid=0`, {
      Transport: 'RTP/AVP/UDP;unicast;client_port=6000-6001;mode=record',
    });
    expect(setup.header('Transport')).toBe(
      'RTP/AVP;unicast;client_port=6000-6001;server_port=8000-8001;mode=record',
    );
  });

  test('gives way to TCP where the client asks again, since nothing came through its firewall', async () => {
    const { ask, calls } = setUp({}, 60_000, both);
    await ask('SETUP', `${URL}/trackID=0`, udp('5000-5001'));
    await ask('SETUP', `${URL}/trackID=1`, udp('5002-5003'));
    await ask('PLAY', URL);
    await ask('PAUSE', URL);
    const first = await ask('SETUP', `${URL}/trackID=0`, TCP);
    expect(first.header('Transport')).toBe('RTP/AVP/TCP;unicast;interleaved=0-1');
    const second = await ask('SETUP', `${URL}/trackID=1`, {
      Transport: 'RTP/AVP/TCP;unicast;interleaved=2-3',
    });
    expect(second.header('Transport')).toBe('RTP/AVP/TCP;unicast;interleaved=2-3');
    expect((await ask('PLAY', URL)).status).toBe(200);
    expect(calls.filter((call) => call.startsWith('play-setup'))).toEqual([
      'play-setup yard/gate trackID=0 0,1',
      'play-setup yard/gate trackID=1 2,3',
      'play-setup yard/gate trackID=0 0,1',
      'play-setup yard/gate trackID=1 2,3',
    ]);
  });

  test.each([
    [
      'UDP where that is off',
      { tcp: true, udp: undefined },
      udp('5000-5001'),
      'RTP/AVP/TCP;unicast;interleaved=0-1',
    ],
    [
      'UDP without ports',
      { tcp: true, udp: [8000, 8001] },
      { Transport: 'RTP/AVP;unicast' },
      'RTP/AVP/TCP;unicast;interleaved=0-1',
    ],
    ['UDP to port 0', { tcp: true, udp: [8000, 8001] }, udp('0-1'), 'RTP/AVP/TCP;unicast;interleaved=0-1'],
    [
      'TCP where that is off',
      { tcp: false, udp: [8000, 8001] },
      TCP,
      'RTP/AVP;unicast;client_port=5000-5001',
    ],
  ] as const)('answers %s by 461 and what can be had', async (_what, transports, header, offer) => {
    const { ask, calls } = setUp({}, 60_000, transports);
    const reply = await ask('SETUP', `${URL}/trackID=0`, header);
    expect([reply.status, reply.header('Transport')]).toEqual([461, offer]);
    expect(calls).toEqual([]);
  });

  test('keeps a session alive by what comes over UDP, and ends one from which nothing comes', async () => {
    const { ask, clock, session, calls } = setUp({}, 60_000, both);
    await ask('SETUP', `${URL}/trackID=0`, udp('5000-5001'));
    await ask('PLAY', URL);
    clock.advance(50_000);
    session.touch();
    clock.advance(59_999);
    expect(calls.some((call) => call.startsWith('disconnect'))).toBe(false);
    clock.advance(2);
    expect(calls.at(-1)).toBe('disconnect: The client gave no sign of life for 60 s.');
    expect(clock.pending).toBe(0);
  });
});
