import { beforeAll, describe, expect, it } from 'vitest';
import { madeUpClip } from '../support/fault-camera/clip.ts';
import { FaultPublisher } from '../support/fault-camera/publisher.ts';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';
import { MseViewer, RtspViewer, type Viewer } from '../support/viewers.ts';

/** Publishes in real time with the real ffmpeg, until the end of the test or `kill -9`. */
function publish(clip: string, server: TestSluice, stream = 'live') {
  const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy'];
  return start('ffmpeg', [...input, '-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/${stream}`]);
}

async function view(server: TestSluice, stream = 'live') {
  const rtsp = await RtspViewer.open(`${server.rtsp}/${stream}`);
  const mse = await MseViewer.open(`${server.http.replace('http', 'ws')}/${stream}/mse`);
  await eventually(() => rtsp.pictures.length > 20 && mse.pictures.length > 20);
  return {
    rtsp,
    mse,
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all([rtsp, mse].map((v) => v[Symbol.asyncDispose]()))),
  };
}

/** Distances of the pictures in ticks: none may go back. */
function steps({ pictures }: Viewer): number[] {
  return pictures.slice(1).map((pts, index) => pts - pictures[index]!);
}

/** Waits until both got `more` pictures than they have now. */
async function goOn(viewers: readonly Viewer[], more = 30): Promise<void> {
  const counts = viewers.map(({ pictures }) => pictures.length);
  await eventually(
    () => viewers.every(({ pictures }, index) => pictures.length >= counts[index]! + more),
    20_000,
  );
}

const clips = { first: '', large: '', h265: '', silent: '' };

beforeAll(async () => {
  clips.first = await barcodeClip({ seconds: 10, gop: 25 });
  clips.large = await barcodeClip({ seconds: 10, gop: 25, bframes: 2 });
  clips.h265 = await barcodeClip({ seconds: 10, gop: 25, video: 'h265' });
  clips.silent = await barcodeClip({ seconds: 10, gop: 25, audio: 'none' });
});

describe('readers over RTSP and MSE', () => {
  it('stay when their publisher is killed with -9, and go on with the next one as far behind as the clock says', async () => {
    await using server = await sluice('demo: false');
    const first = publish(clips.first, server);
    await server.live('live');
    await using viewers = await view(server);
    first.child.kill('SIGKILL');
    await first.finished;
    const gone = performance.now();
    await eventually(async () => {
      const { state } = await server.get<{ state: string }>('/api/streams/live');
      return state === 'held';
    });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await using _second = publish(clips.large, server);
    await goOn([viewers.rtsp, viewers.mse]);
    const away = performance.now() - gone;
    for (const viewer of [viewers.rtsp, viewers.mse]) {
      expect(viewer.closed).toBe(false);
      const distances = steps(viewer);
      // With B-frames the order of sending is not that of showing: two pictures back at most.
      expect(Math.min(...distances)).toBeGreaterThan(-4 * 3600);
      const gap = Math.max(...distances) / 90;
      expect(gap).toBeGreaterThan(1500);
      expect(gap).toBeLessThan(away + 500);
    }
  });

  it('go on with a publisher that takes over while the first one still sends', async () => {
    await using server = await sluice('demo: false');
    const first = publish(clips.first, server);
    await server.live('live');
    await using viewers = await view(server);
    await using _second = publish(clips.silent, server);
    await first.finished;
    await goOn([viewers.rtsp, viewers.mse]);
    for (const viewer of [viewers.rtsp, viewers.mse]) {
      expect(viewer.closed).toBe(false);
      expect(Math.min(...steps(viewer))).toBeGreaterThan(0);
    }
    // The page is told that there is no sound any more.
    expect(viewers.mse.types.at(-1)).not.toContain('mp4a');
  });

  it('keep the first publisher where a second one is refused', async () => {
    await using server = await sluice('demo: false\npublisher: { takeover: false }');
    await using _first = publish(clips.first, server);
    await server.live('live');
    await using viewers = await view(server);
    const { code, stderr } = await publish(clips.silent, server).finished;
    expect(code).not.toBe(0);
    expect(stderr).toContain('Somebody is already publishing');
    await goOn([viewers.rtsp, viewers.mse]);
    expect(new Set(steps(viewers.rtsp))).toEqual(new Set([3600]));
  });

  it('learn of another codec: a page goes on with it, an RTSP reader is closed and gets it by connecting again', async () => {
    await using server = await sluice('demo: false');
    const first = publish(clips.first, server);
    await server.live('live');
    await using viewers = await view(server);
    await using _second = publish(clips.h265, server);
    await first.finished;
    await goOn([viewers.mse]);
    expect(viewers.mse.closed).toBe(false);
    expect(viewers.mse.types.at(-1)).toContain('hvc1');
    expect(Math.min(...steps(viewers.mse))).toBeGreaterThan(0);
    await eventually(() => viewers.rtsp.closed);
    await using again = await RtspViewer.open(`${server.rtsp}/live`);
    await goOn([again]);
  });

  it('stay with a publisher that is silent for 10 s and goes on', async () => {
    await using server = await sluice('demo: false');
    const pause = { atMs: 3000, forMs: 10_000 };
    await using _camera = await FaultPublisher.start({
      url: `${server.rtsp}/live`,
      camera: { clip: madeUpClip({ pictureSize: 2000, gop: 25 }), clocks: { pauses: [pause] } },
    });
    await server.live('live');
    await using viewers = await view(server);
    await goOn([viewers.rtsp, viewers.mse], 100);
    for (const viewer of [viewers.rtsp, viewers.mse]) {
      expect(viewer.closed).toBe(false);
      expect(Math.min(...steps(viewer))).toBeGreaterThan(0);
      expect(Math.max(...steps(viewer)) / 90_000).toBeCloseTo(10, 0);
    }
  });
});
