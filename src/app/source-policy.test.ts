import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { streamSchema } from '#config/stream-schema.ts';
import { checkRestricted } from './source-policy.ts';

const names: Readonly<Record<string, string>> = {
  cam: '10.0.0.4',
  sly: '127.0.0.1',
  meta: '169.254.169.254',
};
const find: LookupFunction = (host, _options, callback) => {
  const address = names[host];
  if (address === undefined) callback(new Error(`${host} is not known`), []);
  else callback(null, [{ address, family: 4 }]);
};
const sources = { allowLocal: false, folders: ['/films'], patternStreams: 64 };
const checkEntry = (entry: object, more = {}, before?: object) =>
  checkRestricted(
    streamSchema.parse(entry),
    before && streamSchema.parse(before),
    { sources: { ...sources, ...more } },
    find,
  );
const check = (source: string, more = {}) => checkEntry({ source }, more);
const checkForward = (url: string, more = {}) => checkEntry({ forward: [url] }, more);

describe('a source that is given over the API', () => {
  it.each([
    'rtsp://127.0.0.1/live',
    'rtsp://sly/live',
    'rtsp://meta/live',
    'rtsp://2130706433/live',
    'rtsp://0x7f000001/live',
    'rtsp://0177.1/live',
    'rtsps://u:p@[::1]:322/live',
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:169.254.169.254]/',
    'https://sly/index.m3u8',
    'srt://sly:9000',
    'srt://:9000',
    'rtmp://sly/live/a',
    'rtmps://127.0.0.1/live/a',
    'wheps://sly/a/whep',
    'http://127.0.0.1/a/whep',
    'srt://cam:9000?mode=listener',
    'udp://0.0.0.0:5000',
    '/etc/passwd',
    '/films/../etc/passwd',
  ])('may not be %s', async (source) => {
    await expect(check(source)).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', status: 403 });
  });

  it.each([
    'rtsp://cam/live',
    'rtsp://192.168.1.7:554/live',
    'http://cam/live.flv',
    'srt://cam:9000?streamid=a',
    'udp://239.1.1.1:5000',
    'testsrc',
    '/films/not-there-yet.mp4',
    // It is judged when it connects, by what its name is then.
    'rtsp://unknown/live',
    'rtsp://10.0.0.$1/live',
  ])('may be %s', async (source) => {
    await expect(check(source)).resolves.toBeUndefined();
  });

  it('may be anything where the file says so', async () => {
    for (const source of ['rtsp://127.0.0.1/live', '/etc/passwd', 'udp://0.0.0.0:1'])
      await expect(check(source, { allowLocal: true })).resolves.toBeUndefined();
  });

  it('is held to the same as a second one, and a stand-by to the folders', async () => {
    const refused = { code: 'SOURCE_FORBIDDEN' };
    const source = 'rtsp://cam/live';
    for (const fill of [
      'rtsp://sly/a',
      'http://127.0.0.1/a.ts',
      'srt://[::1]:1',
      'udp://10.0.0.1:1',
      '/etc/a.mp4',
    ])
      await expect(checkEntry({ source, fill }), fill).rejects.toMatchObject(refused);
    await expect(checkEntry({ source, standby: '/etc/card.png' })).rejects.toMatchObject(refused);
    const fine = { source, fill: '/films/a.mp4', standby: '/films/card.png' };
    await expect(checkEntry(fine)).resolves.toBeUndefined();
  });

  it('is not judged again where it was there before', async () => {
    const hand = {
      source: 'rtsp://sly/a',
      fill: '/etc/a.mp4',
      standby: '/etc/b.png',
      forward: ['srt://sly:1'],
    };
    await expect(checkEntry({ ...hand, loop: false }, {}, hand)).resolves.toBeUndefined();
    const more = { ...hand, forward: [...hand.forward, 'srt://sly:2'] };
    await expect(checkEntry(more, {}, hand)).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    await expect(checkEntry({ ...hand, fill: hand.source }, {}, hand)).rejects.toThrow();
  });
});

describe('an address to forward to that is given over the API', () => {
  it.each([
    'rtsp://127.0.0.1/a',
    'rtsps://sly/a',
    'rtmp://sly/app/key',
    'rtmps://[::1]/app/key',
    'whip://sly/a/whip',
    'https://169.254.169.254/a/whip',
    'srt://sly:9000',
    'srt://2130706433:9000',
    'srt://:9000',
    'srt://cam:9000?mode=listener',
    'udp://sly:5000',
    'udp://0.0.0.0:5000',
    'udp://[ff02::1]:5000',
    'udp://cam:5000?localaddr=127.0.0.1',
    'stream:other',
    'rtsp://239.1.1.1/a',
  ])('may not be %s', async (url) => {
    await expect(checkForward(url)).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', status: 403 });
    await expect(checkForward(url, { allowLocal: true })).resolves.toBeUndefined();
  });

  it.each([
    'rtsp://cam/a',
    'rtmp://192.168.1.7/app/key',
    'https://cam/a/whip',
    'srt://cam:9000?streamid=publish:a',
    'udp://cam:5000',
    'udp://10.0.0.9:5000?ttl=4',
    'udp://239.1.1.1:5000',
    'srt://unknown:9000',
  ])('may be %s', async (url) => {
    await expect(checkForward(url)).resolves.toBeUndefined();
  });
});
