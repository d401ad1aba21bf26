import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { barcodeClip } from '../support/media.ts';
import { type RunningProgram, start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';
import { MseViewer, RtspViewer } from '../support/viewers.ts';

/**
 * One server through reload after reload, while a program publishes `live` and readers of it stay: at the end not one
 * picture of theirs is missing.
 */

const BASE = 'demo: false\nlog: { level: silent }\n';

let server: TestSluice;
let publisher: RunningProgram;
let overRtsp: RtspViewer;
let overMse: MseViewer;
let clip: string;

beforeAll(async () => {
  clip = await barcodeClip({ seconds: 60 });
  server = await sluice(BASE);
  const input = ['-v', 'error', '-re', '-i', clip, '-c', 'copy'];
  const output = ['-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/live`];
  publisher = start('ffmpeg', [...input, ...output], 120_000);
  await server.live('live');
  overRtsp = await RtspViewer.open(`${server.rtsp}/live`);
  overMse = await MseViewer.open(`${server.http.replace('http', 'ws')}/live/mse`);
  await eventually(() => overRtsp.pictures.length > 0 && overMse.pictures.length > 0);
}, 60_000);

afterAll(async () => {
  await overRtsp?.[Symbol.asyncDispose]();
  await overMse?.[Symbol.asyncDispose]();
  await publisher?.stop();
  await server?.[Symbol.asyncDispose]();
});

interface StreamSeen {
  readonly name: string;
  readonly state: string;
  readonly since: string;
  readonly source?: { readonly address: string };
  readonly publisher?: { readonly since: string };
}

const streams = async () => (await server.get<{ streams: StreamSeen[] }>('/api/streams')).streams;
const stream = async (name: string) => (await streams()).find((one) => one.name === name);
const camera = (file: string) => `${BASE}streams: { cam: { source: ${JSON.stringify(file)} } }\n`;

/** A viewer of results, which makes the configured algorithms of a stream run. */
async function watchResults(name: string): Promise<WebSocket> {
  const socket = new WebSocket(`${server.server.addresses.http.replace('http', 'ws')}/${name}/results`);
  await once(socket, 'open');
  return socket;
}

describe('a changed configuration', () => {
  it('adds a stream, changes its file under its readers, and takes it out with a reason', async () => {
    expect((await server.rewrite(camera(clip))).status).toBe('ok');
    await server.live('cam');
    await using viewer = await MseViewer.open(`${server.http.replace('http', 'ws')}/cam/mse`);
    await eventually(() => viewer.pictures.length > 0);
    const before = (await stream('cam'))!;
    const other = await barcodeClip({ seconds: 20 });
    await server.rewrite(camera(other));
    const after = await eventually(async () => {
      const now = await stream('cam');
      return now?.state === 'live' && now.publisher?.since !== before.publisher?.since ? now : undefined;
    });
    expect(after.source?.address).toBe(other);
    // The same stream with another source: whoever read it goes on.
    expect(after.since).toBe(before.since);
    const seen = viewer.pictures.length;
    await eventually(() => viewer.pictures.length > seen);
    await server.rewrite(BASE);
    await eventually(() => viewer.closed);
    expect(viewer.reason).toBe('The source was taken out of the configuration.');
    expect((await streams()).map(({ name }) => name)).toEqual(['live']);
  });

  it('brings a stream on demand to a page that has waited for it since before there was one', async () => {
    await using viewer = await MseViewer.open(`${server.http.replace('http', 'ws')}/late/mse`);
    const late = (more: string) =>
      server.rewrite(`${BASE}streams: { late: { source: ${JSON.stringify(clip)}, ${more} } }\n`);
    await late('onDemand: true');
    await eventually(() => viewer.pictures.length > 0);
    const { since } = (await stream('late'))!;
    // How long it may go on without readers is no reason to begin anew.
    await late('onDemand: true, onDemandCloseSeconds: 1');
    await late('onDemand: true, onDemandCloseSeconds: 1, loop: false');
    await eventually(async () => (await stream('late'))?.state === 'live');
    expect((await stream('late'))?.since).toBe(since);
    await server.rewrite(BASE);
    await eventually(() => viewer.closed);
  });

  it.each([
    ['is no YAML', 'demo: [false\n', 'CONFIG_INVALID', 'this is no YAML'],
    ['has an unknown key', 'demo: false\nzebra: 1\n', 'CONFIG_UNKNOWN_KEY', 'zebra'],
    ['has a forbidden name', 'streams: { api/x: { detect: [people] } }\n', 'CONFIG_INVALID', 'reserved'],
    [
      'names an algorithm there is not',
      'streams: { a: { detect: [unicorns] } }\n',
      'ALGORITHM_UNKNOWN',
      'sluice.yml: "streams.a.detect[0]": There is no algorithm "unicorns". There are: ',
    ],
    [
      'has a parameter there is not',
      'streams: { hall: { detect: [people, { algorithm: people, parameters: { colour: 1 } }] } }\n',
      'PARAMETERS_INVALID',
      'sluice.yml: "streams.hall.detect[1]": Parameters of algorithm "people": ',
    ],
  ])(
    'that %s changes nothing, says why, and is forgotten once it is mended',
    async (_, yaml, code, words) => {
      const before = await server.health();
      const { status, configuration } = await server.rewrite(`log: { level: error }\n${yaml}`);
      expect(status).toBe('degraded');
      expect(configuration.error?.code).toBe(code);
      expect(configuration.error?.message).toContain(words);
      expect(configuration.loadedAt).toBe(before.configuration.loadedAt);
      expect(server.log.level).toBe('silent');
      const mended = await server.rewrite(BASE);
      expect(mended.status).toBe('ok');
      expect(mended.configuration.error).toBeUndefined();
    },
  );

  it('changes what is logged at once', async () => {
    await server.rewrite('demo: false\nlog: { level: error }\n');
    expect(server.log.level).toBe('error');
    await server.rewrite(BASE);
    expect(server.log.level).toBe('silent');
  });

  it('changes what is detected for those who watch already', async () => {
    const watcher = await watchResults('live');
    await server.rewrite(`${BASE}streams: { live: { detect: [people] } }\n`);
    const run = await eventually(async () => (await server.runs())[0]);
    expect(run).toMatchObject({ algorithm: 'people', stream: 'live', leases: [{ holder: 'viewer' }] });
    await server.rewrite(
      `${BASE}streams: { live: { detect: [{ algorithm: people, parameters: { fps: 1 } }] } }\n`,
    );
    expect((await server.runs())[0]?.parameters).toMatchObject({ fps: 1 });
    await server.rewrite(BASE);
    expect(await server.runs()).toEqual([]);
    watcher.close();
  });

  it('moves the HTTP port, or stays on the old one and says why', async () => {
    const busy = createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const { port } = busy.address() as AddressInfo;
    const rtsp = 'rtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n';
    const refused = await server.rewrite(BASE, `http: { port: ${port} }\n${rtsp}`);
    expect(refused.configuration.error).toMatchObject({ code: 'PORT_BUSY' });
    expect(refused.configuration.error?.message).toContain('http.port');
    expect(refused.configuration.error?.message).toContain('stays open');
    expect(server.server.addresses.http).toBe(server.http);
    busy.close();
    await once(busy, 'close');
    const moved = await server.rewrite(`${BASE}# Once more.\n`, `http: { port: ${port} }\n${rtsp}`);
    expect(moved.status).toBe('ok');
    expect(server.server.addresses).toMatchObject({ http: `http://127.0.0.1:${port}`, rtsp: server.rtsp });
    await expect(fetch(`${server.http}/api/health`)).rejects.toThrow();
    // Workers that are started from now on come over the new port.
    await server.rewrite(camera(clip), `http: { port: ${port} }\n${rtsp}`);
    await server.live('cam');
    const watcher = await watchResults('live');
    watcher.close();
    await server.rewrite(BASE, `http: { port: ${port} }\n${rtsp}`);
  });

  it('moves the RTSP port, and sessions go on', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, 'close');
    const http = `http: { port: ${new URL(server.server.addresses.http).port} }\n`;
    const { status } = await server.rewrite(
      BASE,
      `${http}rtsp: { port: ${port}, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n`,
    );
    expect(status).toBe('ok');
    expect(server.server.addresses.rtsp).toBe(`rtsp://127.0.0.1:${port}`);
    await expect(RtspViewer.open(`${server.rtsp}/live`)).rejects.toThrow();
    await using viewer = await RtspViewer.open(`rtsp://127.0.0.1:${port}/live`);
    await eventually(() => viewer.pictures.length > 0);
    // `localhost` is the same address: nobody has to move.
    const same = `host: localhost\n${http}rtsp: { port: ${port}, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n`;
    expect((await server.rewrite(BASE, same)).status).toBe('ok');
    expect(server.server.addresses.rtsp).toBe(`rtsp://localhost:${port}`);
  });

  it('finds algorithms anew', async () => {
    const ids = async () => {
      type Algorithms = { algorithms: { id: string }[] };
      return (await server.get<Algorithms>('/api/algorithms')).algorithms.map(({ id }) => id);
    };
    const builtIn = await ids();
    const folder = resolve(import.meta.dirname, '../support/algorithms');
    await server.rewrite(`${BASE}algorithms: { folders: [${JSON.stringify(folder)}] }\n`);
    expect((await ids()).length).toBeGreaterThan(builtIn.length);
    const { configuration } = await server.rewrite(`${BASE}algorithms: { folders: [nowhere] }\n`);
    expect(configuration.error?.code).toBe('ALGORITHM_FOLDER_MISSING');
    expect((await ids()).length).toBeGreaterThan(builtIn.length);
    await server.rewrite(BASE);
    expect(await ids()).toEqual(builtIn);
  });

  it('that disappears is an error, and nothing changes', async () => {
    const { file } = (await server.health()).configuration;
    await rm(file);
    const error = await eventually(async () => (await server.health()).configuration.error);
    expect(error).toMatchObject({ code: 'CONFIG_MISSING' });
    expect((await stream('live'))?.state).toBe('live');
    expect((await server.rewrite(BASE)).status).toBe('ok');
  });

  it('cost the readers of another stream not one picture in all that time', async () => {
    const seen = overMse.pictures.length;
    await eventually(() => overMse.pictures.length > seen + 10);
    for (const { pictures, closed } of [overRtsp, overMse]) {
      expect(closed).toBe(false);
      expect(pictures.length).toBeGreaterThan(100);
      const inOrder = pictures.toSorted((a, b) => a - b);
      const steps = new Set(inOrder.slice(1).map((value, index) => value - inOrder[index]!));
      expect([...steps]).toEqual([3600]);
    }
    expect(overRtsp.gaps).toBe(0);
    expect(publisher.child.exitCode).toBeNull();
  });
});
