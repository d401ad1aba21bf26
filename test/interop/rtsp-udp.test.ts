import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Hub } from '#hub/hub.ts';
import type { Stream, TrackReception } from '#hub/stream.ts';
import { buildReceiverReport } from '#protocols/rtcp/packet.ts';
import { buildRtp, parseRtp } from '#protocols/rtp/packet.ts';
import { type RtspMedia, RtspServer } from '#servers/rtsp/server.ts';
import { clip, clipPath } from '../support/clips.ts';
import { HASH_OUTPUT, hashFile, parseFrameHashes } from '../support/frames.ts';
import { lossyRelay } from '../support/lossy-relay.ts';
import { type RunningProgram, run, start } from '../support/process.ts';
import { publish, published, RawClient, startRtsp } from '../support/rtsp.ts';

/** RTSP with media over UDP: real programs, rough weather, and clients that do what players seldom do. */

const UDP = { media: { tcp: true, udpPort: 0, reorderMs: 100 } } as const;
const WEATHER = { loss: 0.02, reorder: 0.05, seed: 20_261_122 };
const sinkIsThere = spawnSync('gst-inspect-1.0', ['--exists', 'rtspclientsink']).status === 0;

/** Reads a stream by ffmpeg to its end; pictures and sound as hashes. */
async function read(url: string, transport: 'tcp' | 'udp') {
  const done = await run('ffmpeg', [
    ...['-v', 'error', '-copyts', '-rtsp_transport', transport, '-i', url, ...HASH_OUTPUT],
  ]);
  const frames = parseFrameHashes(done.stdout);
  return { ...done, pictures: frames.filter(({ kind }) => kind === 'video'), frames };
}

function gstPublisher(path: string, url: string): RunningProgram {
  return start('gst-launch-1.0', [
    ...['-q', 'filesrc', `location=${path}`, '!', 'qtdemux', 'name=d'],
    ...['d.video_0', '!', 'queue', '!', 'h264parse', '!', 's.'],
    ...['d.audio_0', '!', 'queue', '!', 'aacparse', '!', 's.'],
    ...['rtspclientsink', 'name=s', 'protocols=udp', `location=${url}`],
  ]);
}

/** What a publisher lost by the end: asked as long as it publishes. */
function watchReception(stream: Stream): () => readonly TrackReception[] {
  let last: readonly TrackReception[] = [];
  const timer = setInterval(() => {
    last = stream.reception ?? last;
  }, 50);
  stream.events.on('ended', () => clearInterval(timer));
  return () => last;
}

async function pictureHashes(path: string): Promise<Set<string>> {
  return new Set((await hashFile(path)).flatMap(({ kind, hash }) => (kind === 'video' ? [hash] : [])));
}

