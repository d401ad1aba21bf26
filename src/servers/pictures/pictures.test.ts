import { describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { Reader } from '#hub/reader.ts';
import type { JpegPicture } from '#media/jpeg-picture.ts';
import { VirtualClock } from '#util/clock.ts';
import { h264Track, picture } from '../../../test/support/fmp4-units.ts';
import type { PicturesStarter, PicturesWish } from './contract.ts';
import { MultipartWriter, pictureUnit } from './multipart.ts';
import { Snapshots } from './snapshots.ts';
import { wantedFps, wantedWidth } from './wish.ts';

type Told = Parameters<PicturesStarter>[1];

/** A maker of pictures that does what the test says. */
function maker() {
  const started: { wish: PicturesWish; on: Told; stopped: boolean }[] = [];
  const start: PicturesStarter = (wish, on) => {
    const one = { wish, on, stopped: false };
    started.push(one);
    return () => {
      one.stopped = true;
    };
  };
  return { started, start };
}

function jpegOf(pts: number): JpegPicture {
  return {
    jpeg: Buffer.from(`ffd8${pts}ffd9`),
    pts,
    ntp: 1_700_000_000_000 + pts / 90,
    width: 64,
    height: 36,
  };
}

function liveStream() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const publication = hub.publish('cam', { id: 'p', door: 'test', remote: '' }, [h264Track], {
    onClose() {},
  });
  publication.write(picture(90_000, { keyframe: true }));
  return { clock, hub, publication, stream: publication.stream };
}

describe('snapshots', () => {
  it('are made once per keyframe and width, however many ask', async () => {
    const { clock, publication, stream } = liveStream();
    const { started, start } = maker();
    const snapshots = new Snapshots(start, clock);
    const asked = Array.from({ length: 100 }, () => snapshots.get(stream, undefined));
    expect(started.map(({ wish }) => wish)).toEqual([{ stream: 'cam' }]);
    started[0]!.on.picture(jpegOf(90_000));
    const [first, ...others] = await Promise.all(asked);
    expect(others.every((one) => one === first)).toBe(true);
    expect(started[0]!.stopped).toBe(true);

    expect(await snapshots.get(stream, undefined)).toBe(first);
    expect(started).toHaveLength(1);
    const narrow = snapshots.get(stream, 64);
    started[1]!.on.picture(jpegOf(90_000));
    await narrow;

    publication.write(picture(180_000, { keyframe: true }));
    const next = snapshots.get(stream, undefined);
    started[2]!.on.picture(jpegOf(180_000));
    expect((await next).pts).toBe(180_000);
    expect(started).toHaveLength(3);
    expect(clock.pending).toBe(0);
  });

  it('wait through a worker that is lost, and say why when it takes too long', async () => {
    const { clock, stream } = liveStream();
    const { started, start } = maker();
    const snapshot = new Snapshots(start, clock).get(stream, undefined);
    started[0]!.on.trouble('The worker was killed.', { code: 'WORKER_LOST', retried: true });
    clock.advance(15_000);
    await expect(snapshot).rejects.toMatchObject({
      code: 'PICTURES_FAILED',
      status: 503,
      message: expect.stringContaining('The worker was killed.'),
    });
    expect(started[0]!.stopped).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('are refused at once where the video cannot be decoded, and when the stream or the server ends', async () => {
    const { clock, hub, stream } = liveStream();
    const { started, start } = maker();
    const snapshots = new Snapshots(start, clock);
    const undecodable = snapshots.get(stream, undefined);
    started[0]!.on.trouble('The video is av1.', { code: 'PICTURES_UNAVAILABLE', retried: true });
    await expect(undecodable).rejects.toMatchObject({ code: 'PICTURES_UNAVAILABLE', status: 415 });
    const closed = snapshots.get(stream, undefined);
    snapshots.close('the server stops.');
    await expect(closed).rejects.toMatchObject({ code: 'PICTURES_FAILED' });
    const ended = snapshots.get(stream, undefined);
    hub.close('over');
    await expect(ended).rejects.toMatchObject({ code: 'PICTURES_FAILED' });
    expect(started.every(({ stopped }) => stopped)).toBe(true);
  });
});

describe('moving JPEG', () => {
  it('gives every viewer the same bytes, and one that is slow the latest picture and none before it', () => {
    const { clock, stream } = liveStream();
    let ended = false;
    const feed = stream.feed('mjpeg:full:5', [], () => new MultipartWriter(() => (ended = true)));
    const viewer = () => {
      const state = { got: [] as Buffer[], backlog: 0, drain: () => {} };
      const reader: Reader = new Reader({
        ...{ id: 'v', door: 'mjpeg', remote: '', clock },
        limits: { queueMs: 0, queueBytes: 8 << 20, stallMs: 10_000 },
        transport: {
          write: (bytes) => void state.got.push(bytes),
          get backlog() {
            return state.backlog;
          },
          onDrain: (callback) => {
            state.drain = callback;
          },
          close() {},
        },
        onClose: () => feed.detach(reader),
      });
      feed.attach(reader);
      return { state, reader };
    };
    const quick = viewer();
    const slow = viewer();
    slow.state.backlog = 300 << 10;
    for (let n = 1; n <= 5; n++) {
      feed.write(pictureUnit(jpegOf(n * 18_000)));
      clock.advance(200);
    }
    slow.state.backlog = 0;
    slow.state.drain();
    expect(quick.state.got).toHaveLength(6);
    expect(slow.state.got).toHaveLength(2);
    expect(slow.state.got[1]).toBe(quick.state.got[5]);
    expect(slow.reader.counters.droppedVideo).toBe(4);
    const [start, part] = quick.state.got.map(String);
    expect(`${start}${part}`).toBe(
      '--sluice-picture\r\nContent-Type: image/jpeg\r\nContent-Length: 13\r\nX-Timestamp: 1700000000.200000\r\n' +
        'X-Pts: 18000\r\n\r\nffd818000ffd9\r\n--sluice-picture\r\n',
    );
    quick.reader.close('gone');
    expect(ended).toBe(false);
    slow.reader.close('gone');
    expect(ended).toBe(true);
  });

  it('comes in few widths and rates', () => {
    const query = (text: string) => new URLSearchParams(text);
    expect([wantedWidth(query('')), wantedWidth(query('width=640'))]).toEqual([undefined, 640]);
    for (const text of ['width=63', 'width=641', 'width=', 'width=0640', 'width=1e3']) {
      expect(() => wantedWidth(query(text))).toThrow('"width" must be one of 64, 128');
    }
    expect([wantedFps(query('')), wantedFps(query('fps=1')), wantedFps(query('fps=10'))]).toEqual([5, 1, 10]);
    for (const text of ['fps=0', 'fps=11', 'fps=2.5', 'fps=', 'fps=x']) {
      expect(() => wantedFps(query(text))).toThrow('"fps" must be a whole number from 1 to 10');
    }
  });
});
