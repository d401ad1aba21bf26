import { copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** One server whose streams are changed over the API, beside the file that it was started with. */

const FILE = `demo: false
log: { level: info }
publisher: { holdSeconds: 1 }
sources: { patternStreams: 1, folders: [films] }
streams:
  # The test picture.
  test: # always there
    source: testsrc
    onDemand: false
`;

let server: TestSluice;
let file: string;
const logged: string[] = [];

beforeAll(async () => {
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(JSON.parse(chunk.toString()).msg);
      done();
    },
  });
  server = await sluice(FILE, pino({ level: 'info' }, lines));
  ({ file } = (await server.health()).configuration);
  await server.live('test');
});
afterAll(() => server?.[Symbol.asyncDispose]());

const text = () => readFile(file, 'utf8');

async function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const answer = await fetch(`${server.http}/api/config/streams/${path}`, {
    method,
    headers: body ? { ...headers, 'content-type': 'application/json' } : headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  const json = (await answer.json().catch(() => ({}))) as {
    error?: { code: string; message: string };
    settings?: Record<string, unknown>;
    restricted?: readonly string[];
  };
  return { status: answer.status, etag: answer.headers.get('etag') ?? '', ...json };
}

/** As an editor does it. */
async function byHand(change: (before: string) => string): Promise<void> {
  await writeFile(`${file}.new`, change(await text()));
  await rename(`${file}.new`, file);
}

interface Part {
  readonly state: string;
  readonly code?: string;
  readonly reason?: string;
}
interface Seen {
  readonly name: string;
  readonly since: string;
  readonly source?: Part & { readonly fill?: Part; readonly standby?: Part };
}
const forwards = async () =>
  (
    await server.get<{ forwards: (Part & { readonly stream: string; readonly url: string })[] }>(
      '/api/forwards',
    )
  ).forwards;
const seen = async (name: string) =>
  (await server.get<{ streams: Seen[] }>('/api/streams')).streams.find((one) => one.name === name);

describe('streams over the API', () => {
  it('come, change and go at once, are saved beside what stands in the file, and nobody else notices', async () => {
    const before = await text();
    const since = (await seen('test'))?.since;
    expect((await ask('PUT', 'second', { source: 'testsrc', onDemand: false })).status).toBe(201);
    await server.live('second');
    const added = '  second:\n    source: testsrc\n    onDemand: false\n';
    expect(await text()).toContain(added);
    expect((await text()).startsWith(before)).toBe(true);
    expect(await ask('PATCH', 'second', { onDemand: true })).toMatchObject({
      status: 200,
      settings: { onDemand: true },
    });
    expect((await ask('DELETE', 'second')).status).toBe(204);
    expect(await seen('second')).toBeUndefined();
    expect(await text()).toBe(before);
    expect((await seen('test'))?.since).toBe(since);
    expect((await ask('DELETE', 'second')).error?.code).toBe('STREAM_NOT_CONFIGURED');
  });

  it('are not changed by who has not seen what somebody else, or a hand, has written since', async () => {
    const { etag: first } = await ask('PUT', 'shared', { source: 'rtsp://cam.invalid/a' });
    const { etag: second } = await ask('PATCH', 'shared', { loop: false }, { 'if-match': first });
    expect(second).not.toBe(first);
    expect((await ask('GET', 'shared')).etag).toBe(second);
    const late = { 'if-match': first };
    for (const refused of [
      await ask('PATCH', 'shared', { source: 'rtsp://cam.invalid/b' }, late),
      await ask('PUT', 'shared', { source: 'rtsp://cam.invalid/b' }, late),
      await ask('DELETE', 'shared', undefined, late),
    ])
      expect(refused).toMatchObject({ status: 412, error: { code: 'STREAM_CHANGED' } });
    await byHand((before) => before.replace('cam.invalid/a', 'anna:secret@cam.invalid/a'));
    expect((await ask('PATCH', 'shared', { loop: true }, { 'if-match': second })).status).toBe(412);
    expect((await ask('GET', 'nobody')).status).toBe(404);
    expect((await ask('PUT', 'nobody', {}, late)).error?.code).toBe('STREAM_NOT_CONFIGURED');
    expect((await ask('DELETE', 'shared', undefined, { 'if-match': '*' })).status).toBe(204);
  });

  it('are taken up once and not again when the watch sees what was written', async () => {
    logged.length = 0;
    await ask('PUT', 'once', { source: 'testsrc' });
    const { loadedAt } = (await server.health()).configuration;
    // What comes after it shows that the watch has been through.
    await byHand((before) => `${before}\nreader: { queueMs: 2100 }\n`);
    await eventually(() => logged.some((line) => line.includes('reader.queueMs')));
    expect(logged.filter((line) => line.startsWith('configuration'))).toEqual([
      'configuration changed over the API: streams.once added',
      'configuration changed: reader.queueMs changed',
    ]);
    expect((await server.health()).configuration.loadedAt).not.toBe(loadedAt);
    await ask('DELETE', 'once');
  });

  it('are saved one after the other, together with what was written by hand a moment before', async () => {
    await byHand((before) => before.replace('queueMs: 2100', 'queueMs: 2200'));
    const names = ['a', 'b', 'c', 'd'].map((name) => `many/${name}`);
    const answers = await Promise.all(names.map((name) => ask('PUT', name, { source: 'testsrc' })));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    const saved = await text();
    for (const name of names) expect(saved).toContain(`  ${name}:\n`);
    expect(saved).toContain('queueMs: 2200');
    await Promise.all(names.map((name) => ask('DELETE', name)));
    expect(await text()).not.toContain('many/');
    expect((await stat(file)).mode & 0o777).toBe(0o644);
  });

  it('are not saved over a file with an error', async () => {
    const right = await text();
    await byHand(() => 'rtsp: { prot: 1 }\n');
    expect(await ask('PUT', 'x', { source: 'testsrc' })).toMatchObject({
      status: 409,
      error: { code: 'CONFIG_BROKEN', message: expect.stringContaining('"rtsp.prot"') },
    });
    expect(await text()).toBe('rtsp: { prot: 1 }\n');
    await byHand(() => right);
    expect((await ask('PUT', 'x', { source: 'testsrc' })).status).toBe(201);
    await ask('DELETE', 'x');
    await eventually(async () => (await server.health()).status === 'ok');
  });

  it('that cannot be taken up change nothing, in the file neither', async () => {
    const before = await text();
    const refused = await ask('PUT', 'x', { source: 'testsrc', detect: ['no-such'] });
    expect(refused).toMatchObject({ status: 404, error: { code: 'ALGORITHM_UNKNOWN' } });
    expect(await text()).toBe(before);
    expect(await seen('x')).toBeUndefined();
  });
});

describe('a source that came over the API', () => {
  it('may not lead to this machine, by name or number', async () => {
    const port = new URL(server.rtsp).port;
    for (const source of [`rtsp://127.0.0.1:${port}/test`, `rtsp://localhost:${port}/test`, '/etc/hostname'])
      expect(await ask('PUT', 'sly', { source }), source).toMatchObject({
        status: 403,
        error: { code: 'SOURCE_FORBIDDEN' },
      });
    expect(await text()).not.toContain('sly');
  });

  it('may be a file of a folder that is named for it, and not what a link there leads to', async () => {
    const films = join(dirname(file), 'films');
    await mkdir(films);
    const media = fileURLToPath(new URL('../../media/people.mp4', import.meta.url));
    await copyFile(media, join(films, 'a.mp4'));
    await symlink(media, join(films, 'out.mp4'));
    expect((await ask('PUT', 'film', { source: 'films/a.mp4' })).status).toBe(201);
    await server.live('film');
    const out = { source: 'films/out.mp4', onDemand: true };
    expect((await ask('PUT', 'film', out)).error?.code).toBe('SOURCE_FORBIDDEN');
    // The link may come later than the entry: it is followed when the file is opened.
    await rm(join(films, 'a.mp4'));
    await symlink(media, join(films, 'a.mp4'));
    expect((await ask('PATCH', 'film', { loop: false })).status).toBe(200);
    await eventually(async () => (await seen('film'))?.source?.code === 'SOURCE_FORBIDDEN', 30_000);
    await ask('DELETE', 'film');
  });

  it('may not after a restart either, when its name leads elsewhere than before', async () => {
    const port = new URL(server.rtsp).port;
    const entry = (restricted: boolean) =>
      `  pulled: { source: "rtsp://localhost:${port}/test", onDemand: false, restricted: ${restricted} }\n`;
    const web = server.http.replace('127.0.0.1', 'localhost');
    const live = `  fetched: { source: "${web}/test/live.flv", onDemand: false, restricted: true }\n`;
    const rtmp = new URL(server.server.addresses.rtmp).port;
    const played = `  played: { source: "rtmp://localhost:${rtmp}/test", onDemand: false, restricted: true }\n`;
    await byHand((before) => before.replace('streams:\n', `streams:\n${entry(true)}${live}${played}`));
    for (const name of ['pulled', 'fetched', 'played']) {
      const refused = await eventually(async () => {
        const { source } = (await seen(name)) ?? {};
        return source?.code === undefined ? undefined : source;
      }, 30_000);
      expect(refused).toMatchObject({
        code: 'SOURCE_FORBIDDEN',
        reason: expect.stringContaining('this machine'),
      });
    }
    // Whoever keeps the file may trust it.
    await byHand((before) => before.replace(entry(true), entry(false)).replace(live + played, ''));
    await server.live('pulled');
    // A change of something else over the API leaves it trusted, and its address masked.
    expect((await ask('PATCH', 'pulled', { onDemandCloseSeconds: 5 })).status).toBe(200);
    expect(await text()).not.toContain('restricted: true');
    await ask('DELETE', 'pulled');
  });
});

describe('what else of a stream came over the API', () => {
  const local = (host: string) => {
    const { http, rtsp, rtmp } = server.server.addresses;
    const port = (url: string) => new URL(url).port;
    return [
      `rtsp://${host}:${port(rtsp)}/copies/rtsp`,
      `rtmp://${host}:${port(rtmp)}/copies/rtmp`,
      `whip://${host}:${port(http)}/copies/whip/whip`,
      `srt://${host}:9`,
      `udp://${host}:9`,
    ];
  };

  it('may not lead to this machine: a forward, a second source, a stand-by', async () => {
    const before = await text();
    const refused = { status: 403, error: { code: 'SOURCE_FORBIDDEN' } };
    for (const url of [...local('127.0.0.1'), ...local('localhost')])
      expect(await ask('PATCH', 'test', { forward: [url] }), url).toMatchObject(refused);
    expect(await ask('PATCH', 'test', { fill: local('localhost')[0] })).toMatchObject(refused);
    expect(await ask('PATCH', 'test', { standby: '/etc/card.png' })).toMatchObject(refused);
    expect(await text()).toBe(before);
  });

  it('is marked, and judged at each connection: what leads elsewhere than before is not gone to', async () => {
    const urls = local('localhost');
    const films = join(dirname(file), 'films');
    await mkdir(films, { recursive: true });
    const card = join(films, 'card.png');
    await symlink('/etc/hostname', card);
    // As after a restart, when names have been pointed elsewhere.
    const marked = urls.map((url) => `{ url: "${url}", restricted: true }`).join(', ');
    const entries = `  sent: { source: testsrc, onDemand: false, forward: [${marked}] }
  filled: { source: testsrc, onDemand: false, fill: "${urls[0]}", restricted: [fill] }
  gone: { source: "rtsp://127.0.0.1:9/a", onDemand: false, standby: ${card}, standbyAfterSeconds: 0, restricted: [standby] }
`;
    await byHand((before) => before.replace('streams:\n', `streams:\n${entries}`));
    await eventually(async () => {
      const codes = (await forwards()).filter(({ stream }) => stream === 'sent').map(({ code }) => code);
      return codes.length === urls.length && codes.every((code) => code === 'SOURCE_FORBIDDEN');
    }, 60_000);
    await eventually(async () => (await seen('filled'))?.source?.fill?.code === 'SOURCE_FORBIDDEN', 30_000);
    await eventually(async () => (await seen('gone'))?.source?.standby?.code === 'SOURCE_FORBIDDEN', 30_000);
    expect((await seen('gone'))?.source?.code).toBe('RTSP_UNREACHABLE');
    await byHand((before) => before.replace(entries, ''));
    await eventually(async () => (await forwards()).length === 0, 30_000);
  });

  it('leaves what was written by hand beside it trusted', async () => {
    const [rtsp, rtmp] = local('127.0.0.1');
    const entry = `  mixed:\n    source: testsrc\n    onDemand: false\n    forward:\n      - ${rtsp} # by hand\n`;
    await byHand((before) => before.replace('streams:\n', `streams:\n${entry}`));
    await server.live('copies/rtsp');
    // Nobody is at this address, which is one for documentation (RFC 5737).
    const outer = 'rtsp://198.51.100.1/copy';
    expect(await ask('PATCH', 'mixed', { forward: [rtsp, outer] })).toMatchObject({
      status: 200,
      restricted: ['forward[1]'],
    });
    expect(await text()).toContain(
      `      - ${rtsp} # by hand\n      - url: ${outer}\n        restricted: true #`,
    );
    const state = async (url: string) => (await forwards()).find((one) => one.url === url)?.state;
    expect(await state(rtsp ?? '')).toBe('running');
    expect(await ask('PATCH', 'mixed', { forward: [rtsp, rtmp] })).toMatchObject({ status: 403 });
    // Whoever keeps the file may let the API lead anywhere.
    await byHand((before) => before.replace('folders: [films]', 'folders: [films], allowLocal: true'));
    await eventually(
      async () => (await ask('PATCH', 'mixed', { forward: [rtsp, rtmp] })).status === 200,
      30_000,
    );
    await server.live('copies/rtmp');
    await byHand((before) => before.replace(', allowLocal: true', ''));
    await eventually(
      async () => (await forwards()).find(({ url }) => url === rtmp)?.code === 'SOURCE_FORBIDDEN',
      30_000,
    );
    expect(await state(rtsp ?? '')).toBe('running');
    await ask('DELETE', 'mixed');
  });
});

describe('streams of a pattern', () => {
  it('come when somebody wants a name that fits, so many at a time, and go again', async () => {
    const port = new URL(server.rtsp).port;
    await byHand((before) =>
      before.replace(
        'streams:\n',
        `streams:\n  "~^copy-of-(.+)$": { source: "rtsp://127.0.0.1:${port}/$1", onDemandStartSeconds: 30, onDemandCloseSeconds: 1 }\n`,
      ),
    );
    await eventually(async () => (await ask('GET', encodeURIComponent('~^copy-of-(.+)$'))).status === 200);
    const flv = async (name: string, signal: AbortSignal) =>
      fetch(`${server.http}/${name}/live.flv`, { signal });
    const reading = new AbortController();
    const answer = await flv('copy-of-test', reading.signal);
    expect(answer.status).toBe(200);
    expect(await seen('copy-of-test')).toMatchObject({ source: { state: 'running' } });
    const full = await flv('copy-of-second', AbortSignal.timeout(10_000));
    expect(full.status).toBe(503);
    expect(await full.text()).toContain('sources.patternStreams');
    reading.abort();
    await answer.text().catch(() => {});
    await eventually(async () => (await seen('copy-of-test')) === undefined, 30_000);
    expect((await flv('copies-of-test', AbortSignal.timeout(10_000))).status).toBe(404);
  });

  it('are published elsewhere too, each at an address of its own, while somebody publishes them', async () => {
    const to = `rtsp://127.0.0.1:${new URL(server.rtsp).port}/copies/$1`;
    await byHand((before) => before.replace('streams:\n', `streams:\n  pub/*: { forward: ["${to}"] }\n`));
    await eventually(async () => (await ask('GET', encodeURIComponent('pub/*'))).status === 200);
    const clip = await barcodeClip({ seconds: 60 });
    const output = ['-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/pub/a`];
    const publisher = start('ffmpeg', ['-v', 'error', '-re', '-i', clip, '-c', 'copy', ...output], 60_000);
    try {
      await server.live('copies/a');
      expect((await seen('pub/a'))?.name).toBe('pub/a');
    } finally {
      await publisher.stop();
    }
    await eventually(
      async () => (await seen('pub/a')) === undefined && (await seen('copies/a')) === undefined,
    );
  });
});
