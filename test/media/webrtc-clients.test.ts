import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probe } from '#app/probe.ts';
import { Hub } from '#hub/hub.ts';
import { frameHeader } from '#protocols/rtp/stream-framing.ts';
import { buildClientOffer, receivingSections } from '#protocols/sdp/webrtc-client-offer.ts';
import { MediaDoor } from '#servers/webrtc/media-door.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget } from '#sinks/contract.ts';
import { whipForward } from '#sinks/whip/forward.ts';
import { WhepSource } from '#sources/whep/source.ts';
import { systemClock } from '#util/clock.ts';
import { barcodeClip } from '../support/media.ts';
import { type RunningProgram, run, start } from '../support/process.ts';
import { receivedSkew } from '../support/skew.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const SECONDS = 10;
const TOKEN = 'only-for-the-copy-0123456789';
const CONFIG = `demo: false
users:
  - name: any
    permissions: [{ actions: [read, manage] }, { actions: [publish], streams: ~orig.* }]
tokens:
  - { name: forward, token: ${TOKEN}, permissions: [{ actions: [publish], streams: ~copy.* }] }
`;

let server: TestSluice;
let clip: string;
let publisher: RunningProgram;

/** Publishes a clip again and again over RTSP. */
function publish(path: string, name: string): RunningProgram {
  const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', path, '-c', 'copy'];
  return start(
    'ffmpeg',
    [...input, '-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/${name}`],
    170_000,
  );
}

beforeAll(async () => {
  clip = await barcodeClip({ seconds: SECONDS, gop: 25, audio: 'opus', container: 'mkv' });
  server = await sluice(CONFIG);
  publisher = publish(clip, 'orig');
  await server.live('orig');
});

afterAll(async () => {
  await publisher?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Begins a forward, and gives what it says. */
function forward(stream: ForwardTarget['stream'], url: string) {
  const up = Promise.withResolvers<void>();
  const end = Promise.withResolvers<Parameters<ForwardEvents['onEnd']>[0]>();
  const open = whipForward({ hub: new Hub() });
  const connection: ForwardConnection = open(
    { stream, url, clock: systemClock },
    { onUp: () => up.resolve(), onEnd: (reason) => end.resolve(reason) },
  );
  return { connection, up: up.promise, end: end.promise };
}

describe('a stream of another server', () => {
  it('is pulled by WHEP and published by WHIP as the configuration says, in step and without a step back', async () => {
    const source = `${server.http}/orig/whep`;
    const { host } = new URL(server.http);
    // The forward wants its stream, so that the source on demand is there for it.
    const pulled = `{ source: "${source}", forward: ["whip://${TOKEN}@${host}/copy/whip"] }`;
    await server.rewrite(`${CONFIG}streams: { pulled: ${pulled} }\n`);
    await server.live('copy');
    for (const name of ['pulled', 'copy']) {
      const input = ['-rtsp_transport', 'tcp', '-i', `${server.rtsp}/${name}`];
      const seen = await receivedSkew(clip, SECONDS, input);
      console.log(`WebRTC clients, ${name}:`, seen);
      expect(seen.pictures).toBeGreaterThan(80);
      expect(seen.sounds).toBeGreaterThan(120);
      expect(seen.skew).toBeLessThanOrEqual(40);
      expect(seen.monotonic).toBe(true);
    }
    // Whoever may read sees who else reads, and must not be able to end that.
    const { readers } = await server.get<{ readers: { id: string; door: string }[] }>('/api/streams/orig');
    const viewer = readers.find(({ door }) => door === 'webrtc')?.id;
    expect(viewer).toBeDefined();
    expect((await fetch(`${source}/${viewer}`, { method: 'DELETE' })).status).toBe(404);
    expect(await server.get('/api/streams/pulled')).toMatchObject({ source: { address: source } });
    const { forwards } = await server.get<{ forwards: object[] }>('/api/forwards');
    expect(forwards).toMatchObject([{ stream: 'pulled', url: `whip://${host}/copy/whip`, state: 'running' }]);
    // The other server is told, and does not wait for what never comes.
    await server.rewrite(CONFIG);
    await eventually(async () => (await server.get('/api/streams/copy'))['state'] !== 'live', 5000);
  });

  it('is probed by its address as a source would open it', async () => {
    const { tracks } = await probe(`${server.http}/orig/whep`);
    expect(tracks.map(({ codec }) => codec)).toEqual(['h264', 'opus']);
  });

  it('is waited for with growing pauses, and the reason is said', async () => {
    const hub = new Hub();
    const states: { state: string; reason?: string; code?: string }[] = [];
    const source = new WhepSource({
      hub,
      stream: 'nobody',
      url: `${server.http}/nobody/whep?token=${TOKEN}`,
      onState: (status) => states.push(status),
    });
    const waiting = await eventually(() => states.find(({ state }) => state === 'waiting'));
    expect(waiting).toMatchObject({ code: 'WEBRTC_REFUSED' });
    expect(waiting.reason).not.toContain(TOKEN);
    await source.stop();
  });
});

describe('a forward by WHIP', () => {
  it('makes sound and pictures what WebRTC can carry, where they are not', async () => {
    const films = await barcodeClip({ seconds: SECONDS, gop: 25, bframes: 2, audio: 'aac' });
    const { host } = new URL(server.http);
    const forwards = `{ forward: ["whip://${TOKEN}@${host}/copy/films/whip"] }`;
    await server.rewrite(`${CONFIG}streams: { orig/films: ${forwards} }\n`);
    await using _publisher = publish(films, 'orig/films');
    await server.live('copy/films');
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/copy/films`],
      ...['-show_entries', 'stream=codec_name,has_b_frames', '-of', 'csv=p=0'],
    ]);
    expect(stdout.trim().split(/\s+/).sort()).toEqual(['h264,0', 'opus']);
    await server.rewrite(CONFIG);
  });

  it('ends with the words of a server that does not let it in', async () => {
    const hub = new Hub();
    const source = new WhepSource({ hub, stream: 'a', url: `${server.http}/orig/whep`, onState: () => {} });
    const stream = await eventually(() => hub.get('a'));
    const { connection, end } = forward(stream, `${server.http}/copy/whip`);
    expect(await end).toMatchObject({
      code: 'WEBRTC_REFUSED',
      reason: expect.stringContaining('answered 401'),
    });
    await connection.close('The test is over.');
    await source.stop();
    hub.close('The test is over.');
  });
});

describe('the WebRTC door', () => {
  it('offers the transports and names the ICE servers that its configuration has, as soon as that changes', async () => {
    const ports = `http: { port: 0 }\nrtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\n`;
    const iceServers = '[{ urls: ["turn:turn.invalid:3478"], username: viewer, credential: hush }]';
    await server.rewrite(
      CONFIG,
      `${ports}webrtc: { port: 0, transports: [tcp], iceServers: ${iceServers} }\n`,
    );
    const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
    const ice = { ufrag: 'ours', password: '0123456789012345678901' };
    const offer = buildClientOffer(receivingSections(), { ice, fingerprint, candidates: [] });
    const headers = { 'content-type': 'application/sdp' };
    const made = await fetch(`${server.http}/orig/whep`, { method: 'POST', headers, body: offer });
    expect(await made.text()).toMatch(/^(?![^]* udp )[^]* tcp \d+ 127\.0\.0\.1 \d+ typ host tcptype passive/);
    expect(made.headers.get('link')).toContain('credential="hush"');
    const ask = async (authorization?: string) => {
      const shown: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await fetch(`${server.http}/copy/whip`, { method: 'OPTIONS', headers: shown });
      expect(answer.status).toBe(204);
      return answer.headers.get('link');
    };
    expect(await ask()).toBeNull();
    expect(await ask(`Bearer ${TOKEN}`)).toContain(
      '<turn:turn.invalid:3478>; rel="ice-server"; username="viewer"',
    );
  });
});

describe('the TCP port of WebRTC', () => {
  it('shows out who sends anything but checks, and packets that are too large', async () => {
    const door = await MediaDoor.open('127.0.0.1', 0, ['udp', 'tcp']);
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.concat([frameHeader(4), Buffer.alloc(4)]),
    ]) {
      const stranger = connect(door.port, '127.0.0.1');
      stranger.write(bytes);
      stranger.resume();
      await once(stranger, 'close');
      expect(stranger.bytesRead).toBe(0);
    }
    await door.close();
  });
});
