import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer, type SluiceServer } from '../../src/app/server.ts';
import { parseConfig } from '../../src/config/load.ts';
import { barcodeClip } from '../support/media.ts';
import { probeFile } from '../support/probed-file.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** Jobs of one server that pushes to, and pulls from, another one. */

interface Part {
  readonly url: string;
  readonly state: string;
  readonly reason?: string;
  readonly bytesSent?: number;
}
interface JobView {
  readonly name: string;
  readonly state: string;
  readonly reason?: string;
  readonly code?: string;
  readonly since: string;
  readonly restricted: readonly string[];
  readonly settings: Record<string, unknown>;
  readonly inputs: readonly Part[];
  readonly outputs: readonly Part[];
  readonly progress: { readonly timeMs: number; readonly durationMs?: number; readonly speed: number };
  readonly log: readonly { readonly level: string; readonly message: string }[];
}

let clip: string;
let folder: string;
let target: TestSluice;
let server: TestSluice;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-jobs-'));
  clip = await barcodeClip({ seconds: 2, gop: 25 });
  target = await sluice('demo: false\n');
  // What the API adds may lead to this machine here; that it else may not is a test of its own.
  server = await sluice(
    `demo: false\nsources: { allowLocal: true }\nstreams:\n  film: { source: ${JSON.stringify(clip)}, onDemand: false }\njobs:\n  # By hand.\n  mine:   { type: push, input: testsrc, output: 'stream:mine', enabled: false }\n`,
  );
  await server.live('film');
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function ask(method: string, path: string, body?: object, at = server.http) {
  const answer = await fetch(`${at}/api/jobs/${path}`, {
    method,
    ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
  });
  const json = (await answer.json().catch(() => ({}))) as JobView & {
    error?: { code: string; message: string };
  };
  return { status: answer.status, ...json };
}

const job = (name: string) => server.get<JobView>(`/api/jobs/${name}`);
const inState = (name: string, state: string) =>
  eventually(async () => {
    const found = await job(name);
    return found.state === state ? found : undefined;
  });

interface Seen {
  readonly name: string;
  readonly state: string;
  readonly tracks: readonly { readonly kind: string; readonly codec: string; readonly width?: number }[];
}
const seen = async (at: TestSluice, name: string) =>
  (await at.get<{ streams: readonly Seen[] }>('/api/streams')).streams.find((one) => one.name === name);
const codecs = (at: TestSluice, name: string) =>
  eventually(async () => {
    const found = await seen(at, name);
    return found?.state === 'live' ? found.tracks.map(({ codec }) => codec).sort() : undefined;
  });

