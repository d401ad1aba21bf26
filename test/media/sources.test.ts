import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Hub } from '#hub/hub.ts';
import type { RtspMedia } from '#servers/rtsp/server.ts';
import { RtspSource } from '#sources/rtsp/source.ts';
import { barcodeClip } from '../support/media.ts';
import { run } from '../support/process.ts';
import { publish, published, RawClient, startRtsp } from '../support/rtsp.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

interface StreamInfo {
  readonly name: string;
  readonly state: string;
  readonly source?: {
    readonly address: string;
    readonly state: string;
    readonly reason?: string;
    readonly code?: string;
  };
  readonly readers: readonly { readonly door: string; readonly sent: { readonly units: number } }[];
}

const info = (server: TestSluice, name: string) => server.get<StreamInfo>(`/api/streams/${name}`);

const servers: Server[] = [];
const sockets = new Set<Socket>();

/** A TCP server on a free port that does with each connection what the test says. */
async function tcp(accept: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    accept(socket);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  sockets.clear();
  servers.length = 0;
});

/** A camera: an RTSP server of our own, fed by ffmpeg. */
async function camera(options: { media?: RtspMedia } = {}) {
  const clip = await barcodeClip({ seconds: 4, gop: 25 });
  const rtsp = await startRtsp({ hub: { holdMs: 15_000 }, ...options });
  const feed = publish(clip, rtsp.url('cam'), -1, options.media ? 'udp' : 'tcp');
  await published(rtsp.hub, 'cam');
  return {
    ...rtsp,
    async [Symbol.asyncDispose]() {
      await feed.stop();
      await rtsp[Symbol.asyncDispose]();
    },
  };
}

describe('an RTSP source on demand', () => {
  it('connects for the first reader, serves it, and goes after the last', async () => {
    await using cam = await camera();
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://u:secret@127.0.0.1:${cam.port}/cam", onDemandCloseSeconds: 1 } }`,
    );
    expect(await info(server, 'yard')).toMatchObject({
      state: 'idle',
      source: { address: `rtsp://127.0.0.1:${cam.port}/cam`, state: 'idle' },
    });
    expect(cam.hub.get('cam')?.readerCount).toBe(0);
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
      `${server.rtsp}/yard`,
    ]);
    expect(stdout.trim().split('\n').sort()).toEqual(['aac', 'h264']);
    await eventually(async () => (await info(server, 'yard')).state === 'idle');
    await eventually(() => cam.hub.get('cam')?.readerCount === 0);
  });

  it('shows a page the stream over MSE, and lets the camera go when the page is gone', async () => {
    await using cam = await camera();
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://127.0.0.1:${cam.port}/cam", onDemandCloseSeconds: 1 } }`,
    );
    const page = new WebSocket(`${server.http.replace('http', 'ws')}/yard/mse`);
    const texts: string[] = [];
    let fragments = 0;
    page.on('message', (data: Buffer, binary) => {
      if (binary) fragments++;
      else texts.push((JSON.parse(data.toString()) as { type: string }).type);
    });
    await eventually(() => fragments > 20);
    expect(texts[0]).toBe('waiting');
    expect(texts).toContain('stream');
    page.send(JSON.stringify({ type: 'pause' }));
    await eventually(async () => (await info(server, 'yard')).state === 'idle');
    expect(page.readyState).toBe(WebSocket.OPEN);
    const before = fragments;
    page.send(JSON.stringify({ type: 'resume' }));
    await eventually(() => fragments > before + 20);
    page.close();
    await eventually(async () => (await info(server, 'yard')).state === 'idle');
  });

  it('refuses a reader with the reason when the camera does not come', async () => {
    const port = await tcp((socket) => socket.destroy());
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://127.0.0.1:${port}/cam", onDemandStartSeconds: 1 } }`,
    );
    await using client = await RawClient.connect(Number(new URL(server.rtsp).port));
    const answer = await client.ask('DESCRIBE', `${server.rtsp}/yard`);
    expect(answer.status).toBe(503);
    expect(answer.reason).toContain('did not bring the stream within 1 s');
    expect(answer.reason).toContain('cannot be reached');
    const unknown = await client.ask('DESCRIBE', `${server.rtsp}/nowhere`);
    expect(unknown.status).toBe(404);
  });

  it('is wanted by a run, which says why it waits', async () => {
    const port = await tcp((socket) => socket.end('RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n'));
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://127.0.0.1:${port}/cam", onDemandCloseSeconds: 1 } }`,
    );
    const { status, body } = await server.post('/api/runs', { stream: 'yard', algorithm: 'people' });
    expect(status).toBe(201);
    const [waiting] = await eventually(async () => {
      const runs = await server.runs();
      return runs[0]?.reason?.includes('127.0.0.1') ? runs : undefined;
    });
    expect(waiting?.state).toBe('waiting');
    await server.remove(`/api/runs/${String(body['id'])}`);
    await eventually(async () => (await info(server, 'yard')).state === 'idle');
  });

  it('comes for a run, stays as long as the run, and goes with it', async () => {
    await using cam = await camera();
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://127.0.0.1:${cam.port}/cam", onDemandCloseSeconds: 1 } }`,
    );
    const { body } = await server.post('/api/runs', { stream: 'yard', algorithm: 'people' });
    await eventually(async () => ((await server.runs())[0]?.statistics.inferred ?? 0) > 5);
    expect((await info(server, 'yard')).state).toBe('live');
    await server.remove(`/api/runs/${String(body['id'])}`);
    await eventually(async () => (await info(server, 'yard')).state === 'idle');
    await eventually(() => cam.hub.get('cam')?.readerCount === 0);
  });

  it('takes the media over UDP', async () => {
    await using cam = await camera({ media: { tcp: false, udpPort: 0, reorderMs: 100 } });
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://127.0.0.1:${cam.port}/cam", transport: udp } }`,
    );
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
      `${server.rtsp}/yard`,
    ]);
    expect(stdout.trim().split('\n').sort()).toEqual(['aac', 'h264']);
  });

  it('may be a file too', async () => {
    const clip = await barcodeClip({ seconds: 4, gop: 25 });
    await using server = await sluice(
      `demo: false\nstreams: { film: { source: ${JSON.stringify(clip)}, onDemand: true, onDemandCloseSeconds: 1 } }`,
    );
    expect((await info(server, 'film')).state).toBe('idle');
    for (let time = 0; time < 2; time++) {
      const { stdout } = await run('ffprobe', [
        ...['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
        `${server.rtsp}/film`,
      ]);
      expect(stdout).toContain('h264');
      await eventually(async () => (await info(server, 'film')).state === 'idle');
    }
  });
});

