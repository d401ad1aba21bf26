import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { defaultReaderLimits, type ReaderLimits } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { RtmpServer } from '#servers/rtmp/server.ts';
import type { ForwardConnection, ForwardEvents } from '#sinks/contract.ts';
import { rtmpForward } from '#sinks/rtmp/forward.ts';
import { RtmpSource } from '#sources/rtmp/source.ts';
import { systemClock } from '#util/clock.ts';
import { selfSigned } from '../support/certificate.ts';
import { h264Track, picture } from '../support/fmp4-units.ts';
import { barcodeClip } from '../support/media.ts';
import { type RunningProgram, run, start } from '../support/process.ts';
import { fakeReader } from '../support/readers.ts';
import { published, publish as publishRtsp, startRtsp } from '../support/rtsp.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** RTMP as a client, against ffmpeg as the server and against our own, and RTMP over TLS. */

let clip: string;
beforeAll(async () => {
  clip = await barcodeClip({ seconds: 8, gop: 25, bframes: 2 });
});

const PLAY = ['-v', 'error', '-re', '-stream_loop', '-1'];

/** ffmpeg publishes the clip; with `listen` it is the server, and gives it to the first client. */
function publish(url: string, listen = false): RunningProgram {
  const way = listen ? ['-listen', '1'] : [];
  return start('ffmpeg', [...PLAY, '-i', clip, '-c', 'copy', '-f', 'flv', ...way, url]);
}

/** A port that is free now; ffmpeg cannot say which one it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Collects the decoding times of a stream in seconds, and what its capture clock is ahead of them in ms, by kind. */
function watch(stream: Stream) {
  const times: Record<string, number[]> = { video: [], audio: [] };
  const ahead: Record<string, number> = {};
  const ids = stream.tracks.map(({ id }) => id);
  const feed = stream.feed(`watched ${Math.random()}`, ids, () => ({
    write: ({ track, dts, pts, ntp }) => {
      times[track.format.kind]?.push(dts / track.clockRate);
      ahead[track.format.kind] = ntp - (pts * 1000) / track.clockRate;
    },
  }));
  feed.attach(fakeReader().reader);
  return {
    times,
    ahead,
    seen: (count: number) =>
      eventually(() => times['video']!.length >= count && times['audio']!.length >= count),
  };
}

function expectGrowing(times: readonly number[]): void {
  expect(times.filter((time, i) => i > 0 && !(time > times[i - 1]!))).toEqual([]);
}

