import { afterEach, describe, expect, test } from 'vitest';
import { pcmaFormat } from '#codecs/g711.ts';
import type { RenditionStarter } from '#hub/rendition.ts';
import type { Publication } from '#hub/stream.ts';
import { FIRST_MADE_ID } from '#hub/track-table.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { type Clock, systemClock, VirtualClock } from '#util/clock.ts';
import { aacTrack, h264Track, sound } from '../support/fmp4-units.ts';
import { MseDoor, writePictures } from '../support/mse-door.ts';

describe('G.711 at the MSE door', () => {
  const g711: Track = { id: 2, clockRate: 8000, format: pcmaFormat() };
  const rendition: Track = { ...aacTrack, id: FIRST_MADE_ID };

  let door: MseDoor;
  afterEach(() => door[Symbol.asyncDispose]());

  /** Opens the door with a stream "old" that has the sound of a telephone. */
  async function startWith(
    startRendition: RenditionStarter,
    clock: Clock = systemClock,
  ): Promise<Publication> {
    door = await MseDoor.listen({ startRendition, clock });
    return door.publish('old', [h264Track, g711]);
  }

  test('is made AAC by a rendition, held as long as a page listens', async () => {
    const events: string[] = [];
    const publication = await startWith(({ stream, track, request }) => {
      events.push(`start ${stream} ${track} ${request.codec}`);
      setImmediate(() => door.hub.get('old')!.renditions.announce(2, rendition));
      return () => events.push('stop');
    });
    writePictures(publication, 0, 3);
    const pages = [door.open('old'), door.open('old')];
    await Promise.all(pages.map((page) => page.until(({ fragments }) => fragments.length >= 3)));
    const units: AccessUnit[] = [0, 1, 2].map((n) => sound(n * 1024, { track: rendition }));
    for (const unit of units) door.hub.get('old')!.renditions.write(unit);
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
    const page = door.open('old');
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
    const page = door.open('old');
    await page.until(({ fragments }) => fragments.length >= 3);
    expect(JSON.stringify(page.texts[0])).toMatch(/its worker crashed/);
    door.hub.get('old')!.renditions.announce(2, rendition);
    await page.until(({ texts }) => texts.length === 2);
    expect(page.texts[1]).toMatchObject({
      mime: 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"',
      unsupported: [],
    });
    door.hub.get('old')!.renditions.write(sound(0, { track: rendition }));
    await page.until((it) => it.samples(2).length === 1);
    expect(door.hub.get('old')!.readerCount).toBe(1);
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
    const page = door.open('old');
    await page.until(({ fragments }) => fragments.length >= 3);
    page.say({ type: 'pause' });
    await expect.poll(() => events).toEqual(['start', 'stop']);
  });

  test('that takes longer than 3 s to be made AAC is not waited for, and joins when it is there', async () => {
    const clock = new VirtualClock();
    const publication = await startWith(() => () => {}, clock);
    writePictures(publication, 0, 3);
    const page = door.open('old');
    await expect.poll(() => door.hub.get('old')!.renditions.count).toBe(1);
    clock.advance(3000);
    await page.until(({ fragments }) => fragments.length >= 3);
    expect(JSON.stringify(page.texts[0])).toMatch(/within 3 s/);
    door.hub.get('old')!.renditions.announce(2, rendition);
    await page.until(({ texts }) => texts.length === 2);
    expect(JSON.stringify(page.texts[1])).toMatch(/mp4a/);
  });
});
