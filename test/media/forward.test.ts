import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stream } from '#hub/stream.ts';
import { selfSigned } from '../support/certificate.ts';
import { clipPath } from '../support/clips.ts';
import { barcodeClip } from '../support/media.ts';
import { type RunningProgram, run } from '../support/process.ts';
import { publish, published, startRtsp } from '../support/rtsp.ts';
import { receivedSkew } from '../support/skew.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const SECONDS = 6;
let clip: string;

interface ForwardView {
  readonly stream: string;
  readonly url: string;
  readonly state: string;
  readonly reason?: string;
  readonly code?: string;
  readonly bytesSent: number;
}

beforeAll(async () => {
  clip = await barcodeClip({ seconds: SECONDS, gop: 25 });
});

async function forwards(server: TestSluice): Promise<readonly ForwardView[]> {
  return (await server.get<{ forwards: readonly ForwardView[] }>('/api/forwards')).forwards;
}

const running = (server: TestSluice, some: string) =>
  eventually(async () =>
    (await forwards(server)).find(({ url, state }) => url.includes(some) && state === 'running'),
  );

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

/** What comes into a stream from now on, by track. */
function watch(stream: Stream) {
  const seen: {
    readonly track: number;
    readonly dts: number;
    readonly keyframe: boolean;
    readonly kind: string;
  }[] = [];
  const ids = stream.tracks.map(({ id }) => id);
  stream.feed('watch', ids, () => ({
    write: ({ track, dts, keyframe }) =>
      void seen.push({ track: track.id, dts, keyframe, kind: track.format.kind }),
  }));
  return seen;
}

describe('a stream that is forwarded', () => {
  let source: TestSluice;
  let publisher: RunningProgram;
  let certificate: Awaited<ReturnType<typeof selfSigned>>;
  let target: TestSluice;
  let srt: number;
  let udp: number;
  let old: number;

  beforeAll(async () => {
    [srt, udp, old] = await Promise.all([freeUdpPort(), freeUdpPort(), freeUdpPort()]);
    certificate = await selfSigned();
    target = await sluice('demo: false');
    await target.rewrite(
      [
        'demo: false',
        'users:',
        '  - { name: any, permissions: [{ actions: [read, manage] }] }',
        '  - { name: feeder, password: s/cret, permissions: [{ actions: [publish], streams: "copy/*" }] }',
        `tls: { cert: ${certificate.cert}, key: ${certificate.key} }`,
      ].join('\n'),
      'http: { port: 0, tlsPort: 0 }\nrtsp: { port: 0, tlsPort: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n',
    );
    const { hostname, port } = new URL(target.rtsp);
    const login = 'feeder:s%2Fcret@';
    const shown = await run('openssl', [
      'x509',
      '-in',
      certificate.cert,
      '-noout',
      '-fingerprint',
      '-sha256',
    ]);
    const fingerprint = shown.stdout.trim().split('=')[1];
    const secure = (target.server.addresses.rtsps ?? '').replace('rtsps://', `rtsps://${login}`);
    source = await sluice(
      [
        'demo: false',
        'streams:',
        '  yard:',
        '    forward:',
        `      - rtsp://${login}${hostname}:${port}/copy/plain`,
        `      - { url: "${secure}/copy/secure", fingerprint: "${fingerprint}" }`,
        // Nobody may publish there; it is no wrong password, after which a server lets nobody in for a while.
        `      - rtsp://${login}${hostname}:${port}/other/wrong`,
        `      - srt://127.0.0.1:${srt}?streamid=publish:yard`,
        `      - udp://127.0.0.1:${udp}`,
        `  old: { forward: ["udp://127.0.0.1:${old}"] }`,
      ].join('\n'),
    );
    publisher = publish(clip, `${source.rtsp}/yard`, -1);
    await source.live('yard');
  });
  afterAll(async () => {
    await publisher?.stop();
    await source?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await certificate?.[Symbol.asyncDispose]();
  });

  it('is there on another server, over RTSP with a digest and over RTSPS, sound and picture in step', async () => {
    await Promise.all([target.live('copy/plain'), target.live('copy/secure')]);
    const input = (name: string) => ['-rtsp_transport', 'tcp', '-i', `${target.rtsp}/copy/${name}`];
    const seen = await Promise.all([
      receivedSkew(clip, SECONDS, input('plain')),
      receivedSkew(clip, SECONDS, input('secure')),
    ]);
    console.log('forwarded over RTSP and RTSPS:', seen);
    for (const one of seen) {
      expect(one.pictures).toBeGreaterThan(80);
      expect(one.sounds).toBeGreaterThan(120);
      expect(one.skew).toBeLessThanOrEqual(40);
    }
  });

  it('says at the API where it goes and how, and never with which password', async () => {
    await running(source, 'copy/plain');
    const list = await forwards(source);
    const text = JSON.stringify(list);
    expect(text).not.toMatch(/s%2Fcret|s\/cret|feeder:/);
    const wrong = await eventually(async () =>
      (await forwards(source)).find(({ url, state }) => url.endsWith('/other/wrong') && state === 'waiting'),
    );
    expect(wrong).toMatchObject({ code: 'RTSP_REFUSED', bytesSent: 0 });
    expect(wrong.reason).toContain('Check what the user may do there.');
    const metrics = await (await fetch(`${source.http}/metrics`)).text();
    expect(metrics).toMatch(/sluice_forwards\{state="running"\} [34]/);
    expect(metrics).toMatch(
      /sluice_forward_bytes_sent_total\{stream="yard",url="rtsp:[^"]*copy\/plain"\} [1-9]/,
    );
  });

  it('is read by ffmpeg over SRT and UDP as MPEG-TS, and by the next listener after that one is gone', async () => {
    const raw = ['-bsf:a', 'aac_adtstoasc'];
    const listen = () =>
      receivedSkew(clip, SECONDS, ['-i', `srt://127.0.0.1:${srt}?mode=listener&timeout=20000000`], raw);
    const [first, datagrams] = await Promise.all([
      listen(),
      receivedSkew(clip, SECONDS, ['-i', `udp://127.0.0.1:${udp}?timeout=20000000`], raw),
    ]);
    const second = await listen();
    console.log('forwarded over SRT, UDP, and SRT again:', first, datagrams, second);
    for (const one of [first, datagrams, second]) {
      expect(one.pictures).toBeGreaterThan(60);
      expect(one.sounds).toBeGreaterThan(100);
      expect(one.skew).toBeLessThanOrEqual(40);
      expect(one.monotonic).toBe(true);
    }
  });

  it('has its G.711 made AAC for MPEG-TS', async () => {
    await using _camera = publish(await clipPath('h264-bframes-pcma'), `${source.rtsp}/old`, -1);
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
      `udp://127.0.0.1:${old}?timeout=20000000`,
    ]);
    expect([...new Set(stdout.trim().split(/\s+/))].sort()).toEqual(['aac', 'h264']);
  });

  it('does not notice a forward beside it that is taken out', async () => {
    const before = await target.get<{ since: string }>('/api/streams/copy/plain');
    const { hostname, port } = new URL(target.rtsp);
    await source.rewrite(
      `demo: false\nstreams: { yard: { forward: ["rtsp://feeder:s%2Fcret@${hostname}:${port}/copy/plain"] } }`,
    );
    expect((await forwards(source)).map(({ url }) => url)).toEqual([`rtsp://${hostname}:${port}/copy/plain`]);
    await eventually(async () => {
      const { state } = await target.get<{ state?: string }>('/api/streams/copy/secure');
      return state === undefined;
    });
    const after = await target.get<{ since: string; state: string }>('/api/streams/copy/plain');
    expect(after).toMatchObject({ state: 'live', since: before.since });
  });
});

