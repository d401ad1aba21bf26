import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Access } from '#hub/access.ts';
import { Hub } from '#hub/hub.ts';
import type { Track } from '#media/track.ts';
import { AccessRefusal } from '#util/access-refusal.ts';
import { VirtualClock } from '#util/clock.ts';
import { h264Track, picture } from '../../../test/support/fmp4-units.ts';
import { checkMediaPlaylist } from '../../../test/support/hls-checker.ts';
import { HlsServer } from './server.ts';
import type { HlsSettings } from './settings.ts';

const settings: HlsSettings = {
  ...{ lowLatency: true, segmentCount: 7, segmentSeconds: 1, partMs: 200 },
  ...{ segmentMaxBytes: 1 << 20, closeSeconds: 60, alwaysOn: false },
};

let http: Server;
let hub: Hub;
let clock: VirtualClock;
let door: HlsServer;
let base: string;

async function start(options: { access?: Access; changed?: Partial<HlsSettings> } = {}): Promise<void> {
  clock = new VirtualClock();
  hub = new Hub({ clock });
  const { access, changed } = options;
  door = new HlsServer({ hub, settings: { ...settings, ...changed }, ...(access ? { access } : {}) });
  http = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x');
    const [, stream = '', , rest = ''] = url.pathname.split('/');
    const target = { stream, rest, query: url.searchParams };
    if (rest) door.file(request, response, target);
    else door.index(request, response, target);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

afterEach(async () => {
  door.close();
  hub.close('The test is over.');
  http.closeAllConnections();
  http.close();
  await once(http, 'close');
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left.`);
});

/** A camera of 25 pictures a second, a keyframe each second. */
function camera(tracks: readonly Track[] = [h264Track]) {
  const publication = hub.publish('cam', { id: 'p', door: 'test', remote: '' }, tracks, { onClose() {} });
  let n = 0;
  return {
    publication,
    send: (count: number) => {
      const end = n + count;
      for (; n < end; n++) publication.write(picture(n * 3600, { keyframe: n % 25 === 0, size: 400 }));
    },
  };
}

/** A request that the door has taken up when this resolves. */
async function asked(path: string, init?: RequestInit): Promise<{ answer: Promise<Response> }> {
  const taken = once(http, 'request');
  const answer = fetch(`${base}/${path}`, init);
  await taken;
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  return { answer };
}

const media = async (rest = '') => (await fetch(`${base}/cam/hls/media.m3u8${rest}`)).text();

/** A camera whose first playlist is there: one whole segment, and `count` pictures of the next. */
async function playing(count = 6) {
  const cam = camera();
  cam.send(1);
  const first = await asked('cam/index.m3u8');
  cam.send(24 + count);
  expect((await first.answer).status).toBe(200);
  return cam;
}

describe('the HLS door', () => {
  test('holds the first player until there is a whole segment', async () => {
    await start();
    await playing();
    const playlist = checkMediaPlaylist(await media());
    expect(playlist.segments.map(({ parts }) => parts.length)).toEqual([5, 1]);
  });

  test('says after 18 s what is missing, and nothing of it stays in caches', async () => {
    await start();
    camera();
    const { answer } = await asked('cam/index.m3u8');
    clock.advance(18_000);
    expect((await answer).status).toBe(503);
    expect((await answer).headers.get('cache-control')).toBe('no-store');
    expect(await (await answer).json()).toMatchObject({ error: { code: 'HLS_NOT_READY' } });
  });

  test('answers a blocking reload when the part is there, and a request for the part that was hinted', async () => {
    await start();
    const cam = await playing(6);
    const before = checkMediaPlaylist(await media());
    const { sequence } = before.segments[1]!;
    const reload = await asked(`cam/hls/media.m3u8?_HLS_msn=${sequence}&_HLS_part=1`);
    const part = await asked(`cam/hls/${before.hint}`);
    let answered = false;
    void reload.answer.then(() => {
      answered = true;
    });
    cam.send(3);
    expect((await fetch(`${base}/cam/hls/media.m3u8`)).status).toBe(200);
    expect(answered).toBe(false);
    cam.send(2);
    const after = checkMediaPlaylist(await (await reload.answer).text());
    expect(after.segments[1]!.parts.length).toBe(2);
    expect((await reload.answer).headers.get('cache-control')).toBe('public, max-age=6');
    expect(Buffer.from(await (await part.answer).arrayBuffer()).toString('latin1', 4, 8)).toBe('moof');
    expect((await part.answer).headers.get('cache-control')).toBe('public, max-age=3600, immutable');
  });

  test('refuses what is too far ahead, at once', async () => {
    await start();
    await playing();
    const { segments } = checkMediaPlaylist(await media());
    for (const ask of [
      `_HLS_msn=${segments[1]!.sequence + 2}`,
      `_HLS_msn=${segments[1]!.sequence}&_HLS_part=40`,
      '_HLS_part=1',
    ]) {
      const answer = await fetch(`${base}/cam/hls/media.m3u8?${ask}`);
      expect(answer.status, ask).toBe(400);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
  });

  test('gives a reload up after three target durations when the publisher is gone, and goes on with the next', async () => {
    await start();
    const cam = await playing(8);
    cam.publication.close('It left.');
    const held = checkMediaPlaylist(await media());
    const { sequence } = held.segments.at(-1)!;
    expect(held.segments.at(-1)!.uri).toBeDefined();
    const { answer } = await asked(`cam/hls/media.m3u8?_HLS_msn=${sequence + 1}&_HLS_part=0`);
    clock.advance(3000);
    expect((await answer).status).toBe(503);
    clock.advance(2000);
    camera().send(40);
    const after = checkMediaPlaylist(await media());
    expect(after.segments.map(({ discontinuity }) => discontinuity)).toEqual([false, false, true, false]);
  });

  test('ends its segments a while after the last request, and not before', async () => {
    await start();
    await playing();
    clock.advance(59_000);
    await media();
    clock.advance(59_000);
    expect(door.muxers).toBe(1);
    clock.advance(3000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(door.muxers).toBe(0);
    expect(hub.get('cam')!.readerCount).toBe(0);
  });

  test('makes the bytes once for all players', async () => {
    await start();
    await playing(30);
    await Promise.all(Array.from({ length: 5 }, () => media()));
    expect(hub.get('cam')!.feeds.length).toBe(1);
    expect(hub.get('cam')!.readerCount).toBe(1);
  });

  test('sends ranges, heads, and playlists packed', async () => {
    await start();
    await playing();
    const { segments } = checkMediaPlaylist(await media());
    const url = `${base}/cam/hls/${segments[0]!.uri}`;
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    const range = await fetch(url, { headers: { range: 'bytes=2000-2999' } });
    expect(range.status).toBe(206);
    expect(range.headers.get('content-range')).toBe(`bytes 2000-2999/${whole.length}`);
    expect(Buffer.from(await range.arrayBuffer()).equals(whole.subarray(2000, 3000))).toBe(true);
    expect((await fetch(url, { headers: { range: 'bytes=99999999-' } })).status).toBe(416);
    const head = await fetch(url, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(whole.length));
    const packed = await fetch(`${base}/cam/hls/media.m3u8`, { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(await packed.text()).toBe(await media());
    expect((await fetch(url, { method: 'OPTIONS' })).status).toBe(204);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${base}/cam/hls/nothing.m4s`)).status).toBe(404);
    expect((await fetch(`${base}/other/index.m3u8`)).status).toBe(404);
  });

  test('asks for leave at every address, and carries a token on to those of the playlist', async () => {
    await start({
      access: {
        check: async ({ credentials }) => {
          if (credentials.kind === 'token' && credentials.token === 'good') return { user: 'ann' };
          throw new AccessRefusal('ACCESS_UNAUTHENTICATED', 'Say who you are.', 401);
        },
      },
    });
    const cam = camera();
    cam.send(1);
    const refused = await fetch(`${base}/cam/index.m3u8`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('realm="Sluice"');
    expect(door.muxers).toBe(0);
    const { answer } = await asked('cam/index.m3u8?token=good');
    cam.send(30);
    expect(await (await answer).text()).toContain('\nhls/media.m3u8?token=good\n');
    const playlist = checkMediaPlaylist(await media('?token=good'));
    expect(playlist.segments[0]!.uri).toMatch(/\.m4s\?token=good$/);
    expect((await fetch(`${base}/cam/hls/${playlist.segments[0]!.uri}`)).status).toBe(200);
    const bare = playlist.segments[0]!.uri!.replace(/\?.*/, '');
    expect((await fetch(`${base}/cam/hls/${bare}`)).status).toBe(401);
    const header = await fetch(`${base}/cam/hls/${bare}`, { headers: { authorization: 'Bearer good' } });
    expect(header.headers.get('cache-control')).toMatch(/^private/);
  });
});
