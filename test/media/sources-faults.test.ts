import { describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { RtspSource } from '#sources/rtsp/source.ts';
import { WorkingTransports } from '#sources/rtsp/working-transports.ts';
import { VirtualClock } from '#util/clock.ts';
import { madeUpClip } from '../support/fault-camera/clip.ts';
import type { FaultCameraOptions, ServerFaults } from '../support/fault-camera/options.ts';
import { FaultServer } from '../support/fault-camera/server.ts';
import { fakeReader } from '../support/readers.ts';
import { eventually } from '../support/sluice.ts';

/** An RTSP source against cameras with a fault. */

const clip = madeUpClip();

interface Setting {
  readonly camera?:
    | Omit<FaultCameraOptions, 'clip'>
    | ((connection: number) => Omit<FaultCameraOptions, 'clip'>);
  readonly credentials?: string;
  readonly udp?: boolean;
  /** The source chooses the transport. */
  readonly auto?: boolean;
  readonly working?: WorkingTransports;
}

async function pull({ camera = {}, credentials = '', udp = false, auto = false, working }: Setting) {
  const server = await FaultServer.listen({
    udp,
    camera: (connection) => ({ clip, ...(typeof camera === 'function' ? camera(connection) : camera) }),
  });
  const hub = new Hub();
  const transport = auto ? 'auto' : udp ? 'udp' : 'tcp';
  const states: { state: string; code?: string; reason?: string }[] = [];
  const source = new RtspSource({
    hub,
    stream: 'yard',
    url: server.url(credentials),
    transport,
    ...(working && { working }),
    onState: ({ state, code, reason }) =>
      states.push({
        state,
        ...(code === undefined ? {} : { code }),
        ...(reason === undefined ? {} : { reason }),
      }),
    random: () => 0.999,
  });
  return {
    server,
    hub,
    states,
    source,
    running: () => eventually(() => source.status.state === 'running', 5000),
    /** The first failure. */
    failure: () => eventually(() => states.find(({ state }) => state === 'waiting'), 9000),
    async [Symbol.asyncDispose]() {
      await source.stop();
      await server[Symbol.asyncDispose]();
      hub.close('The test is over.');
    },
  };
}

describe('an RTSP source', () => {
  it.each(['basic', 'digest-md5', 'digest-sha256'] as const)(
    'answers %s, also when the nonce goes stale',
    async (scheme) => {
      const auth = { scheme, user: 'ann', password: 'p@ss:word', staleAfter: 2 };
      await using pulled = await pull({ camera: { server: { auth } }, credentials: 'ann:p%40ss%3Aword' });
      expect(await pulled.running()).toBe(true);
    },
  );

  it('says that the password is wrong, and never what it is', async () => {
    const auth = { scheme: 'digest-md5', user: 'ann', password: 'right' } as const;
    await using pulled = await pull({ camera: { server: { auth } }, credentials: 'ann:wr0ng' });
    expect(await pulled.failure()).toMatchObject({ code: 'RTSP_UNAUTHORIZED' });
    expect(JSON.stringify(pulled.states)).not.toContain('wr0ng');
  });

  it.each<[string, ServerFaults, string]>([
    ['an empty SDP', { sdp: 'empty' }, 'SDP_INVALID'],
    ['an SDP without media', { sdp: 'no-media' }, 'SDP_INVALID'],
    ['an SDP of garbage', { sdp: 'garbage' }, 'SDP_INVALID'],
    [
      'codecs that nobody knows',
      { sdp: (sdp) => sdp.replaceAll(/a=rtpmap:(\d+) \S+/g, 'a=rtpmap:$1 X/1000') },
      'CODEC_UNSUPPORTED',
    ],
    ['404', { refuse: { DESCRIBE: 404 } }, 'RTSP_NOT_FOUND'],
    ['461 to every SETUP', { refuse: { SETUP: 461 } }, 'RTSP_TRANSPORT_REFUSED'],
    ['503 to PLAY', { refuse: { PLAY: 503 } }, 'RTSP_REFUSED'],
    ['a reset', { resetAt: 'SETUP' }, 'RTSP_UNREACHABLE'],
  ])('names %s, and tries again', async (_name, server, code) => {
    await using pulled = await pull({ camera: (n) => (n === 0 ? { server } : {}) });
    expect(await pulled.failure()).toMatchObject({ code });
    await pulled.running();
    expect(pulled.states.map(({ state }) => state)).toEqual(['waiting', 'starting', 'running']);
  });

  it('bears a wrong or missing CSeq, refused OPTIONS, junk between frames and other streams', async () => {
    const two = (sdp: string) =>
      `${sdp}m=video 0 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\na=control:trackID=7\r\n`;
    for (const server of [
      { cseq: 'missing' },
      { cseq: 'wrong' },
      { refuse: { OPTIONS: 501 } },
      { junkEvery: 5 },
      { sdp: two },
      { sdp: (sdp: string) => sdp.replace('a=control:*\r\n', '') },
    ] satisfies ServerFaults[]) {
      await using pulled = await pull({ camera: { server } });
      await pulled.running();
      expect(pulled.hub.get('yard')?.tracks.map(({ format }) => format.kind)).toEqual(['video', 'audio']);
    }
  });

  it.each<[string, (sdp: string) => string]>([
    [
      'describes another payload type than it announces',
      (sdp) => sdp.replace(/^(m=video \d+ \S+) \d+/m, '$1 121'),
    ],
    ['says nothing of its parameter sets', (sdp) => sdp.replace(/^a=fmtp:96.*\r\n/m, '')],
    ['ends its lines by CR alone', (sdp) => sdp.replaceAll('\r\n', '\r')],
    ['ends its lines by LF alone, with blank ones between', (sdp) => sdp.replaceAll('\r\n', '\n\n')],
    ['has letters in its name that are no UTF-8', (sdp) => sdp.replace(/^s=.*$/m, 's=\xfc\ufffd\x01')],
    ['puts spaces around its controls', (sdp) => sdp.replaceAll(/a=control:(\S+)/g, 'a=control: $1 ')],
    ['begins its controls with a slash', (sdp) => sdp.replaceAll('a=control:trackID', 'a=control:/trackID')],
    [
      'offers further pictures',
      (sdp) => `${sdp}${sdp.slice(sdp.indexOf('m=video')).replace(/m=audio[^]*$/, '')}`,
    ],
  ])('takes picture and sound of a camera that %s', async (_quirk, sdp) => {
    await using pulled = await pull({ camera: { server: { sdp } } });
    await pulled.running();
    const stream = pulled.hub.get('yard')!;
    expect(stream.tracks.map(({ format }) => format.kind)).toEqual(['video', 'audio']);
    const right = pulled.server.cores[0]?.camera.sdp ?? '';
    expect(sdp(right)).not.toBe(right);
    const seen = new Set<number>();
    const { reader } = fakeReader();
    stream.feed('units', [0, 1], () => ({ write: ({ track }) => void seen.add(track.id) })).attach(reader);
    await eventually(() => seen.size === 2);
  });

  it.each([
    ['before the first packet', 0],
    ['in the midst', 1000],
  ])(
    'notices within 5 s that media stop %s, and connects anew',
    async (_when, stallAtMs) => {
      await using pulled = await pull({ camera: (n) => (n === 0 ? { fate: { stallAtMs } } : {}) });
      expect(await pulled.failure()).toMatchObject({ code: 'RTSP_NO_MEDIA' });
      await pulled.running();
    },
    15_000,
  );

  it('keeps its readers over the death of the camera', async () => {
    await using pulled = await pull({ camera: (n) => (n === 0 ? { fate: { dieAtMs: 1000 } } : {}) });
    await pulled.running();
    const stream = pulled.hub.get('yard')!;
    const units: AccessUnit[] = [];
    const { reader } = fakeReader();
    stream.feed('units', [0, 1], () => ({ write: (unit) => void units.push(unit) })).attach(reader);
    expect((await pulled.failure()).reason).toContain('The next attempt is in 0.3 s.');
    expect(stream.state).toBe('held');
    await pulled.running();
    expect(pulled.hub.get('yard')).toBe(stream);
    const seen = units.length;
    await eventually(() => units.length > seen + 25);
    const dts = units.filter(({ track }) => track.format.kind === 'video').map((unit) => unit.dts);
    expect(dts).toEqual(dts.toSorted((a, b) => a - b));
    expect(new Set(dts).size).toBe(dts.length);
  });

  it('takes media over UDP, in order again, and counts what is lost', async () => {
    const packets = { loss: 0.02, reorder: 0.1, reorderMs: 30 };
    await using pulled = await pull({ udp: true, camera: { packets } });
    await pulled.running();
    const stream = pulled.hub.get('yard')!;
    await eventually(() => stream.counters.units > 100);
    const video = await eventually(() =>
      stream.reception?.find(({ track, lost }) => track === 0 && lost > 0),
    );
    // Those that came out of order are not among the lost ones.
    expect(video.lost / video.packets).toBeLessThan(0.08);
    expect(video.late).toBe(0);
  });

  it('that may choose takes UDP where it comes', async () => {
    await using pulled = await pull({ udp: true, auto: true });
    await pulled.running();
    expect(pulled.server.cores).toHaveLength(1);
    expect(pulled.server.cores[0]?.peerPorts).toHaveLength(2);
  });

  it('that may choose takes TCP at once where UDP is refused with 461, and first the next time', async () => {
    const working = new WorkingTransports();
    await using pulled = await pull({ auto: true, working });
    await pulled.running();
    expect(pulled.states.map(({ state }) => state)).toEqual(['running']);
    expect(pulled.server.cores).toHaveLength(2);
    pulled.server.reset();
    await pulled.failure();
    await eventually(() => pulled.server.cores.length === 3);
    await pulled.running();
    // The third connection asked for TCP only: a refusal would have cost a fourth.
    expect(pulled.server.cores).toHaveLength(3);
    expect(working.get('yard', pulled.server.url())).toBe('tcp');
  });

  it('that may choose takes TCP after 3 s in which nothing came over UDP', async () => {
    await using pulled = await pull({
      udp: true,
      auto: true,
      camera: (n) => (n === 0 ? { fate: { stallAtMs: 0 } } : {}),
    });
    await eventually(() => pulled.source.status.state === 'running', 9000);
    expect(pulled.states.map(({ state }) => state)).toEqual(['running']);
    const [silent, heard] = pulled.server.cores;
    expect(silent?.peerPorts).toHaveLength(2);
    expect(heard?.peerPorts).toEqual([]);
  });

  it('says that a firewall may keep UDP out', async () => {
    await using mute = await pull({ udp: true, camera: { fate: { stallAtMs: 0 } } });
    expect((await mute.failure()).reason).toContain('try transport: tcp');
  });

  it('waits twice as long after each failure, from the first on', async () => {
    await using pulled = await pull({ camera: { server: { resetAt: 'connect' } } });
    await eventually(() => pulled.states.filter(({ state }) => state === 'waiting').length === 4);
    const waits = pulled.states
      .filter(({ state }) => state === 'waiting')
      .map(({ reason }) => /in (\d+\.\d) s/.exec(reason ?? '')?.[1]);
    expect(waits).toEqual(['0.3', '0.5', '1.0', '2.0']);
  });

  it('begins its waits anew after 30 s of health', async () => {
    const clock = new VirtualClock(Date.now());
    await using camera = await FaultServer.listen({
      camera: (connection) => ({ clip, ...(connection < 2 ? { server: { resetAt: 'connect' } } : {}) }),
    });
    const waits: string[] = [];
    const source = new RtspSource({
      hub: new Hub({ clock }),
      stream: 'yard',
      url: camera.url(),
      clock,
      random: () => 0.999,
      onState: ({ state, reason }) => {
        if (state === 'waiting') waits.push(/in (\d+\.\d) s/.exec(reason ?? '')?.[1] ?? '');
      },
    });
    await eventually(() => waits.length === 1);
    clock.advance(300);
    await eventually(() => waits.length === 2);
    clock.advance(600);
    await eventually(() => source.status.state === 'running');
    // The camera's own time is real: between two of ours it sends.
    for (let second = 0; second < 31; second++) {
      clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(source.status.state).toBe('running');
    camera.reset();
    await eventually(() => waits.length === 3);
    expect(waits).toEqual(['0.3', '0.5', '0.3']);
    const stopped = source.stop();
    clock.advance(1000);
    await stopped;
  });
});