describe('the other server', () => {
  it('may go and come back, and the publisher may be replaced: the stream goes on', async () => {
    const first = await startRtsp();
    const { port } = first;
    await using source = await sluice(
      `demo: false\nstreams: { yard: { forward: ["rtsp://127.0.0.1:${port}/copy"] } }`,
    );
    const one = publish(clip, `${source.rtsp}/yard`, -1);
    const seen = watch(await published(first.hub, 'copy'));
    await eventually(() => seen.length > 50);
    expect(seen.find(({ kind }) => kind === 'video')?.keyframe).toBe(true);

    // Another publisher: readers of the first server are not cut off, nor is the forward.
    await one.stop();
    // It sends another size of picture, which needs no other connection.
    await using _two = publish(await clipPath('h264-aac'), `${source.rtsp}/yard`, -1);
    await source.live('yard');
    const had = seen.length;
    await eventually(() => seen.length > had + 50);
    expect(first.hub.get('copy')).toMatchObject({ state: 'live', tracks: [{ format: { width: 320 } }, {}] });
    for (const track of [0, 1]) {
      const times = seen.filter((unit) => unit.track === track).map(({ dts }) => dts);
      expect(times.every((time, n) => n === 0 || time > (times[n - 1] ?? 0))).toBe(true);
    }

    await first[Symbol.asyncDispose]();
    const [gone] = await eventually(async () => {
      const list = await forwards(source);
      return list[0]?.state === 'waiting' ? list : undefined;
    });
    expect(gone).toMatchObject({ code: 'RTSP_UNREACHABLE' });
    await using second = await startRtsp({ port });
    const again = watch(await published(second.hub, 'copy'));
    await eventually(() => again.length > 50);
    expect(new Set(again.map(({ kind }) => kind))).toEqual(new Set(['video', 'audio']));
    expect(again.find(({ kind }) => kind === 'video')?.keyframe).toBe(true);
  });
});