describe('an RTSP source whose camera dies', () => {
  it('keeps its readers, connects anew, and goes on with timestamps that only grow', async () => {
    const clip = await barcodeClip({ seconds: 4, gop: 25 });
    let cam = await startRtsp();
    const { port } = cam;
    let feed = publish(clip, cam.url('cam'), -1);
    await published(cam.hub, 'cam');
    await using server = await sluice(
      `demo: false\nstreams: { yard: { source: "rtsp://127.0.0.1:${port}/cam", onDemand: false } }`,
    );
    await server.live('yard');
    await using reader = await RawClient.connect(Number(new URL(server.rtsp).port));
    const url = `${server.rtsp}/yard`;
    await reader.ask('DESCRIBE', url);
    const { headers } = await reader.ask('SETUP', `${url}/trackID=0`, {
      Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1',
    });
    await reader.ask('PLAY', url, { Session: headers.get('session') ?? '' });
    const packets = () => reader.frames.filter(({ channel }) => channel === 0);
    await reader.until(() => packets().length > 50);
    const died = feed.stop();
    await cam[Symbol.asyncDispose]();
    await died;
    const waiting = await eventually(async () => {
      const stream = await info(server, 'yard');
      return stream.source?.state === 'waiting' ? stream : undefined;
    });
    expect(waiting.state).toBe('held');
    expect(waiting.source?.code).toMatch(/^RTSP_/);
    expect(waiting.source?.reason).toMatch(/The next attempt is in \d+\.\d s\./);
    const seen = packets().length;
    cam = await startRtsp({ port });
    feed = publish(clip, cam.url('cam'), -1);
    await eventually(async () => (await info(server, 'yard')).state === 'live');
    await reader.until(() => packets().length > seen + 100);
    expect(reader.closed).toBe(false);
    const times = packets().map(({ payload }) => payload.readUInt32BE(4));
    const steps = times.slice(1).map((time, i) => (time - times[i]!) | 0);
    // Pictures of this clip have no B-frames: what is sent grows, also over the seam.
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(0);
    await feed.stop();
    await cam[Symbol.asyncDispose]();
  });
});