describe('an RTMP source', () => {
  test('plays what ffmpeg serves, waits for it while it is gone, and goes on when it is back', async () => {
    const port = await freePort();
    const url = `rtmp://127.0.0.1:${port}/app/cam`;
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "${url}", onDemand: false } }`,
    );
    const status = async () =>
      (await server.get<{ source: { state: string; code?: string; reason?: string } }>('/api/streams/yard'))
        .source;
    await eventually(async () => (await status()).code === 'RTMP_UNREACHABLE');
    const first = publish(url, true);
    await server.live('yard');
    const reading = run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-read_intervals', '%+8'],
      ...['-show_entries', 'packet=codec_type,dts_time', '-of', 'csv=p=0', `${server.rtsp}/yard`],
    ]);
    await eventually(async () => {
      const { readers } = await server.get<{ readers: { sent: { units: number } }[] }>('/api/streams/yard');
      return (readers[0]?.sent.units ?? 0) > 100;
    });
    first.child.kill('SIGKILL');
    await first.finished;
    const waiting = await eventually(async () => {
      const now = await status();
      return now.state === 'waiting' ? now : undefined;
    });
    expect(waiting.reason).toMatch(/The next attempt is in \d+\.\d s\./);
    await using _second = publish(url, true);
    await server.live('yard');
    const { stdout } = await reading;
    for (const kind of ['video', 'audio']) {
      const times = stdout
        .split('\n')
        .filter((line) => line.startsWith(kind))
        .map((line) => Number.parseFloat(line.split(',')[1] ?? ''))
        .filter(Number.isFinite);
      expect(times.length).toBeGreaterThan(100);
      expectGrowing(times);
      expect(times.at(-1)! - times[0]!).toBeGreaterThan(6);
    }
  });

  describe('of a server of our own', () => {
    let origin: TestSluice;
    let certificate: Awaited<ReturnType<typeof selfSigned>>;
    let publisher: RunningProgram;
    beforeAll(async () => {
      certificate = await selfSigned();
      origin = await sluice(
        `demo: false
tls: { cert: ${certificate.cert}, key: ${certificate.key} }
users:
  - { name: ann, password: "p@ss", permissions: [{ actions: [read], streams: "*" }] }
  - { name: any, permissions: [{ actions: [publish], streams: "*" }] }
`,
      );
      publisher = publish(`${origin.server.addresses.rtmp}/cam`);
      const authorization = `Basic ${Buffer.from('ann:p@ss').toString('base64')}`;
      await eventually(async () => {
        const answer = await fetch(`${origin.http}/api/streams/cam`, { headers: { authorization } });
        return ((await answer.json()) as { state?: string }).state === 'live';
      });
    });
    afterAll(async () => {
      await publisher.stop();
      await origin[Symbol.asyncDispose]();
      await certificate[Symbol.asyncDispose]();
    });

    /** The first state of a source that is not `starting`, and the source's hub. */
    async function pull(url: string, trust?: { fingerprint?: string; insecure?: boolean }) {
      const hub = new Hub();
      const said = Promise.withResolvers<{ state: string; code?: string; reason?: string }>();
      const source = new RtmpSource({
        hub,
        stream: 'yard',
        url,
        trust,
        onState: (status) => status.state !== 'starting' && said.resolve(status),
      });
      return {
        hub,
        status: await said.promise,
        async [Symbol.asyncDispose]() {
          await source.stop();
          hub.close('The test is over.');
        },
      };
    }

    test('plays it with user and password of the address, both kinds of media in step', async () => {
      const { rtmp } = origin.server.addresses;
      await using pulled = await pull(`${rtmp.replace('//', '//ann:p%40ss@')}/cam`);
      expect(pulled.status).toMatchObject({ state: 'running' });
      const stream = pulled.hub.get('yard')!;
      expect(stream.tracks.map(({ format }) => format.codec)).toEqual(['h264', 'aac']);
      const { times, ahead, seen } = watch(stream);
      await seen(50);
      for (const kind of ['video', 'audio']) expectGrowing(times[kind]!);
      expect(Math.abs(ahead['video']! - ahead['audio']!)).toBeLessThan(5);
    });

    test('says that it wants a password, or another one, and shows none', async () => {
      const { rtmp } = origin.server.addresses;
      await using nameless = await pull(`${rtmp}/cam`);
      expect(nameless.status).toMatchObject({ state: 'waiting', code: 'RTMP_UNAUTHORIZED' });
      await using wrong = await pull(`${rtmp}/cam?user=ann&pass=wr0ng`);
      expect(wrong.status).toMatchObject({ state: 'waiting', code: 'RTMP_UNAUTHORIZED' });
      expect(wrong.status.reason).not.toContain('wr0ng');
    });

    test('plays it over TLS from the server whose fingerprint is known, and from no other', async () => {
      const { rtmps = '' } = origin.server.addresses;
      const url = `${rtmps.replace('//', '//ann:p%40ss@')}/cam`;
      await using refused = await pull(url);
      expect(refused.status.code).toBe('RTMP_CERTIFICATE_REFUSED');
      const fingerprint = /fingerprint: "([0-9A-F:]+)"/.exec(refused.status.reason ?? '')?.[1] ?? '';
      await using trusted = await pull(url, { fingerprint });
      expect(trusted.status.state).toBe('running');
      await using other = await pull(url, { fingerprint: fingerprint.replace(/^../, '00') });
      expect(other.status.code).toBe('RTMP_CERTIFICATE_REFUSED');
    });

    test('that hangs, refuses, or is none is named', async () => {
      const silent = createServer(() => {}).listen(0, '127.0.0.1');
      const http = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
        0,
        '127.0.0.1',
      );
      await Promise.all([once(silent, 'listening'), once(http, 'listening')]);
      const at = (server: typeof silent) => `rtmp://127.0.0.1:${(server.address() as AddressInfo).port}/a/b`;
      const codes = await Promise.all(
        [at(silent), at(http), `rtmp://127.0.0.1:${await freePort()}/a/b`].map(async (url) => {
          await using pulled = await pull(url);
          return pulled.status.code;
        }),
      );
      expect(codes).toEqual(['RTMP_TIMEOUT', 'RTMP_PROTOCOL_ERROR', 'RTMP_UNREACHABLE']);
      silent.close();
      http.close();
    });
  });
});

