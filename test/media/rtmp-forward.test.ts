import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { defaultReaderLimits, type ReaderLimits } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { RtmpServer } from '#servers/rtmp/server.ts';
import type { ForwardConnection, ForwardEvents } from '#sinks/contract.ts';
import { rtmpForward } from '#sinks/rtmp/forward.ts';
import { systemClock } from '#util/clock.ts';
import { selfSigned } from '../support/certificate.ts';
import { h264Track, picture } from '../support/fmp4-units.ts';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';
import { fakeReader } from '../support/readers.ts';
import { expectGrowing, freePort, publishRtmp, watch } from '../support/rtmp-media.ts';
import { published, publish as publishRtsp, startRtsp } from '../support/rtsp.ts';
import { eventually, sluice } from '../support/sluice.ts';

/** RTMP as a client that publishes, to ffmpeg as the server and to our own. */

let clip: string;
beforeAll(async () => {
  clip = await barcodeClip({ seconds: 8, gop: 25, bframes: 2 });
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
    let publisher = publishRtmp(clip, to);
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
    publisher = publishRtmp(clip, to);
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
    await using _publisher = publishRtmp(clip, `rtmp://127.0.0.1:${here.port}/backup/cam`);
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
    await using _publisher = publishRtmp(clip, `${source.server.addresses.rtmp}/yard`);
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
    await using _publisher = publishRtmp(clip, `rtmp://127.0.0.1:${here.port}/backup/cam`);
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
