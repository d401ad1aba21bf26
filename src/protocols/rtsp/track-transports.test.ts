import { describe, expect, test } from 'vitest';
import { setUp, TCP, URL } from '../../../test/support/rtsp-session.ts';
import type { RtspApplication } from './application.ts';
import type { ServerTransports } from './transport-choice.ts';

describe('media in the connection', () => {
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

  test('goes to a group where the server has one, for readers alone, and for all tracks or none', async () => {
    const group = { address: '239.1.2.3', ports: [8002, 8003], ttl: 16 } as const;
    const asked: unknown[] = [];
    const setupPlay: RtspApplication['setupPlay'] = (setup) => {
      asked.push(setup.multicast);
      return { ssrc: 0xabc, ...(setup.multicast && { group }) };
    };
    const offered: ServerTransports = { tcp: true, udp: [8000, 8001], multicast: true };
    const { ask } = setUp({ setupPlay }, 60_000, offered);
    const first = await ask('SETUP', `${URL}/trackID=0`, { Transport: 'RTP/AVP/UDP;multicast' });
    expect(first.header('Transport')).toBe(
      'RTP/AVP;multicast;destination=239.1.2.3;port=8002-8003;ttl=16;ssrc=00000ABC',
    );
    expect(asked).toEqual([true]);
    expect((await ask('SETUP', `${URL}/trackID=1`, TCP)).status).toBe(400);
    const publisher = setUp({}, 60_000, offered);
    await publisher.ask('ANNOUNCE', URL, { 'Content-Type': 'application/sdp' });
    const record = await publisher.ask('SETUP', `${URL}/trackID=0`, { Transport: 'RTP/AVP;multicast' });
    expect(record.status).toBe(461);
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
});