describe('a job', () => {
  it('pushes a file in a loop to another server, and goes on past its end', async () => {
    const made = await ask('PUT', 'lobby', {
      type: 'push',
      input: clip,
      loop: true,
      output: `${target.rtsp}/lobby`,
    });
    expect(made.status).toBe(201);
    expect(await codecs(target, 'lobby')).toEqual(['aac', 'h264']);
    const { progress } = await eventually(async () => {
      const now = await job('lobby');
      return now.progress.timeMs > 3000 ? now : undefined;
    });
    expect(progress).not.toHaveProperty('durationMs');
    expect(await job('lobby')).toMatchObject({
      state: 'running',
      inputs: [{ url: clip, state: 'running' }],
      outputs: [{ url: `${target.rtsp}/lobby`, state: 'running' }],
    });
    const metrics = await (await fetch(`${server.http}/metrics`)).text();
    expect(metrics).toContain('sluice_job_running{job="lobby",type="push"} 1');
    expect(metrics).toMatch(/sluice_job_bytes_sent_total\{job="lobby",type="push"\} [1-9]/);
    expect((await ask('DELETE', 'lobby')).status).toBe(204);
    await eventually(async () => (await seen(target, 'lobby')) === undefined);
    expect((await ask('GET', 'lobby')).error?.code).toBe('JOB_UNKNOWN');
  });

  it('is stopped when its file is at its end, and says how long that is', async () => {
    await ask('PUT', 'once', { type: 'push', input: clip, output: `${target.rtsp}/once`, noAudio: true });
    const { progress } = await inState('once', 'running');
    expect(progress.durationMs).toBeGreaterThan(1900);
    expect(await codecs(target, 'once')).toEqual(['h264']);
    const over = await inState('once', 'stopped');
    expect(over.reason).toBe('The input has ended.');
    // At least from the last keyframe on, however long the connection took.
    expect(over.progress.timeMs).toBeGreaterThan(900);
    expect((await ask('POST', 'once/start')).status).toBe(200);
    await inState('once', 'running');
    await ask('DELETE', 'once');
  });

  it('relays to an output that lives while another one is dead, and says which', async () => {
    await ask('PUT', 'relay', {
      type: 'relay',
      input: 'stream:film',
      outputs: ['rtsp://127.0.0.1:1/dead', `${target.rtsp}/alive`],
    });
    expect(await codecs(target, 'alive')).toEqual(['aac', 'h264']);
    const { reason, code, outputs } = await inState('relay', 'running');
    expect(reason).toMatch(
      /^1 of 2 outputs does not take it: rtsp:\/\/127\.0\.0\.1:1\/dead cannot be reached/,
    );
    expect(code).toBe('RTSP_UNREACHABLE');
    const [, alive] = outputs;
    await eventually(async () => ((await job('relay')).outputs[1]?.bytesSent ?? 0) > (alive?.bytesSent ?? 0));
    await ask('DELETE', 'relay');
  });

  it('splits a stream over another server and merges it again under another name', async () => {
    await ask('PUT', 'apart', {
      type: 'split',
      input: 'stream:film',
      video: `${target.rtsp}/picture`,
      audio: `${target.rtsp}/sound`,
    });
    await ask('PUT', 'together', {
      type: 'merge',
      video: `${target.rtsp}/picture`,
      audio: `${target.rtsp}/sound`,
      output: 'stream:again',
    });
    expect(await codecs(server, 'again')).toEqual(['aac', 'h264']);
    expect(await codecs(target, 'picture')).toEqual(['h264']);
    expect(await codecs(target, 'sound')).toEqual(['aac']);
    await inState('together', 'running');
    await ask('DELETE', 'together');
    await ask('DELETE', 'apart');
    await eventually(async () => (await seen(server, 'again')) === undefined);
  });

  it('makes the picture H.264 in another size and the sound AAC in another rate', async () => {
    await ask('PUT', 'small', {
      type: 'transcode',
      input: 'stream:film',
      output: `${target.rtsp}/small`,
      ...{ video: 'h264', audio: 'aac', scale: '320x', bitrate: '300k', sampleRate: 44_100 },
    });
    expect(await codecs(target, 'small')).toEqual(['aac', 'h264']);
    const { tracks } = (await seen(target, 'small'))!;
    expect(tracks).toContainEqual(expect.objectContaining({ kind: 'video', width: 320, height: 180 }));
    expect(tracks).toContainEqual(expect.objectContaining({ kind: 'audio', sampleRate: 44_100 }));
    await ask('DELETE', 'small');
  });

  it('records a stream into a file that is whole when it is stopped', async () => {
    const path = join(folder, 'film.mkv');
    await ask('PUT', 'record', { type: 'push', input: 'stream:film', output: path });
    await eventually(async () => (await job('record')).progress.timeMs > 1500);
    await ask('POST', 'record/stop');
    const { video, audio, pictures, stderr } = await eventually(() => probeFile(path));
    expect([video?.codec, audio?.codec, stderr]).toEqual(['h264', 'aac', '']);
    expect(pictures.length).toBeGreaterThan(10);
    await ask('DELETE', 'record');
  });

  it('makes a film another file at once, and does not write over it when it is begun again', async () => {
    const path = join(folder, 'film.mp4');
    await ask('PUT', 'file', { type: 'push', input: clip, output: path });
    expect((await inState('file', 'stopped')).reason).toBe('The input has ended.');
    const { video, audio, pictures, stderr } = await probeFile(path);
    expect([video?.codec, audio?.codec, stderr]).toEqual(['h264', 'aac', '']);
    expect(pictures).toHaveLength(50);
    await ask('POST', 'file/start');
    expect(await inState('file', 'failed')).toMatchObject({
      code: 'FILE_EXISTS',
      reason: expect.stringContaining('film.mp4'),
    });
    await ask('DELETE', 'file');
  });

  it('goes on beside a file for which there is no room left', async () => {
    const full = join(folder, 'full.mp4');
    await symlink('/dev/full', full);
    const outputs = [{ url: full, existing: 'overwrite' }, 'stream:beside'];
    await ask('PUT', 'full', { type: 'relay', input: 'stream:film', outputs });
    const { reason } = await eventually(async () => {
      const now = await job('full');
      return now.code === 'FILE_DISK_FULL' && now.state === 'running' ? now : undefined;
    });
    expect(reason).toContain('There is no room left for');
    expect(await codecs(server, 'beside')).toEqual(['aac', 'h264']);
    await ask('DELETE', 'full');
  });

  it('says in a sentence why an output, or an input, refuses', async () => {
    await ask('PUT', 'refused', { type: 'push', input: 'stream:film', output: `${target.rtsp}/jobs/x` });
    const refused = await inState('refused', 'waiting');
    expect(refused.reason).toContain('only jobs of this server publish');
    await ask('PATCH', 'refused', { output: join(folder, 'refused.webm') });
    const unfit = await inState('refused', 'failed');
    expect(unfit).toMatchObject({
      code: 'CODEC_UNSUPPORTED',
      reason: expect.stringContaining('WebM cannot carry H.264; it can carry VP9'),
    });
    await ask('PATCH', 'refused', { input: '/nowhere/film.mp4', output: `${target.rtsp}/x` });
    const missing = await inState('refused', 'waiting');
    expect(missing).toMatchObject({
      code: 'INPUT_MISSING',
      reason: expect.stringContaining('/nowhere/film.mp4'),
    });
    expect(missing.log.at(-1)).toMatchObject({ level: 'warn' });
    await ask('DELETE', 'refused');
  });
});