describe('a redirect', () => {
  /** A server that answers OPTIONS, and sends DESCRIBE elsewhere. */
  const redirecting = (location: () => string, seen: string[]) =>
    tcp((socket) =>
      socket.on('data', (bytes) => {
        seen.push(bytes.toString());
        const cseq = /CSeq: (\d+)/.exec(bytes.toString())?.[1];
        const isOptions = bytes.toString().startsWith('OPTIONS');
        const answer = isOptions ? '200 OK' : `302 Moved\r\nLocation: ${location()}`;
        socket.write(`RTSP/1.0 ${answer}\r\nCSeq: ${cseq}\r\n\r\n`);
      }),
    );

  it('is followed once, and credentials go to no other host', async () => {
    await using cam = await camera();
    const asked: string[] = [];
    const port = await redirecting(() => `rtsp://127.0.0.1:${cam.port}/cam`, asked);
    const hub = new Hub();
    const source = new RtspSource({ hub, stream: 'a', url: `rtsp://127.0.0.1:${port}/`, onState: () => {} });
    await eventually(() => hub.get('a')?.state === 'live');
    await source.stop();
    const other: string[] = [];
    const thief = await tcp((socket) =>
      socket.on('data', (bytes) => {
        other.push(bytes.toString());
        const cseq = /CSeq: (\d+)/.exec(bytes.toString())?.[1];
        socket.write(`RTSP/1.0 401 No\r\nCSeq: ${cseq}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n`);
      }),
    );
    const sending = await redirecting(() => `rtsp://localhost:${thief}/`, asked);
    const { code } = await failureOf(`rtsp://u:secret@127.0.0.1:${sending}/`);
    expect(code).toBe('RTSP_UNAUTHORIZED');
    expect(other.length).toBeGreaterThan(0);
    expect(other.join()).not.toContain('Authorization');
  });

  it('is not followed for ever, nor to what is no RTSP', async () => {
    let port = 0;
    port = await redirecting(() => `rtsp://127.0.0.1:${port}/again`, []);
    expect(await failureOf(`rtsp://127.0.0.1:${port}/`)).toMatchObject({ code: 'RTSP_REFUSED' });
    const http = await redirecting(() => 'http://127.0.0.1/', []);
    expect(await failureOf(`rtsp://127.0.0.1:${http}/`)).toMatchObject({ code: 'RTSP_REDIRECT_REFUSED' });
  });

  /** How the first attempt at a source fails. */
  async function failureOf(url: string) {
    const failed = Promise.withResolvers<{ code?: string; reason?: string }>();
    const source = new RtspSource({
      hub: new Hub(),
      stream: 'a',
      url,
      onState: (status) => status.state === 'waiting' && failed.resolve(status),
    });
    const status = await failed.promise;
    await source.stop();
    return status;
  }
});

describe('dead cameras', () => {
  it('four of them, each dead in another way, do not delay a live one', async () => {
    const silent = await tcp(() => {});
    const resetting = await tcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const refusing = await tcp(() => {});
    await new Promise((resolve) => servers.pop()!.close(resolve));
    await using cam = await camera();
    const dead = [
      // 192.0.2.0/24 is for documentation: nobody is there.
      'rtsp://192.0.2.1/a',
      `rtsp://127.0.0.1:${silent}/b`,
      `rtsp://127.0.0.1:${refusing}/c`,
      `rtsp://127.0.0.1:${resetting}/d`,
    ].map((url, n) => `  dead-${n}: { source: "${url}", onDemand: false }`);
    await using server = await sluice(
      `demo: false\nstreams:\n${dead.join('\n')}\n  yard: { source: "rtsp://127.0.0.1:${cam.port}/cam", onDemand: false }`,
    );
    const began = performance.now();
    await server.live('yard');
    expect(performance.now() - began).toBeLessThan(2000);
    const reasons = await eventually(async () => {
      const all = await Promise.all([0, 1, 2, 3].map((n) => info(server, `dead-${n}`)));
      return all.every(({ source }) => source?.code !== undefined) ? all : undefined;
    });
    expect(reasons.map(({ source }) => source?.code)).toEqual([
      'RTSP_UNREACHABLE',
      'RTSP_TIMEOUT',
      'RTSP_UNREACHABLE',
      'RTSP_UNREACHABLE',
    ]);
    for (const { state } of reasons) expect(['waiting', 'starting']).toContain(state);
    expect((await info(server, 'yard')).state).toBe('live');
  });

  it('leave nothing behind when they are given up', async () => {
    const port = await tcp(() => {});
    const hub = new Hub();
    const states: string[] = [];
    const source = new RtspSource({
      hub,
      stream: 'yard',
      url: `rtsp://127.0.0.1:${port}/`,
      onState: ({ state }) => states.push(state),
    });
    await eventually(() => sockets.size === 1);
    const [socket] = sockets;
    const closed = once(socket!, 'close');
    socket!.resume();
    await source.stop();
    await closed;
    expect(states).toEqual([]);
    expect(hub.streams).toEqual([]);
  });

  it('an address that is none fails, and is not tried again', () => {
    const source = new RtspSource({
      hub: new Hub(),
      stream: 'a',
      url: 'rtsp://u:p/w@cam/',
      onState: () => {},
    });
    expect(source.status).toMatchObject({ state: 'failed', code: 'RTSP_ADDRESS_INVALID', final: true });
  });
});
