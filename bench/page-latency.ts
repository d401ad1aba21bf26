import type { Page } from 'playwright-core';
import { TestBrowser } from '../test/support/browser.ts';
import { clipUnits } from '../test/support/clip-units.ts';
import { cameraClip } from '../test/support/fault-camera/clip.ts';
import { FaultPublisher } from '../test/support/fault-camera/publisher.ts';
import { percentiles } from './percentiles.ts';
import { sleep, startServer, until } from './server.ts';

const PICTURE_MS = 40;
const CLIP_SECONDS = 60;
/** A player of LL-HLS takes a while to find its place. */
const SETTLE_MS = 12_000;
/** Starts of each way. */
const STARTS = 5;

export interface PageFigures {
  readonly via: string;
  /** From the camera's stamp of a picture to the page having drawn it, ms. */
  readonly latency: { readonly p50: number; readonly p95: number };
  /** Of `latency`, how many pictures. */
  readonly pictures: number;
  /** From the click on the stream to its first picture, ms, sorted. */
  readonly firstPicture: readonly number[];
}

/**
 * How old pictures are on the page, at the live edge, and how soon the first one is there, by each way of the page. The
 * camera sends a clip whose pictures carry their number as a barcode, with sound, picture n at 40 n ms; the page reads the
 * number from its canvas.
 */
export async function measurePage(seconds: number): Promise<PageFigures[]> {
  await using server = await startServer('demo: false');
  const clip = cameraClip(await clipUnits({ seconds: CLIP_SECONDS, gop: 25 }));
  const startedAt = performance.timeOrigin + performance.now();
  await using _camera = await FaultPublisher.start({
    url: `${server.rtsp}/camera`,
    camera: { clip, startedAt },
  });
  await until(async () => (await fetch(`${server.http}/api/streams/camera`)).ok);
  await using browser = await TestBrowser.launch();
  const figures: PageFigures[] = [];
  for (const via of ['webrtc', 'mse', 'hls']) {
    const page = await browser.open(`${server.http}/?stream=camera&mode=live&via=${via}`, {
      viewport: { width: 900, height: 700 },
      probes: ['frames'],
    });
    await page.waitForFunction('frameProbe.frames.length > 50', undefined, { timeout: 30_000 });
    await sleep(SETTLE_MS);
    await page.evaluate('frameProbe.reset()');
    await sleep(seconds * 1000);
    const ages = await page.evaluate<number[]>(`frameProbe.frames.filter(({ picture }) => picture >= 0).map(
      ({ at, picture }) => (performance.timeOrigin + at - ${startedAt} - picture * ${PICTURE_MS}) % ${CLIP_SECONDS * 1000})`);
    await page.context().close();
    const firstPicture: number[] = [];
    for (let n = 0; n < STARTS; n++) firstPicture.push(await start(browser, server.http, via));
    figures.push({
      via,
      latency: percentiles(ages),
      pictures: ages.length,
      firstPicture: firstPicture.toSorted((a, b) => a - b),
    });
  }
  return figures;
}

/** From the click on a stream, on a page that is loaded and shows another one that is not there, to its first picture. */
async function start(browser: TestBrowser, http: string, via: string): Promise<number> {
  const page: Page = await browser.open(`${http}/?stream=nothing&mode=live&via=${via}`, {
    viewport: { width: 900, height: 700 },
    probes: ['frames'],
  });
  await page.getByTestId('stream-camera').waitFor();
  await sleep(1000);
  const took = await page.evaluate<number>(`(async () => {
    const begun = performance.now();
    document.querySelector('[data-testid=stream-camera]').click();
    while (frameProbe.frames.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    return frameProbe.frames[0].at - begun;
  })()`);
  await page.context().close();
  return took;
}
