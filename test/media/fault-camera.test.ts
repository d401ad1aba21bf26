import { describe, expect, test } from 'vitest';
import { describeRtsp } from '#sources/rtsp/describe.ts';
import { clipUnits } from '../support/clip-units.ts';
import { cameraClip, madeUpClip } from '../support/fault-camera/clip.ts';
import type { ServerFaults } from '../support/fault-camera/options.ts';
import { FaultPublisher } from '../support/fault-camera/publisher.ts';
import { FaultServer } from '../support/fault-camera/server.ts';
import { run } from '../support/process.ts';
import { published, startRtsp } from '../support/rtsp.ts';

/** The faulty camera over sockets, against our server and against ffmpeg. */

const clip = madeUpClip();

describe('the faulty camera as publisher', () => {
  test('publishes in real time and dies without a goodbye', async () => {
    await using server = await startRtsp();
    await using camera = await FaultPublisher.start({
      url: server.url('yard/gate-1'),
      camera: { clip, fate: { dieAtMs: 1000 } },
    });
    const stream = await published(server.hub, 'yard/gate-1');
    const ended = new Promise<string>((resolve) => stream.events.on('ended', resolve));
    await camera.closed;
    expect(stream.counters.units).toBeGreaterThan(60);
    expect(await ended).toContain('ECONNRESET');
  });
});

describe('the faulty camera as server', () => {
  const describeIt = async (server: ServerFaults, credentials = '') => {
    await using camera = await FaultServer.listen({ camera: { clip, server } });
    return await describeRtsp(camera.url(credentials), { timeoutMs: 1000 }).then(
      ({ medias }) => medias.map(({ kind }) => kind).join(),
      (error: { code?: string }) => error.code,
    );
  };

  test.each(['basic', 'digest-md5', 'digest-sha256'] as const)('asks for %s', async (scheme) => {
    const auth = { scheme, user: 'ann', password: 'p@ss:word' };
    expect(await describeIt({ auth })).toBe('RTSP_UNAUTHORIZED');
    expect(await describeIt({ auth }, 'ann:p%40ss%3Aword')).toBe('video,audio');
  });

  test('hangs, refuses and resets', async () => {
    expect(await describeIt({ hangAt: 'connect' })).toBe('RTSP_TIMEOUT');
    expect(await describeIt({ refuse: { DESCRIBE: 404 } })).toBe('RTSP_NOT_FOUND');
    expect(await describeIt({ resetAt: 'DESCRIBE' })).toBeTypeOf('string');
    expect(await describeIt({ sdp: 'no-media' })).toBe('');
  });

  test('plays real media to ffmpeg', async () => {
    const units = await clipUnits({ seconds: 4, audio: 'aac', bframes: 2 });
    await using camera = await FaultServer.listen({ camera: { clip: cameraClip(units) } });
    const input = ['-rtsp_transport', 'tcp', '-i', camera.url()];
    const { stdout, code, stderr } = await run(
      'ffmpeg',
      ['-v', 'error', ...input, '-t', '2', '-c', 'copy', '-f', 'framecrc', '-'],
      30_000,
    );
    expect(code, stderr).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('0,')).length).toBeGreaterThan(40);
  });
});
