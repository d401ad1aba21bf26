import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { pcmaFormat } from '../../src/codecs/g711.ts';
import { Hub } from '../../src/hub/hub.ts';
import type { RenditionStarter } from '../../src/hub/rendition.ts';
import type { Publication } from '../../src/hub/stream.ts';
import { FIRST_MADE_ID } from '../../src/hub/track-table.ts';
import type { AccessUnit } from '../../src/media/access-unit.ts';
import type { Track } from '../../src/media/track.ts';
import { MseServer } from '../../src/servers/mse/server.ts';
import { type Clock, systemClock, VirtualClock } from '../../src/util/clock.ts';
import { readInit, readSamples } from '../support/fmp4-reader.ts';
import { aacTrack, h264Track, ntpOfZero, picture, pps, sound, sps } from '../support/fmp4-units.ts';

type Json = Record<string, unknown> & { type: string };

/** A page: what it got, and a way to wait for more. */
class Page {
  readonly socket: WebSocket;
  readonly messages: (Json | Buffer)[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: () => void = () => {};

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.on('message', (data: Buffer, binary) => {
      this.messages.push(binary ? data : (JSON.parse(String(data)) as Json));
      this.#wake();
    });
    // A refused handshake is an error first; `close` follows it.
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  get texts(): Json[] {
    return this.messages.filter((message): message is Json => !Buffer.isBuffer(message));
  }

  get binaries(): Buffer[] {
    return this.messages.filter((message) => Buffer.isBuffer(message));
  }

  get fragments(): Buffer[] {
    return this.binaries.filter((bytes) => bytes.toString('latin1', 4, 8) === 'moof');
  }

  samples(trackId = 1) {
    return this.fragments
      .flatMap((bytes) => readSamples(bytes))
      .filter((sample) => sample.trackId === trackId);
  }

  async until(condition: (page: Page) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits for the first text message of a type. */
  async text(type: string, from = 0): Promise<Json> {
    const found = () => this.texts.slice(from).find((message) => message.type === type);
    await this.until(() => found() !== undefined);
    return found()!;
  }

  say(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }
}

let hub: Hub;
let mse: MseServer;
let http: Server;
let base: string;
const pages: Page[] = [];

async function start(options: ConstructorParameters<typeof Hub>[0] = {}): Promise<void> {
  hub = new Hub(options);
  mse = new MseServer({ hub });
  http = createServer();
  http.on('upgrade', (request, socket, head) =>
    mse.handleUpgrade(request, socket, head, request.url!.replace(/\/mse$/, '')),
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  base = `127.0.0.1:${(http.address() as AddressInfo).port}`;
}

beforeEach(() => start());
afterEach(async () => {
  for (const page of pages.splice(0)) page.socket.terminate();
  hub.close('The test is over.');
  mse.close();
  http.close();
  await once(http, 'close');
});

function open(stream: string, headers?: Record<string, string>): Page {
  const page = new Page(`ws://${base}/${stream}/mse`, headers);
  pages.push(page);
  return page;
}

function publish(stream: string, tracks: readonly Track[]): Publication {
  return hub.publish(stream, { id: 'p', door: 'test', remote: 'here' }, tracks, { onClose() {} });
}

/** Writes pictures of 25 fps with a keyframe every `gop`. */
function writePictures(publication: Publication, from: number, count: number, gop = 10, size = 100): void {
  for (let n = from; n < from + count; n++) {
    publication.write(picture(n * 3600, { keyframe: n % gop === 0, size }));
  }
}

describe('the MSE door', () => {
  test('gives a new page the description, the init segment and the pictures since the last keyframe', async () => {
    const publication = publish('yard/gate-1', [h264Track]);
    writePictures(publication, 0, 15);
    const page = open('yard/gate-1');
    await page.until(({ fragments }) => fragments.length >= 5);
    expect(page.texts[0]).toMatchObject({
      type: 'stream',
      stream: 'yard/gate-1',
      mime: 'video/mp4; codecs="avc1.42c01e"',
      timescale: 90_000,
      unsupported: [],
    });
    expect(Buffer.isBuffer(page.messages[1])).toBe(true);
    expect(readInit(page.binaries[0]!)[0]).toMatchObject({ entry: 'avc1', timescale: 90_000 });
    expect(page.samples().map(({ pts, sync }) => [pts, sync])).toEqual(
      [10, 11, 12, 13, 14].map((n) => [n * 3600, n === 10]),
    );
    writePictures(publication, 15, 1);
    await page.until(({ fragments }) => fragments.length >= 6);
    expect(page.samples().at(-1)?.pts).toBe(15 * 3600);
  });

  test('makes the bytes once for two pages, which show as two readers of one feed', async () => {
    const publication = publish('live', [h264Track]);
    writePictures(publication, 0, 3);
    const first = open('live');
    const second = open('live');
    await Promise.all([first, second].map((page) => page.until(({ fragments }) => fragments.length >= 3)));
    writePictures(publication, 3, 2);
    await Promise.all([first, second].map((page) => page.until(({ fragments }) => fragments.length >= 5)));
    expect(first.binaries.map((bytes) => bytes.toString('hex'))).toEqual(
      second.binaries.map((bytes) => bytes.toString('hex')),
    );
    const feeds = hub.get('live')!.feeds;
    expect(feeds.length).toBe(1);
    expect([...feeds[0]!.readers].map(({ door }) => door)).toEqual(['mse', 'mse']);
    first.socket.close();
    second.socket.close();
    await Promise.all([first.closed, second.closed]);
    await expect.poll(() => hub.get('live')!.feeds.length).toBe(0);
  });

  test('puts sound beside the picture by the capture clocks, whatever the timestamps are', async () => {
    const publication = publish('live', [h264Track, aacTrack]);
    const page = open('live');
    await page.text('waiting');
    // Sound whose clock began elsewhere: frame n was captured n * 1024 / 48 ms after the first picture.
    for (let n = 0; n < 20; n++) {
      publication.write(picture(n * 3600, { keyframe: n === 0 }));
      for (const m of [2 * n, 2 * n + 1]) {
        publication.write(sound(777_000 + m * 1024, { ntp: ntpOfZero + (m * 1024) / 48 }));
      }
    }
    await page.until((it) => it.samples(2).length >= 40);
    expect(page.samples(2).map(({ dts }) => dts)).toEqual(Array.from({ length: 40 }, (_, m) => m * 1024));
    const video = page.samples(1).map(({ dts }) => dts);
    expect(video).toEqual(Array.from({ length: 20 }, (_, n) => n * 3600));
  });

  test('drops to the next keyframe for a page that does not read, keeps its sound, and says so', async () => {
    await stop();
    await start({ readerLimits: { queueMs: 100_000, queueBytes: 1 << 20, stallMs: 60_000 } });
    const publication = publish('live', [h264Track, aacTrack]);
    const page = open('live');
    await page.text('waiting');
    page.socket.pause();
    let n = 0;
    const reader = () => [...hub.get('live')!.feeds[0]!.readers][0]!;
    // Until the kernel's buffers and the reader's queue are full; a turn of the loop lets the socket write.
    const step = async () => {
      writePictures(publication, n, 1, 10, 100_000);
      publication.write(sound(n * 1920, { ntp: ntpOfZero + n * 40 }));
      n++;
      await new Promise((resolve) => setImmediate(resolve));
    };
    while (reader().counters.droppedVideo < 20) await step();
    page.socket.resume();
    await expect.poll(() => reader().queuedBytes).toBe(0);
    for (let i = 0; i < 12; i++) await step();
    const last = (n - 1) * 3600;
    await page.until((it) => it.samples().at(-1)?.pts === last);
    const video = page.samples();
    const gaps = video.flatMap((sample, i) =>
      i > 0 && sample.pts - video[i - 1]!.pts !== 3600 ? [sample] : [],
    );
    expect(gaps.length).toBeGreaterThan(0);
    expect(gaps.every(({ sync }) => sync)).toBe(true);
    expect(reader().counters.droppedAudio).toBe(0);
    const drops = await page.text('drops');
    expect(drops['video']).toBeGreaterThan(0);
    expect(drops['audio']).toBe(0);
  });

  test('announces a new format before its first keyframe, and times go on', async () => {
    const publication = publish('live', [h264Track]);
    writePictures(publication, 0, 3);
    const page = open('live');
    await page.until(({ fragments }) => fragments.length >= 3);
    const format = {
      ...h264Track.format,
      parameterSets: [sps, Buffer.concat([pps, Buffer.of(1)])],
      width: 320,
    };
    const changed = { ...h264Track, format } as Track;
    for (const n of [3, 4]) publication.write(picture(n * 3600, { track: changed, keyframe: n === 3 }));
    await page.until(({ fragments }) => fragments.length >= 5);
    const order = page.messages.map((message) =>
      Buffer.isBuffer(message) ? message.toString('latin1', 4, 8) : message.type,
    );
    expect(order).toEqual([
      ...['stream', 'ftyp', 'moof', 'moof', 'moof'],
      ...['stream', 'ftyp', 'moof', 'moof'],
    ]);
    expect(page.texts[1]).toMatchObject({ tracks: [{ width: 320 }] });
    const dts = page.samples().map((sample) => sample.dts);
    expect(dts).toEqual([0, 3600, 7200, 10_800, 14_400]);
  });

  test('lets a page wait for its stream, and tells it when the publisher leaves and returns', async () => {
    const page = open('later');
    expect((await page.text('waiting'))['reason']).toMatch(/Nobody is publishing "later"/);
    const publication = publish('later', [h264Track]);
    writePictures(publication, 0, 3);
    await page.until(({ fragments }) => fragments.length >= 3);
    publication.close('The camera went away.');
    expect(await page.text('held')).toMatchObject({ seconds: 15 });
    const again = publish('later', [h264Track]);
    await page.text('live');
    writePictures(again, 0, 2);
    await page.until(({ fragments }) => fragments.length >= 5);
    const dts = page.samples().map((sample) => sample.dts);
    expect(dts).toEqual([...dts].sort((a, b) => a - b));
    hub.get('later')!.end('The stream was closed by its owner.');
    expect(await page.closed).toEqual({ code: 4404, reason: 'The stream was closed by its owner.' });
  });

  test('sends nothing to a page that pauses, and begins with a keyframe when it resumes', async () => {
    const publication = publish('live', [h264Track]);
    writePictures(publication, 0, 3);
    const page = open('live');
    await page.until(({ fragments }) => fragments.length >= 3);
    page.say({ type: 'pause' });
    page.say({ type: 'ping', t: 5 });
    const pong = await page.text('pong');
    expect(pong['t']).toBe(5);
    expect(Math.abs((pong['serverNow'] as number) - Date.now())).toBeLessThan(5000);
    writePictures(publication, 3, 10);
    page.say({ type: 'ping', t: 6 });
    await page.until(({ texts }) => texts.some((text) => text['t'] === 6));
    expect(page.fragments.length).toBe(3);
    expect(hub.get('live')!.readerCount).toBe(0);
    page.say({ type: 'resume' });
    await page.until(({ fragments }) => fragments.length >= 6);
    expect(page.samples().map(({ pts }) => pts / 3600)).toEqual([0, 1, 2, 10, 11, 12]);
  });

  test('tells a page that paused when there may be something else to play, and sends it nothing more', async () => {
    const other = { ...h264Track, id: 7, format: { ...h264Track.format, codec: 'h265' } } as Track;
    const first = publish('live', [other]);
    const page = open('live');
    await page.text('waiting');
    page.say({ type: 'pause' });
    await expect.poll(() => hub.get('live')!.readerCount).toBe(0);
    const before = page.messages.length;
    first.changeTrack({ ...other, format: { ...other.format } });
    await page.until(({ messages }) => messages.length > before);
    const publication = publish('live', [h264Track]);
    await page.until(({ messages }) => messages.length > before + 1);
    writePictures(publication, 0, 3);
    page.say({ type: 'ping', t: 7 });
    await page.text('pong');
    expect(page.messages.slice(before)).toMatchObject([{ type: 'live' }, { type: 'live' }, { type: 'pong' }]);
    page.say({ type: 'resume' });
    expect(await page.text('stream')).toMatchObject({ tracks: [{ codec: 'h264' }] });
    await page.until(({ fragments }) => fragments.length === 3);
  });

  test('says what it cannot send when there is nothing it can', async () => {
    const mjpeg = { ...h264Track, format: { ...h264Track.format, codec: 'mjpeg' } } as Track;
    publish('still', [mjpeg]);
    const message = await open('still').text('stream');
    expect(message).toMatchObject({ tracks: [], mime: '', unsupported: [{ kind: 'video', codec: 'mjpeg' }] });
  });

  test('gives up a page that does not even answer pings, be it one that waits', async () => {
    await stop();
    const clock = new VirtualClock();
    await start({ clock });
    const [silent, alive] = [open('nobody'), open('nobody')];
    for (const page of [silent, alive]) await page.text('waiting');
    // A vanished page: the bytes go out, and nothing ever comes back.
    silent.socket.pong = () => {};
    for (let seconds = 15; seconds <= 60; seconds += 15) {
      const pinged = once(alive.socket, 'ping');
      const from = alive.texts.length;
      clock.advance(15_000);
      await pinged;
      alive.say({ type: 'ping', t: seconds });
      await alive.text('pong', from);
    }
    expect((await silent.closed).code).toBe(1006);
    expect(mse.sessions).toBe(1);
  });

  test('closes its pages when the server stops', async () => {
    const page = open('nobody');
    await page.text('waiting');
    mse.close();
    expect((await page.closed).code).toBe(1001);
  });
});

describe('G.711 at the MSE door', () => {
  const g711: Track = { id: 2, clockRate: 8000, format: pcmaFormat() };
  const rendition: Track = { ...aacTrack, id: FIRST_MADE_ID };

  async function startWith(
    startRendition: RenditionStarter,
    clock: Clock = systemClock,
  ): Promise<Publication> {
    await stop();
    await start({ startRendition, clock });
    return publish('old', [h264Track, g711]);
  }

  test('is made AAC by a rendition, held as long as a page listens', async () => {
    const events: string[] = [];
    const publication = await startWith(({ stream, track, request }) => {
      events.push(`start ${stream} ${track} ${request.codec}`);
      setImmediate(() => hub.get('old')!.renditions.announce(2, rendition));
      return () => events.push('stop');
    });
    writePictures(publication, 0, 3);
    const pages = [open('old'), open('old')];
    await Promise.all(pages.map((page) => page.until(({ fragments }) => fragments.length >= 3)));
    const units: AccessUnit[] = [0, 1, 2].map((n) => sound(n * 1024, { track: rendition }));
    for (const unit of units) hub.get('old')!.renditions.write(unit);
    await Promise.all(pages.map((page) => page.until((it) => it.samples(2).length >= 3)));
    expect(pages[0]!.texts[0]).toMatchObject({
      mime: 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"',
      unsupported: [],
    });
    expect(events).toEqual(['start old 2 aac']);
    pages[0]!.socket.close();
    await pages[0]!.closed;
    pages[1]!.say({ type: 'pause' });
    await expect.poll(() => events).toEqual(['start old 2 aac', 'stop']);
  });

  test('that cannot be made AAC is left out, the picture plays and the page is told why', async () => {
    const publication = await startWith((_, onFailure) => {
      setImmediate(() => onFailure('the worker does not start.', { retried: false }));
      return () => {};
    });
    writePictures(publication, 0, 3);
    const page = open('old');
    await page.until(({ fragments }) => fragments.length >= 3);
    expect(page.texts[0]).toMatchObject({
      mime: 'video/mp4; codecs="avc1.42c01e"',
      unsupported: [{ kind: 'audio', codec: 'pcma' }],
    });
    expect(JSON.stringify(page.texts[0])).toMatch(/the worker does not start/);
  });

  test('comes to the page as soon as it can be made AAC after all, without a new connection', async () => {
    const events: string[] = [];
    const publication = await startWith((_, onFailure) => {
      events.push('start');
      setImmediate(() => onFailure('its worker crashed.', { retried: true }));
      return () => events.push('stop');
    });
    writePictures(publication, 0, 3);
    const page = open('old');
    await page.until(({ fragments }) => fragments.length >= 3);
    expect(JSON.stringify(page.texts[0])).toMatch(/its worker crashed/);
    hub.get('old')!.renditions.announce(2, rendition);
    await page.until(({ texts }) => texts.length === 2);
    expect(page.texts[1]).toMatchObject({
      mime: 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"',
      unsupported: [],
    });
    hub.get('old')!.renditions.write(sound(0, { track: rendition }));
    await page.until((it) => it.samples(2).length === 1);
    expect(hub.get('old')!.readerCount).toBe(1);
    page.socket.close();
    await expect.poll(() => events).toEqual(['start', 'stop']);
  });

  test('that comes to nobody any more is not made', async () => {
    const events: string[] = [];
    const publication = await startWith((_, onFailure) => {
      events.push('start');
      setImmediate(() => onFailure('its worker crashed.', { retried: true }));
      return () => events.push('stop');
    });
    writePictures(publication, 0, 3);
    const page = open('old');
    await page.until(({ fragments }) => fragments.length >= 3);
    page.say({ type: 'pause' });
    await expect.poll(() => events).toEqual(['start', 'stop']);
  });

  test('that takes longer than 3 s to be made AAC is not waited for, and joins when it is there', async () => {
    const clock = new VirtualClock();
    const publication = await startWith(() => () => {}, clock);
    writePictures(publication, 0, 3);
    const page = open('old');
    await expect.poll(() => hub.get('old')!.renditions.count).toBe(1);
    clock.advance(3000);
    await page.until(({ fragments }) => fragments.length >= 3);
    expect(JSON.stringify(page.texts[0])).toMatch(/within 3 s/);
    hub.get('old')!.renditions.announce(2, rendition);
    await page.until(({ texts }) => texts.length === 2);
    expect(JSON.stringify(page.texts[1])).toMatch(/mp4a/);
  });
});

async function stop(): Promise<void> {
  hub.close('The test begins anew.');
  mse.close();
  http.close();
  await once(http, 'close');
}