describe.concurrent('a clip over UDP', () => {
  test('from ffmpeg comes whole to ffmpeg and GStreamer over UDP, and over TCP beside it', async () => {
    const path = await clipPath('h264-aac');
    await using server = await startRtsp(UDP);
    const url = server.url('live');
    const publisher = publish(path, url, 0, 'udp');
    const stream = await published(server.hub, 'live');
    const reception = watchReception(stream);
    const [udp, tcp, gst] = await Promise.all([
      read(url, 'udp'),
      read(url, 'tcp'),
      run('gst-launch-1.0', [
        ...['-q', 'rtspsrc', `location=${url}`, 'protocols=udp', '!', 'application/x-rtp,media=video'],
        ...['!', 'rtph264depay', '!', 'h264parse', '!', 'avdec_h264', '!', 'fakesink', 'num-buffers=50'],
      ]),
    ]);
    expect(await publisher.finished).toMatchObject({ code: 0, stderr: '' });
    const known = await pictureHashes(path);
    for (const { stderr, pictures } of [udp, tcp]) {
      expect(stderr).toBe('');
      expect(pictures.length).toBeGreaterThan(clip.frames - 15);
      expect(pictures.filter(({ hash }) => !known.has(hash))).toEqual([]);
    }
    expect(gst.stderr).not.toMatch(/WARN|corrupt|Could not decode/i);
    expect(reception().map(({ lost, concealed }) => [lost, concealed])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(server.notes.join('\n')).toContain('reads "live"');
  });

  test.each([
    ['ffmpeg', (path: string, url: string) => publish(path, url, 1, 'udp')],
    ...(sinkIsThere ? [['GStreamer', gstPublisher] as const] : []),
  ] as const)(
    'from %s through rough weather: each picture that readers get is whole, and what is lost is counted',
    async (_name, publisher) => {
      const path = await clipPath('h264-aac');
      await using server = await startRtsp(UDP);
      await using relay = await lossyRelay(server.port, WEATHER);
      await using program = publisher(path, `rtsp://127.0.0.1:${relay.port}/live`);
      const stream = await published(server.hub, 'live');
      const reception = watchReception(stream);
      const url = server.url('live');
      const readers = await Promise.all([read(url, 'udp'), read(url, 'tcp')]);
      // Readers end with their publisher; GStreamer does not always end with its own last word.
      await program.stop();
      const known = await pictureHashes(path);
      for (const { stderr, pictures } of readers) {
        expect(stderr).toBe('');
        expect(pictures.length).toBeGreaterThan(20);
        expect(pictures.filter(({ hash }) => !known.has(hash))).toEqual([]);
      }
      // Programs announce picture and sound in either order.
      const total = (key: 'lost' | 'late' | 'concealed') =>
        reception().reduce((sum, track) => sum + track[key], 0);
      expect(relay.counters.lost).toBeGreaterThan(0);
      expect(relay.counters.reordered).toBeGreaterThan(0);
      // What is lost in front of the first packet and behind the last cannot be known.
      expect(total('lost')).toBeGreaterThan(0);
      expect(Math.abs(total('lost') - relay.counters.lost)).toBeLessThanOrEqual(2);
      expect(total('concealed')).toBeGreaterThan(0);
      // Only packets that belong in front of the first one.
      expect(total('late')).toBeLessThanOrEqual(2);
    },
  );

  test('of H.265 and Opus comes through rough weather as well', async () => {
    const path = await clipPath('h265-opus');
    await using server = await startRtsp(UDP);
    await using relay = await lossyRelay(server.port, { ...WEATHER, seed: 7 });
    await using _publisher = publish(path, `rtsp://127.0.0.1:${relay.port}/live`, 0, 'udp');
    const stream = await published(server.hub, 'live');
    const reception = watchReception(stream);
    const { stderr, pictures } = await read(server.url('live'), 'udp');
    const known = await pictureHashes(path);
    expect(stderr).toBe('');
    expect(pictures.length).toBeGreaterThan(5);
    expect(pictures.filter(({ hash }) => !known.has(hash))).toEqual([]);
    expect(reception()[0]?.lost).toBeGreaterThan(0);
  });

  test('comes over TCP to a reader whose firewall lets nothing through', async () => {
    await using server = await startRtsp(UDP);
    await using relay = await lossyRelay(server.port, { loss: 1, reorder: 0, seed: 1 });
    await using _publisher = publish(await clipPath('h264-aac'), server.url('live'), 20);
    await published(server.hub, 'live');
    // The timeout is in microseconds.
    const reader = await run('ffmpeg', [
      ...['-v', 'warning', '-timeout', '1000000', '-i', `rtsp://127.0.0.1:${relay.port}/live`],
      ...['-t', '1', '-f', 'null', '-'],
    ]);
    expect(reader.stderr).toContain('UDP timeout, retrying with TCP');
    expect(reader.code).toBe(0);
    expect(relay.counters.packets).toBeGreaterThan(0);
    expect(server.notes.filter((note) => note.includes(' reads "live"')).length).toBeGreaterThan(1);
  });

  test('tells by its reports what a reader loses', async () => {
    await using server = await startRtsp(UDP);
    await using relay = await lossyRelay(server.port, { ...WEATHER, loss: 0.1 });
    await using _publisher = publish(await clipPath('h264-aac'), server.url('live'), 20);
    const stream = await published(server.hub, 'live');
    await using _reader = start('ffmpeg', [
      ...['-v', 'quiet', '-rtsp_transport', 'udp', '-i', `rtsp://127.0.0.1:${relay.port}/live`],
      ...['-f', 'null', '-'],
    ]);
    const lost = await new Promise<number>((resolve) => {
      const timer = setInterval(() => {
        const [reader] = stream.feeds.flatMap(({ readers }) => [...readers]);
        if (!reader?.lost) return;
        clearInterval(timer);
        resolve(reader.lost);
      }, 50);
    });
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThanOrEqual(relay.counters.lost);
  });
});

/** A player's pair of UDP ports. */
async function playerPorts() {
  const socket = createSocket('udp4');
  const packets: Buffer[] = [];
  let arrived = Promise.withResolvers<void>();
  socket.on('message', (bytes) => {
    packets.push(bytes);
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  return {
    socket,
    packets,
    /** RTCP is taken on the same port: this player wants only one. */
    ports: `${port}-${port === 65_535 ? 1 : port + 1}`,
    async until(condition: () => boolean) {
      while (!condition()) await arrived.promise;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

describe('the door over UDP', () => {
  const transportOf = (header: string | undefined, name: string) =>
    new RegExp(`${name}=([^;]+)`).exec(header ?? '')?.[1] ?? '';

  test('sends what it said in SETUP and PLAY, the same packets to readers over TCP and UDP', async () => {
    await using server = await startRtsp(UDP);
    await using _publisher = publish(await clipPath('h264'), server.url('live'), 20);
    const stream = await published(server.hub, 'live');
    await using player = await playerPorts();
    await using udp = await RawClient.connect(server.port);
    await using tcp = await RawClient.connect(server.port);
    const track = `${server.url('live')}/trackID=0`;
    const setup = await udp.ask('SETUP', track, { Transport: `RTP/AVP;unicast;client_port=${player.ports}` });
    await tcp.ask('SETUP', track, { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' });
    const transport = setup.headers.get('transport');
    expect(transportOf(transport, 'server_port')).toBe(server.server.udpPorts?.join('-'));
    expect(server.server.udpPorts?.[0]).toSatisfy((port: number) => port % 2 === 0);
    await tcp.ask('PLAY', server.url('live'));
    const play = await udp.ask('PLAY', server.url('live'));
    expect(stream.feeds.map(({ readers }) => readers.size)).toEqual([2]);
    await player.until(() => player.packets.length > 40);
    const first = parseRtp(player.packets[0] ?? Buffer.alloc(0));
    expect(first?.ssrc.toString(16).toUpperCase().padStart(8, '0')).toBe(transportOf(transport, 'ssrc'));
    expect(play.headers.get('rtp-info')).toMatch(new RegExp(`seq=${first?.sequence}\\b`));
    const last = player.packets.at(-1) ?? Buffer.alloc(0);
    await tcp.until(() => tcp.frames.some(({ payload }) => payload.equals(last)));
  });

  test('drops and counts packets from whom nobody knows, and never sends to another address', async () => {
    await using server = await startRtsp(UDP);
    await using _publisher = publish(await clipPath('h264'), server.url('live'), 20);
    await published(server.hub, 'live');
    await using stranger = await playerPorts();
    await using client = await RawClient.connect(server.port);
    const before = server.server.udpUnknown;
    stranger.socket.send(Buffer.alloc(40, 0x80), server.server.udpPorts?.[0] ?? 0, '127.0.0.1');
    const setup = await client.ask('SETUP', `${server.url('live')}/trackID=0`, {
      Transport: `RTP/AVP;unicast;destination=192.0.2.1;client_port=${stranger.ports}`,
    });
    expect(setup.headers.get('transport')).not.toContain('192.0.2.1');
    await client.ask('PLAY', server.url('live'));
    await stranger.until(() => stranger.packets.length > 0);
    expect(server.server.udpUnknown).toBe(before + 1);
  });

  test('tells publishers that share an address and a port apart by the source of their packets', async () => {
    await using server = await startRtsp(UDP);
    await using mouth = await playerPorts();
    await using first = await RawClient.connect(server.port);
    await using second = await RawClient.connect(server.port);
    const sdp = 'v=0\r\ns=-\r\nm=audio 0 RTP/AVP 8\r\na=control:streamid=0\r\n';
    const say = (ssrc: number, sequence: number) => {
      const header = { payloadType: 8, marker: true, sequence, timestamp: sequence * 160, ssrc };
      const packet = buildRtp({ ...header, payload: Buffer.alloc(160, 0xd5) });
      mouth.socket.send(packet, server.server.udpPorts?.[0] ?? 0, '127.0.0.1');
    };
    const units = (name: string) => server.hub.get(name)?.counters.units;
    for (const [client, name, ssrc] of [
      [first, 'a', 100],
      [second, 'b', 200],
    ] as const) {
      await client.ask('ANNOUNCE', server.url(name), { 'Content-Type': 'application/sdp' }, sdp);
      await client.ask('SETUP', `${server.url(name)}/streamid=0`, {
        Transport: `RTP/AVP;unicast;client_port=${mouth.ports};mode=record`,
      });
      await client.ask('RECORD', server.url(name));
      say(ssrc, 1);
      await expect.poll(() => units(name)).toBe(1);
    }
    for (const sequence of [2, 3, 4]) say(100, sequence);
    say(200, 2);
    await expect.poll(() => [units('a'), units('b')]).toEqual([4, 2]);
    await first.ask('TEARDOWN', server.url('a'));
    say(200, 3);
    await expect.poll(() => units('b')).toBe(3);
  });

  test('closes a reader that is not heard of, and keeps one that reports', async () => {
    await using server = await startRtsp({ ...UDP, sessionTimeoutMs: 600 });
    await using _publisher = publish(await clipPath('h264'), server.url('live'), 20);
    await published(server.hub, 'live');
    await using silent = await RawClient.connect(server.port);
    await using loud = await RawClient.connect(server.port);
    await using ears = await playerPorts();
    await using mouth = await playerPorts();
    for (const [client, player] of [
      [silent, ears],
      [loud, mouth],
    ] as const) {
      await client.ask('SETUP', `${server.url('live')}/trackID=0`, {
        Transport: `RTP/AVP;unicast;client_port=${player.ports}`,
      });
      await client.ask('PLAY', server.url('live'));
    }
    const report = buildReceiverReport(5, [], 'test');
    const timer = setInterval(
      () => mouth.socket.send(report, server.server.udpPorts?.[1] ?? 0, '127.0.0.1'),
      100,
    );
    await silent.until(() => silent.closed);
    const known = mouth.packets.length;
    await mouth.until(() => mouth.packets.length > known + 20);
    clearInterval(timer);
    expect(loud.closed).toBe(false);
    expect(server.notes.join('\n')).toMatch(/no longer reads "live"\. The client gave no sign of life/);
  });

  test('names a busy UDP port and its setting, and leaves nothing open', async () => {
    await using server = await startRtsp(UDP);
    const [busy = 0] = server.server.udpPorts ?? [];
    const media = { tcp: true, udpPort: busy, reorderMs: 100 };
    const second = new RtspServer({ hub: server.hub, host: '127.0.0.1', port: 0, media });
    await expect(second.listen()).rejects.toMatchObject({
      code: 'PORT_BUSY',
      message: expect.stringMatching(new RegExp(`UDP port ${busy} .*rtsp\\.udpPort`)),
    });
    await second.close();
  });

  test('goes on with TCP only when the usual UDP port is busy and nobody asked for it', async () => {
    // An address that nothing else listens on.
    const host = '127.83.41.7';
    const auto = { tcp: true, udpPort: 'auto', reorderMs: 100 } as const;
    const warnings: string[] = [];
    const log = { info() {}, debug() {}, warn: (message: string) => void warnings.push(message) };
    const open = (media: RtspMedia) => new RtspServer({ hub: new Hub(), host, port: 0, media, log });
    await using first = open(auto);
    await first.listen();
    expect(first.udpPorts).toEqual([8000, 8001]);
    await using second = open(auto);
    await second.listen();
    expect(second.udpPorts).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/UDP port 8000 .*rtsp\.udpPort/)]);
    for (const media of [
      { ...auto, udpPort: 8000 },
      { ...auto, tcp: false },
    ]) {
      await using third = open(media);
      await expect(third.listen()).rejects.toMatchObject({ code: 'PORT_BUSY' });
      await expect(second.prepareMedia(media, host)).rejects.toMatchObject({ code: 'PORT_BUSY' });
    }
    // The server that has the port already needs no other when it is given.
    first.setMedia(await first.prepareMedia({ ...auto, udpPort: 8000 }, host));
    await first.close();
    second.setMedia(await second.prepareMedia(auto, host));
    expect(second.udpPorts).toEqual([8000, 8001]);
    expect(warnings).toHaveLength(1);
  });

  test('moves to other ports for new sessions, and keeps the old ones for those that have them', async () => {
    await using server = await startRtsp(UDP);
    await using publisher = publish(await clipPath('h264'), server.url('live'), 20, 'udp');
    const stream = await published(server.hub, 'live');
    const old = server.server.udpPorts;
    server.server.setMedia(
      await server.server.prepareMedia({ ...UDP.media, udpPort: undefined }, '127.0.0.1'),
    );
    expect(server.server.udpPorts).toBeUndefined();
    const { units } = stream.counters;
    await using reader = await RawClient.connect(server.port);
    const setup = (transport: string) =>
      reader.ask('SETUP', `${server.url('live')}/trackID=0`, { Transport: transport });
    expect((await setup('RTP/AVP;unicast;client_port=5000-5001')).status).toBe(461);
    expect((await setup('RTP/AVP/TCP;unicast;interleaved=0-1')).status).toBe(200);
    await reader.ask('PLAY', server.url('live'));
    await reader.until(() => reader.frames.length > 60);
    expect(stream.counters.units).toBeGreaterThan(units);
    await publisher.stop();
    await expect
      .poll(async () => {
        const probe = createSocket('udp4');
        const free = await new Promise<boolean>((resolve) => {
          probe.once('error', () => resolve(false));
          probe.bind(old?.[0] ?? 0, '127.0.0.1', () => resolve(true));
        });
        probe.close();
        return free;
      })
      .toBe(true);
  });
});
