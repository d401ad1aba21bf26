import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Track } from '#media/track.ts';
import { VirtualClock } from '#util/clock.ts';
import { readInit } from '../support/fmp4-reader.ts';
import { aacTrack, h264Track, ntpOfZero, picture, pps, sound, sps } from '../support/fmp4-units.ts';
import { MseDoor, writePictures } from '../support/mse-door.ts';

describe('the MSE door', () => {
  test('gives a new page the description, the init segment and the pictures since the last keyframe', async () => {
    await using door = await MseDoor.listen();
    const publication = door.publish('yard/gate-1', [h264Track]);
    writePictures(publication, 0, 15);
    const page = door.open('yard/gate-1');
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
    await using door = await MseDoor.listen();
    const publication = door.publish('live', [h264Track]);
    writePictures(publication, 0, 3);
    const first = door.open('live');
    const second = door.open('live');
    await Promise.all([first, second].map((page) => page.until(({ fragments }) => fragments.length >= 3)));
    writePictures(publication, 3, 2);
    await Promise.all([first, second].map((page) => page.until(({ fragments }) => fragments.length >= 5)));
    expect(first.binaries.map((bytes) => bytes.toString('hex'))).toEqual(
      second.binaries.map((bytes) => bytes.toString('hex')),
    );
    const feeds = door.hub.get('live')!.feeds;
    expect(feeds.length).toBe(1);
    expect([...feeds[0]!.readers].map(({ door }) => door)).toEqual(['mse', 'mse']);
    first.socket.close();
    second.socket.close();
    await Promise.all([first.closed, second.closed]);
    await expect.poll(() => door.hub.get('live')!.feeds.length).toBe(0);
  });

  test('puts sound beside the picture by the capture clocks, whatever the timestamps are', async () => {
    await using door = await MseDoor.listen();
    const publication = door.publish('live', [h264Track, aacTrack]);
    const page = door.open('live');
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
    await using door = await MseDoor.listen({
      readerLimits: { queueMs: 100_000, queueBytes: 1 << 20, stallMs: 60_000 },
    });
    const publication = door.publish('live', [h264Track, aacTrack]);
    const page = door.open('live');
    await page.text('waiting');
    page.socket.pause();
    let n = 0;
    const reader = () => [...door.hub.get('live')!.feeds[0]!.readers][0]!;
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
    await using door = await MseDoor.listen();
    const publication = door.publish('live', [h264Track]);
    writePictures(publication, 0, 3);
    const page = door.open('live');
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
    await using door = await MseDoor.listen();
    const page = door.open('later');
    expect((await page.text('waiting'))['reason']).toMatch(/Nobody is publishing "later"/);
    const publication = door.publish('later', [h264Track]);
    writePictures(publication, 0, 3);
    await page.until(({ fragments }) => fragments.length >= 3);
    publication.close('The camera went away.');
    expect(await page.text('held')).toMatchObject({ seconds: 15 });
    const again = door.publish('later', [h264Track]);
    await page.text('live');
    writePictures(again, 0, 2);
    await page.until(({ fragments }) => fragments.length >= 5);
    const dts = page.samples().map((sample) => sample.dts);
    expect(dts).toEqual([...dts].sort((a, b) => a - b));
    door.hub.get('later')!.end('The stream was closed by its owner.');
    expect(await page.closed).toEqual({ code: 4404, reason: 'The stream was closed by its owner.' });
  });

  test('sends nothing to a page that pauses, and begins with a keyframe when it resumes', async () => {
    await using door = await MseDoor.listen();
    const publication = door.publish('live', [h264Track]);
    writePictures(publication, 0, 3);
    const page = door.open('live');
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
    expect(door.hub.get('live')!.readerCount).toBe(0);
    page.say({ type: 'resume' });
    await page.until(({ fragments }) => fragments.length >= 6);
    expect(page.samples().map(({ pts }) => pts / 3600)).toEqual([0, 1, 2, 10, 11, 12]);
  });

  test('tells a page that paused when there may be something else to play, and sends it nothing more', async () => {
    await using door = await MseDoor.listen();
    const other = { ...h264Track, id: 7, format: { ...h264Track.format, codec: 'h265' } } as Track;
    const first = door.publish('live', [other]);
    const page = door.open('live');
    await page.text('waiting');
    page.say({ type: 'pause' });
    await expect.poll(() => door.hub.get('live')!.readerCount).toBe(0);
    const before = page.messages.length;
    first.changeTrack({ ...other, format: { ...other.format } });
    await page.until(({ messages }) => messages.length > before);
    const publication = door.publish('live', [h264Track]);
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
    await using door = await MseDoor.listen();
    const mjpeg = { ...h264Track, format: { ...h264Track.format, codec: 'mjpeg' } } as Track;
    door.publish('still', [mjpeg]);
    const message = await door.open('still').text('stream');
    expect(message).toMatchObject({ tracks: [], mime: '', unsupported: [{ kind: 'video', codec: 'mjpeg' }] });
  });

  test('gives up a page that does not even answer pings, be it one that waits', async () => {
    const clock = new VirtualClock();
    await using door = await MseDoor.listen({ clock });
    const [silent, alive] = [door.open('nobody'), door.open('nobody')];
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
    expect(door.mse.sessions).toBe(1);
  });

  test('closes its pages when the server stops', async () => {
    await using door = await MseDoor.listen();
    const page = door.open('nobody');
    await page.text('waiting');
    door.mse.close();
    expect((await page.closed).code).toBe(1001);
  });
});
