import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { RtmpSource } from '#sources/rtmp/source.ts';
import { selfSigned } from '../support/certificate.ts';
import { barcodeClip } from '../support/media.ts';
import { type RunningProgram, run } from '../support/process.ts';
import { expectGrowing, freePort, publishRtmp, watch } from '../support/rtmp-media.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** RTMP as a client that plays, from ffmpeg as the server and from our own. */

let clip: string;
beforeAll(async () => {
  clip = await barcodeClip({ seconds: 8, gop: 25, bframes: 2 });
});

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
    const first = publishRtmp(clip, url, true);
    await server.live('yard');
    const reading = run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-read_intervals', '%+14'],
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
    await using _second = publishRtmp(clip, url, true);
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
      publisher = publishRtmp(clip, `${origin.server.addresses.rtmp}/cam`);
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
