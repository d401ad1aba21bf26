import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FakeHub } from '../support/fake-hub.ts';
import { run } from '../support/process.ts';
import { eventually, sluice } from '../support/sluice.ts';

const servers: Server[] = [];
let jpegs: Buffer[];

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-jpegs-'));
  await run('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=322x182:rate=10', '-frames:v', '10'],
    ...['-pix_fmt', 'yuvj422p', join(folder, '%d.jpg')],
  ]);
  jpegs = await Promise.all(Array.from({ length: 10 }, (_, n) => readFile(join(folder, `${n + 1}.jpg`))));
  await rm(folder, { recursive: true });
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A web server of the test's own; gives its address. */
async function web(answer: Parameters<typeof createServer>[1] & {}): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Manner {
  readonly contentLength?: boolean;
  /** Blank lines and other headers around, as some cameras have them. */
  readonly chatty?: boolean;
  /** A picture that is cut, every so many. */
  readonly brokenEvery?: number;
}

/** Ten JPEGs a second, as cameras send them, until nobody listens. */
function camera(
  response: ServerResponse,
  { contentLength = true, chatty = false, brokenEvery }: Manner = {},
) {
  response.writeHead(200, { 'Content-Type': 'multipart/x-mixed-replace; boundary=--myboundary' });
  let n = 0;
  const timer = setInterval(() => {
    const whole = jpegs[n % jpegs.length]!;
    const jpeg = brokenEvery && n % brokenEvery === brokenEvery - 1 ? whole.subarray(0, 300) : whole;
    n++;
    const lines = [
      '--myboundary',
      'Content-Type: image/jpeg',
      ...(contentLength ? [`Content-Length: ${jpeg.length}`] : []),
      ...(chatty ? ['X-Timestamp: 1700000000.123456', 'Cache-Control: no-store'] : []),
    ];
    response.write(`${chatty ? '\r\n' : ''}${lines.join('\r\n')}\r\n\r\n`);
    response.write(jpeg);
    response.write('\r\n');
  }, 100);
  response.on('close', () => clearInterval(timer));
}

describe('a camera that sends JPEGs one behind the other', () => {
  it('is H.264 with the times of arrival, in whatever manner it sends them', async () => {
    const manners: Readonly<Record<string, Manner>> = {
      lengths: {},
      'no-lengths': { contentLength: false },
      chatty: { chatty: true },
      broken: { brokenEvery: 7 },
    };
    const asked: string[] = [];
    const address = await web((request, response) => {
      const manner = (request.url ?? '').slice(1);
      asked.push(manner);
      camera(response, manners[manner]);
    });
    await using hub = await FakeHub.start();
    const names = Object.keys(manners);
    for (const name of names) hub.task({ kind: 'network-source', stream: name, url: `${address}/${name}` });
    const of = (name: string) => {
      const publication = hub.publications.find(({ stream }) => stream === name);
      return {
        track: publication?.tracks[0],
        units: hub.units.filter(({ channel }) => channel === publication?.publication),
      };
    };
    await hub.until(() => names.every((name) => of(name).units.length >= 35), 'pictures', 30_000);
    for (const name of names) {
      const { track, units } = of(name);
      expect(track).toMatchObject({ id: 0, format: { codec: 'h264', width: 322, height: 182 } });
      const seconds = (units.at(-1)!.pts - units[0]!.pts) / 90_000;
      expect((units.length - 1) / seconds, name).toBeGreaterThan(6);
      expect((units.length - 1) / seconds, name).toBeLessThan(11);
      expect(
        units.slice(1).every(({ dts }, n) => dts > units[n]!.dts),
        name,
      ).toBe(true);
      // A keyframe every two seconds, whatever the rate.
      const [first, second] = units.filter(({ keyframe }) => keyframe);
      expect((second!.pts - first!.pts) / 90_000, name).toBeGreaterThanOrEqual(2);
      expect((second!.pts - first!.pts) / 90_000, name).toBeLessThan(3);
      expect(first!.payload.map((nal) => nal[0]! & 0x1f)).toEqual([7, 8, 5]);
    }
    // Each was asked once: some cameras have one place only.
    expect(asked.toSorted()).toEqual(names.toSorted());
  });

  it('is opened for the first reader, played by everybody, and let go after the last', async () => {
    let open = 0;
    const address = await web((_request, response) => {
      open++;
      response.on('close', () => open--);
      camera(response);
    });
    await using server = await sluice(
      `demo: false\nstreams: { cam: { source: "${address}/mjpg/video.cgi?password=secret", onDemandStartSeconds: 60, onDemandCloseSeconds: 1 } }`,
    );
    expect(open).toBe(0);
    const args = ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/cam`, '-t', '2'];
    expect(await run('ffmpeg', [...args, '-vsync', 'vfr', '-f', 'null', '-'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    await eventually(() => open === 0);
    const { source } = await server.get<{ source: { address: string } }>('/api/streams/cam');
    expect(source.address).toBe(`${address}/mjpg/video.cgi?password=***`);
  });
});

describe('a web server that gives no stream', () => {
  it('is named with what is wrong, and how to mend it', async () => {
    const address = await web((request, response) => {
      const path = request.url ?? '';
      if (path.startsWith('/secret'))
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
      else if (path.startsWith('/forbidden')) response.writeHead(403).end();
      else if (path.startsWith('/missing')) response.writeHead(404).end();
      else if (path.startsWith('/moved')) response.writeHead(302, { Location: '/live.mjpeg' }).end();
      else if (path.startsWith('/loop')) response.writeHead(302, { Location: '/loop' }).end();
      else if (path.startsWith('/file')) response.writeHead(302, { Location: 'file:///etc/hostname' }).end();
      else if (path.startsWith('/page')) response.end('<html><body>It works!</body></html>');
      else if (path.startsWith('/dies')) {
        camera(response);
        setTimeout(() => response.destroy(), 3000);
      } else camera(response);
    });
    await using hub = await FakeHub.start();
    const task = (path: string) =>
      hub.task({
        kind: 'network-source',
        stream: path.slice(1),
        url: `${address.replace('//', '//u:pw@')}${path}`,
      });
    const tasks = new Map(
      ['/secret', '/forbidden', '/missing', '/moved', '/loop', '/file', '/page', '/dies'].map(
        (path) => [path, task(path)] as const,
      ),
    );
    const failed = async (path: string) => hub.state(tasks.get(path)!, 'failed');
    expect(await failed('/secret')).toMatchObject({ code: 'INPUT_UNAUTHORIZED' });
    expect(await failed('/forbidden')).toMatchObject({ code: 'INPUT_UNAUTHORIZED' });
    expect(await failed('/missing')).toMatchObject({ code: 'INPUT_MISSING' });
    for (const path of ['/loop', '/file', '/page']) {
      expect(await failed(path)).toMatchObject({ code: 'INPUT_UNREACHABLE' });
    }
    await hub.state(tasks.get('/moved')!, 'running');
    expect(['INPUT_ENDED', 'INPUT_UNREACHABLE']).toContain((await failed('/dies')).code);
    for (const { reason } of hub.all('task.state')) expect(reason ?? '').not.toContain('pw');
  });
});
