import { describe, expect, it } from 'vitest';
import { AccessControl } from '#auth/access-control.ts';
import { api } from '../../test/support/http-api.ts';
import type { ForwardInfo } from './dependencies.ts';

const list: readonly ForwardInfo[] = [
  { stream: 'yard', url: 'rtsp://cloud/yard', state: 'running', since: 1_700_000_000_000, bytesSent: 5 },
  {
    ...{
      stream: 'hall',
      url: 'srt://archive:9000',
      state: 'waiting',
      since: 1_700_000_000_000,
      bytesSent: 0,
    },
    ...{ reason: 'Nobody listens.', code: 'FORWARD_UNREACHABLE' },
  },
];

describe('forwards', () => {
  it('are listed with their state and why, and counted', async () => {
    const { get } = api({ forwards: () => list });
    expect((await get('/api/forwards')).json()).toEqual({
      forwards: [
        { ...list[0], since: '2023-11-14T22:13:20.000Z' },
        { ...list[1], since: '2023-11-14T22:13:20.000Z' },
      ],
    });
    const metrics = (await get('/metrics')).body;
    expect(metrics).toContain('sluice_forwards{state="waiting"} 1');
    expect(metrics).toContain('sluice_forward_bytes_sent_total{stream="yard",url="rtsp://cloud/yard"} 5');
  });

  it('are shown to who manages their stream', async () => {
    const permissions = [{ actions: ['read' as const], streams: '*' }];
    const manages = { actions: ['manage' as const], streams: 'hall' };
    const access = new AccessControl({
      users: [{ name: 'anna', password: 'secret', permissions: [...permissions, manages] }],
      tokens: [],
    });
    const { get } = api({ forwards: () => list, access });
    const authorization = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
    const { forwards } = (await get('/api/forwards', { authorization })).json<{ forwards: ForwardInfo[] }>();
    expect(forwards.map(({ stream }) => stream)).toEqual(['hall']);
    expect((await get('/api/forwards')).statusCode).toBe(401);
  });
});