/** A hub with an RTMP door, to which is forwarded. */
async function receiver(port = 0) {
  const hub = new Hub({ holdMs: 15_000 });
  const server = new RtmpServer({ hub, host: '127.0.0.1', port });
  const taken = await server.listen();
  return {
    hub,
    url: `rtmp://127.0.0.1:${taken.port}/backup/cam`,
    port: taken.port,
    live: () =>
      eventually(() => (hub.get('backup/cam')?.state === 'live' ? hub.get('backup/cam') : undefined)),
    async [Symbol.asyncDispose]() {
      hub.close('The receiver stops.');
      await server.close();
    },
  };
}

/** One attempt to forward, and what it told. */
function forward(stream: Stream, url: string, readerLimits: ReaderLimits = defaultReaderLimits) {
  const up = Promise.withResolvers<void>();
  const end = Promise.withResolvers<Parameters<ForwardEvents['onEnd']>[0]>();
  const connection: ForwardConnection = rtmpForward({ hub: { options: { readerLimits } } })(
    { stream, url, clock: systemClock },
    { onUp: up.resolve, onEnd: end.resolve },
  );
  return {
    connection,
    up: up.promise,
    end: end.promise,
    [Symbol.asyncDispose]: () => connection.close('The test is over.'),
  };
}

describe('an RTMP forward', () => {
  test('publishes at another server, goes on with the next publisher, and ends with a reason', async () => {
    await using here = await receiver();
    await using there = await receiver();
    const to = `rtmp://127.0.0.1:${here.port}/backup/cam`;
    let publisher = publish(to);
    const stream = await here.live();
    await using forwarded = forward(stream, there.url);
    await forwarded.up;
    const copy = await there.live();
    expect(copy.tracks.map(({ format }) => format.codec)).toEqual(['h264', 'aac']);
    const { times, seen } = watch(copy);
    await seen(50);
    expect(forwarded.connection.bytesSent).toBeGreaterThan(100_000);
    publisher.child.kill('SIGKILL');
    await publisher.finished;
    publisher = publish(to);
    await seen(times['video']!.length + 60);
    for (const kind of ['video', 'audio']) expectGrowing(times[kind]!);
    const reader = stream.feeds.flatMap(({ readers }) => [...readers])[0]!;
    expect(reader).toMatchObject({
      door: 'forward',
      remote: `127.0.0.1:${there.port}`,
      counters: { skips: 0 },
    });
    await there[Symbol.asyncDispose]();
    expect((await forwarded.end).reason).toMatch(/RTMP|rtmp/);
    expect(stream.readerCount).toBe(0);
    await publisher.stop();
  });

  test('carries H.265 and Opus as Enhanced RTMP does, every unit as it was', async () => {
    await using camera = await startRtsp();
    await using there = await receiver();
    const modern = await barcodeClip({
      seconds: 4,
      gop: 25,
      video: 'h265',
      audio: 'opus',
      container: 'mkv',
    });
    await using _publisher = publishRtsp(modern, camera.url('cam'), -1);
    const stream = await published(camera.hub, 'cam');
    await using forwarded = forward(stream, there.url);
    await forwarded.up;
    const copy = await there.live();
    expect(copy.tracks.map(({ format }) => format.codec)).toEqual(['h265', 'opus']);
    const sizes = { before: new Set<string>(), after: [] as string[] };
    const write = (seen: (size: string) => void) => (unit: AccessUnit) =>
      seen(`${unit.track.format.kind} ${unit.payload.map(({ length }) => length).join()}`);
    for (const [one, seen] of [
      [stream, (size: string) => void sizes.before.add(size)],
      [copy, (size: string) => void sizes.after.push(size)],
    ] as const) {
      const ids = one.tracks.map(({ id }) => id);
      one.feed('sizes', ids, () => ({ write: write(seen) })).attach(fakeReader().reader);
    }
    await eventually(() => sizes.after.length > 150);
    // The first of the copy were on their way before anybody looked.
    const unknown = sizes.after.slice(50).filter((size) => !sizes.before.has(size));
    expect(unknown).toEqual([]);
  });

  test('is taken by ffmpeg, whose file then has both tracks from the first keyframe on', async () => {
    await using here = await receiver();
    await using _publisher = publish(`rtmp://127.0.0.1:${here.port}/backup/cam`);
    const stream = await here.live();
    const url = `rtmp://127.0.0.1:${await freePort()}/app/cam`;
    await using listener = start('ffprobe', [
      ...['-v', 'error', '-listen', '1', '-read_intervals', '%+3'],
      ...['-show_entries', 'stream=codec_name:packet=codec_type,dts_time,flags', '-of', 'csv=p=0', url],
    ]);
    // It listens when it can be reached.
    const forwarded = await eventually(async () => {
      const one = forward(stream, url);
      const outcome = await Promise.race([one.up.then(() => one), one.end.then(() => undefined)]);
      return outcome;
    });
    const { stdout } = await listener.finished;
    await forwarded.connection.close('The test is over.');
    const lines = stdout.trim().split('\n');
    expect(lines).toEqual(expect.arrayContaining(['h264', 'aac']));
    const pictures = lines.filter((line) => line.startsWith('video,'));
    expect(pictures[0]).toMatch(/,K/);
    expectGrowing(pictures.map((line) => Number.parseFloat(line.split(',')[1]!)));
  });

  test('that is configured gives user and password, and connects anew when the other server is back', async () => {
    await using certificate = await selfSigned();
    await using target = await sluice(`demo: false
tls: { cert: ${certificate.cert}, key: ${certificate.key} }
users:
  - { name: any, permissions: [{ actions: [read], streams: "*" }] }
  - { name: feeder, password: s/cret, permissions: [{ actions: [publish], streams: "copy/*" }] }
`);
    let other = await receiver();
    const { rtmp, rtmps = '' } = target.server.addresses;
    const login = (url: string) => url.replace('://', '://feeder:s%2Fcret@');
    await using source = await sluice(`demo: false
streams:
  yard:
    forward:
      - ${login(rtmp)}/copy/plain
      - { url: "${login(rtmps)}/copy/secure", insecure: true }
      - ${other.url}
`);
    const states = async () => {
      const { forwards } = await source.get<{ forwards: { url: string; state: string; code?: string }[] }>(
        '/api/forwards',
      );
      expect(JSON.stringify(forwards)).not.toContain('cret');
      return forwards.map(({ state, code }) => code ?? state).join();
    };
    await using _publisher = publish(`${source.server.addresses.rtmp}/yard`);
    await eventually(async () => (await states()) === 'running,running,running');
    await Promise.all([target.live('copy/plain'), target.live('copy/secure')]);
    await other[Symbol.asyncDispose]();
    await eventually(async () => (await states()) === 'running,running,RTMP_UNREACHABLE');
    other = await receiver(other.port);
    await eventually(async () => (await states()) === 'running,running,running');
    await other.live();
    await other[Symbol.asyncDispose]();
  });

  test('says why a server does not take it, and that an address is none', async () => {
    await using here = await receiver();
    await using _publisher = publish(`rtmp://127.0.0.1:${here.port}/backup/cam`);
    const stream = await here.live();
    await using busy = forward(stream, `rtmp://127.0.0.1:${here.port}/api`);
    expect((await busy.end).reason).toContain('"api" is reserved');
    expect(() => forward(stream, 'rtmp://host')).toThrow(
      expect.objectContaining({ code: 'RTMP_ADDRESS_INVALID' }),
    );
  });

  test('loses pictures of a server that does not keep up, and ends when it takes nothing at all', async () => {
    await using there = await receiver();
    // Lets the first of it through, and then nothing.
    const relay = createServer((socket) => {
      socket.on('error', () => {});
      const onward = connect(there.port, '127.0.0.1');
      onward.on('error', () => {});
      onward.pipe(socket);
      socket.on('close', () => onward.destroy());
      socket.on('data', (bytes) => {
        onward.write(bytes);
        if (socket.bytesRead > 100_000) socket.pause();
      });
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const { port } = relay.address() as AddressInfo;
    const hub = new Hub();
    const publication = hub.publish('big', { id: 'p', door: 'test', remote: '' }, [h264Track], {
      onClose() {},
    });
    let frame = 0;
    const writing = setInterval(() => {
      publication.write(picture(frame * 3600, { keyframe: frame % 5 === 0, size: 500_000 }));
      frame++;
    }, 20);
    const readerLimits = { queueMs: 2000, queueBytes: 4 << 20, stallMs: 1500 };
    await using forwarded = forward(hub.get('big')!, `rtmp://127.0.0.1:${port}/a/b`, readerLimits);
    await forwarded.up;
    const reader = hub.get('big')!.feeds.flatMap(({ readers }) => [...readers])[0]!;
    expect((await forwarded.end).reason).toContain('took nothing for 2 s');
    expect(reader.counters.skips).toBeGreaterThan(0);
    clearInterval(writing);
    hub.close('The test is over.');
    relay.close();
  });
});

describe('RTMPS', () => {
  test('is published by ffmpeg and read by ffprobe and GStreamer; a renewed certificate goes for new connections', async () => {
    await using certificate = await selfSigned();
    const notes: string[] = [];
    const log = pino({ level: 'info' }, { write: (line) => void notes.push(line) });
    await using server = await sluice(
      `demo: false\ntls: { cert: ${certificate.cert}, key: ${certificate.key} }\n`,
      log,
    );
    const { rtmps = '' } = server.server.addresses;
    await using publisher = publish(`${rtmps}/live/cam`);
    await server.live('live/cam');
    const read = () =>
      run('ffprobe', [
        '-v',
        'error',
        '-show_entries',
        'stream=codec_name',
        '-of',
        'csv=p=0',
        `${rtmps}/live/cam`,
      ]);
    const gst = run('gst-launch-1.0', [
      ...['-q', 'rtmp2src', `location=${rtmps}/live/cam`, 'tls-validation-flags=0'],
      ...'! flvdemux ! h264parse ! fakesink num-buffers=50'.split(' '),
    ]);
    expect((await read()).stdout.trim().split('\n').sort()).toEqual(['aac', 'h264']);
    expect(await gst).toMatchObject({ code: 0 });
    await certificate.renew('second');
    await eventually(() => notes.some((line) => line.includes('RTMPS: the certificate was read anew')));
    expect((await read()).stdout).toContain('h264');
    expect(publisher.stderr).toBe('');
    await server.rewrite('demo: false\n');
    expect(server.server.addresses.rtmps).toBeUndefined();
    expect((await read()).stdout).toBe('');
  });
});
