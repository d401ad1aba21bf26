import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { setUp, URL } from '../../../test/support/rtsp-session.ts';
import { PUBLIC_METHODS } from './states.ts';

describe('RtspServerSession', () => {
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

  test('tells a browser that knocks that this is RTSP, and hangs up on what is not RTSP at all', () => {
    const { session, replies, calls } = setUp();
    session.receive(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    expect(replies[0]?.status).toBe(505);
    session.receive(Buffer.alloc(70_000));
    expect(replies[1]?.status).toBe(400);
    expect(calls[0]).toMatch(/^disconnect: .*RTSP/);
  });

  test('answers every request of any sequence exactly once and in order, and never fails', async () => {
    const method = fc.constantFrom(...PUBLIC_METHODS);
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

  test('disconnects a silent client after the time-out, and bytes that a reader takes start it anew', async () => {
    let taken = 0;
    const { clock, ask, calls } = setUp({ progress: () => taken });
    await ask('SETUP', `${URL}/trackID=0`, { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' });
    clock.advance(59_000);
    await ask('GET_PARAMETER', URL);
    clock.advance(59_000);
    taken = 1000;
    clock.advance(59_000);
    expect(calls).toHaveLength(1);
    clock.advance(2000);
    expect(calls.slice(1)).toEqual([
      'released: The client gave no sign of life for 60 s.',
      'disconnect: The client gave no sign of life for 60 s.',
    ]);
    expect(clock.pending).toBe(0);
  });

  test('disconnects a publisher that sends nothing, however many reports the system takes for it', async () => {
    let taken = 0;
    const { clock, ask, calls } = setUp({ progress: () => taken });
    await ask('ANNOUNCE', URL, {}, 'v=0\r\n');
    for (let s = 0; s < 60; s += 5) {
      expect(calls).toHaveLength(1);
      taken += 32;
      clock.advance(5000);
    }
    expect(calls.at(-1)).toBe('disconnect: The client gave no sign of life for 60 s.');
  });

  test('keeps a session alive by what comes over UDP, and ends one from which nothing comes', async () => {
    const { ask, clock, session, calls } = setUp({}, 60_000, { tcp: true, udp: [8000, 8001] });
    await ask('SETUP', `${URL}/trackID=0`, { Transport: 'RTP/AVP;unicast;client_port=5000-5001' });
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
