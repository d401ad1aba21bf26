import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinAnnexB } from '#codecs/nal.ts';
import type { TaskSpec } from '#link/messages.ts';
import { FakeHub, type PublishedUnit } from '../support/fake-hub.ts';
import { run } from '../support/process.ts';
import { sluice } from '../support/sluice.ts';
import { XScreen } from '../support/x-screen.ts';

/** A desktop is really taken, of an X server without a screen; cameras and microphones there are none here. */

let folder: string;
let screen: XScreen;
let hub: FakeHub;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-devices-'));
  screen = await XScreen.start(640, 360);
  hub = await FakeHub.start();
});
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
  await screen?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const spec = (device: Extract<TaskSpec, { kind: 'device-source' }>['device']): TaskSpec => ({
  kind: 'device-source',
  stream: 'device',
  device,
  address: device.kind,
});

/** The mean brightness of each picture. */
async function brightness(units: readonly PublishedUnit[]): Promise<number[]> {
  const file = join(folder, 'desktop.h264');
  await writeFile(file, Buffer.concat(units.map(({ payload }) => joinAnnexB(payload))));
  const filter = 'signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-';
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', file, '-vf', filter, '-f', 'null', '-']);
  return [...stdout.matchAll(/YAVG=([\d.]+)/g)].map(([, value]) => Number(value));
}

describe('a desktop', () => {
  it('is H.264 without delay, each picture with the time at which it was taken', async () => {
    await screen.fill(0x000000, 0, 0, 640, 360);
    const task = hub.task(spec({ kind: 'desktop', which: screen.display, fps: 25, sound: 'none' }));
    await hub.until(() => hub.units.length >= 15, 'fifteen pictures');
    const now = () => performance.timeOrigin + performance.now();
    const sent = now();
    await screen.fill(0xffffff, 0, 0, 640, 360);
    const drawn = now();
    await hub.until(() => hub.units.length >= 45, 'thirty more');
    hub.stop(task);
    await hub.state(task, 'done');
    const units = [...hub.units];
    expect(units[0]).toMatchObject({ keyframe: true, pts: 0, dts: 0 });
    const bright = (await brightness(units)).map((value) => value > 200);
    expect(bright[0]).toBe(false);
    const first = bright.indexOf(true);
    expect(bright.slice(first)).not.toContain(false);
    expect(units[first - 1]!.ntp).toBeLessThan(drawn + 20);
    // A busy machine takes it some time after it has looked at the clock.
    expect(units[first]!.ntp).toBeGreaterThan(sent - 400);
    for (const { pts, ntp } of units) expect(ntp - units[0]!.ntp).toBeCloseTo(pts / 90, 1);
  });

  it('is taken in part', async () => {
    await screen.fill(0x000000, 0, 0, 640, 360);
    await screen.fill(0xffffff, 100, 50, 160, 120);
    const before = hub.units.length;
    const region = { width: 160, height: 120, x: 100, y: 50 };
    const task = hub.task(spec({ kind: 'desktop', which: screen.display, region, sound: 'none' }));
    await hub.until(() => hub.units.length >= before + 5, 'five pictures');
    hub.stop(task);
    await hub.state(task, 'done');
    expect(Math.min(...(await brightness(hub.units.slice(before))))).toBeGreaterThan(230);
    expect(hub.publications.at(-1)!.tracks[0]!.format).toMatchObject({ width: 160, height: 120 });
  });

  it('that is not there, that lets nobody in or is too small for the part, is said in a sentence', async () => {
    const { display } = screen;
    const refused = async (device: Parameters<typeof spec>[0]) => {
      const id = hub.task(spec(device));
      const { code, reason } = await hub.state(id, 'failed');
      return `${code}: ${reason}`;
    };
    expect(await refused({ kind: 'desktop', which: '9999' })).toBe(
      'DEVICE_MISSING: There is no desktop ":9999": no X server listens there.',
    );
    const forbidden = hub.task({ ...spec({ kind: 'desktop', which: display }), forbidden: true } as TaskSpec);
    expect(await hub.state(forbidden, 'failed')).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    const region = { width: 640, height: 360, x: 100, y: 0 };
    expect(await refused({ kind: 'desktop', which: display, region })).toContain('does not lie within it');
    expect(await refused({ kind: 'camera', which: '7' })).toMatch(
      /^DEVICE_MISSING: There is no camera "7" on this machine\. (?:There are|Sluice sees none)/,
    );
    expect(await refused({ kind: 'camera', which: '/dev/video77' })).toContain('is not there (/dev/video77)');
    expect(await refused({ kind: 'microphone', which: 'the good one' })).toContain(
      'There is no microphone "the good one" on this machine.',
    );
  });
});

describe('a device in the configuration', () => {
  it('is a source as any other, and nothing that the API may name', async () => {
    await screen.fill(0x3366cc, 0, 0, 640, 360);
    await using server = await sluice(
      `demo: false\nstreams:\n  desk: { source: 'desktop${screen.display}?fps=10&audio=none' }\n`,
    );
    await server.live('desk');
    const args = ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/desk`, '-frames:v', '3'];
    expect(await run('ffmpeg', [...args, '-f', 'null', '-'])).toMatchObject({ code: 0, stderr: '' });
    const put = (path: string, body: object) =>
      fetch(`${server.http}/api/${path}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).then(async (answer) => ((await answer.json()) as { error?: { code: string } }).error?.code);
    expect(await put('config/streams/spy', { source: 'camera:0' })).toBe('SOURCE_FORBIDDEN');
    expect(await put('jobs/spy', { type: 'push', input: 'microphone:0', output: 'rtsp://192.0.2.1/x' })).toBe(
      'SOURCE_FORBIDDEN',
    );
  });
});
