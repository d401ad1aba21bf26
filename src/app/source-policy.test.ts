import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
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
const check = (source: string, more = {}) =>
  checkRestricted(source, { sources: { ...sources, ...more } }, find);

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
});