describe('jobs over the API', () => {
  it('are refused with the key and the rule where something is wrong with them', async () => {
    const refusals = [
      ['x', { type: 'push', input: clip, output: 'rtsp://a/b', lop: true }, 'did you mean "loop"'],
      ['x', { type: 'psh', input: clip, output: 'rtsp://a/b' }, 'must be one of push, split'],
      ['x', { type: 'push', input: 'ftp://a/b', output: 'rtsp://a/b' }, 'must be the path of a video file'],
      ['x', { type: 'push', input: 'stream:a', output: 'stream:a' }, 'that this job publishes itself'],
      ['x', { type: 'push', input: 'stream:a', output: 'stream:jobs/b' }, 'only jobs of this server publish'],
      ['.x', { type: 'push', input: clip, output: 'rtsp://a/b' }, 'is no name of a job'],
    ] as const;
    for (const [name, body, rule] of refusals) {
      const { status, error } = await ask('PUT', name, body);
      expect([status, error?.message], rule).toEqual([400, expect.stringContaining(rule)]);
    }
    expect((await ask('PATCH', 'x', { loop: true })).error?.code).toBe('JOB_UNKNOWN');
    const unfit = { type: 'transcode', input: clip, output: 'rtmp://a/b/c', video: 'mpeg4' };
    expect(await ask('PUT', 'x', unfit)).toMatchObject({
      status: 415,
      error: { code: 'CODEC_UNSUPPORTED', message: expect.stringContaining('RTMP cannot carry MPEG-4') },
    });
  });

  it('keep what stands in the file byte for byte, and a secret that was shown as ***', async () => {
    const { file } = (await server.health()).configuration;
    const before = await readFile(file, 'utf8');
    const secret = { type: 'push', input: 'stream:film', output: 'rtsp://me:secret@127.0.0.1:1/x' };
    expect((await ask('PUT', 'kept', secret)).settings['output']).toMatchObject({
      url: 'rtsp://***@127.0.0.1:1/x',
    });
    await ask('PATCH', 'kept', { output: 'rtsp://***@127.0.0.1:1/y' });
    const text = await readFile(file, 'utf8');
    expect(text.startsWith(before)).toBe(true);
    expect(text).toContain('url: rtsp://me:secret@127.0.0.1:1/y');
    expect(text).toContain('restricted: true # the address came over the API');
    await ask('DELETE', 'kept');
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('are there again after a restart of the server, and one that was stopped stays so', async () => {
    const file = join(folder, 'sluice.yml');
    const text =
      'http: { port: 0 }\nrtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n# Mine.\ndemo: false\nsources: { allowLocal: true }\n';
    await writeFile(file, text);
    const begin = async () =>
      createServer(parseConfig(await readFile(file, 'utf8'), file), {
        log: pino({ level: 'silent' }),
        source: { file },
      });
    const running: SluiceServer[] = [await begin()];
    try {
      const at = () => running.at(-1)!.addresses.http;
      const push = (name: string) => ({ type: 'push', input: 'testsrc', output: `${target.rtsp}/${name}` });
      await ask('PUT', 'goes-on', push('goes-on'), at());
      await ask('PUT', 'stays', push('stays'), at());
      await target.live('goes-on');
      const stopped = await ask('POST', 'stays/stop', undefined, at());
      expect(stopped).toMatchObject({ state: 'stopped', settings: { enabled: false } });
      const began = performance.now();
      await running[0]!.close();
      expect(performance.now() - began).toBeLessThan(5000);
      // It was told that it is over, and waits for nobody.
      await eventually(async () => (await seen(target, 'goes-on')) === undefined);
      expect((await readFile(file, 'utf8')).startsWith(text)).toBe(true);
      running.push(await begin());
      await target.live('goes-on');
      expect(await ask('GET', 'stays', undefined, at())).toMatchObject({
        state: 'stopped',
        reason: expect.stringContaining('enabled: false'),
      });
      await ask('POST', 'stays/start', undefined, at());
      await target.live('stays');
    } finally {
      await running.at(-1)!.close();
    }
  });
});

describe('what jobs may do that came over the API', () => {
  const FILE = `demo: false
users:
  - { name: root, password: secret, permissions: [{ actions: [manage, read, publish] }] }
  - { name: ann, password: secret, permissions: [{ actions: [manage], streams: jobs/** }, { actions: [read], streams: film }] }
jobs:
  mine: { type: push, input: "stream:film", output: "rtsp://127.0.0.1:1/mine", enabled: false }
`;
  let guarded: TestSluice;
  beforeAll(async () => {
    guarded = await sluice(FILE);
  });
  afterAll(() => guarded?.[Symbol.asyncDispose]());

  async function as(user: string, method: string, path: string, body?: object) {
    const answer = await fetch(`${guarded.http}/api/jobs/${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${user}:secret`).toString('base64')}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const json = (await answer.json().catch(() => ({}))) as JobView & { error?: { code: string } };
    return { status: answer.status, code: json.error?.code, restricted: json.restricted };
  }

  it('leads neither to this machine nor into files, on either side', async () => {
    const push = (input: string, output: string) => ({ type: 'push', input, output, enabled: false });
    const forbidden = [
      [push('rtsp://127.0.0.1/a', 'rtsp://192.0.2.1/a'), 'SOURCE_FORBIDDEN'],
      [push('/etc/passwd', 'rtsp://192.0.2.1/a'), 'SOURCE_FORBIDDEN'],
      [push('testsrc', 'rtmp://localhost/a/b'), 'SOURCE_FORBIDDEN'],
      [push('testsrc', '/tmp/out.mp4'), 'SOURCE_FORBIDDEN'],
    ] as const;
    for (const [body, code] of forbidden) {
      expect(await as('root', 'PUT', 'x', body), JSON.stringify(body)).toMatchObject({ status: 403, code });
    }
    const marked = await as('root', 'PUT', 'x', push('testsrc', 'rtsp://192.0.2.1/a'));
    expect(marked).toMatchObject({ status: 201, restricted: ['output'] });
    // What was written by hand stays trusted for as long as it is the same.
    expect(await as('root', 'PATCH', 'mine', { loop: true })).toMatchObject({ status: 200, restricted: [] });
  });

  it('reads and publishes no stream that whoever asks may not', async () => {
    const push = (input: string, output: string) => ({ type: 'push', input, output, enabled: false });
    expect(await as('ann', 'PUT', 'a', push('stream:film', 'rtsp://192.0.2.1/a'))).toMatchObject({
      status: 201,
    });
    expect(await as('ann', 'PUT', 'b', push('stream:vault', 'rtsp://192.0.2.1/a'))).toMatchObject({
      status: 403,
      code: 'ACCESS_FORBIDDEN',
    });
    expect(await as('ann', 'PUT', 'b', push('stream:film', 'stream:front'))).toMatchObject({ status: 403 });
    expect(await as('nobody', 'GET', '')).toMatchObject({ status: 401 });
  });
});
