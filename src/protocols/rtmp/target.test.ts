import { describe, expect, it } from 'vitest';
import { parseRtmpTarget } from './target.ts';

describe('an RTMP address', () => {
  it.each([
    ['rtmp://host/live/cam', 'live', 'cam'],
    ['rtmp://host/live', 'live', ''],
    ['rtmp://host/live?token=t', 'live?token=t', ''],
    ['rtmp://host/live/cam?token=t&x=/y', 'live', 'cam?token=t&x=/y'],
    ['rtmp://host/live/east/cam', 'live/east', 'cam'],
    ['rtmp://host/live/east/cam/main', 'live/east', 'cam/main'],
    ['rtmp://host/vod/mp4:films/a.mp4', 'vod', 'mp4:films/a.mp4'],
    ['rtmp://host//live/cam', 'live', 'cam'],
  ])('is cut as ffmpeg cuts it: %s', (url, app, key) => {
    expect(parseRtmpTarget(url)).toMatchObject({ app, key });
  });

  it('names host, port, TLS and who asks, and shows nobody in what the server is told', () => {
    expect(parseRtmpTarget('RTMP://ann:p%40ss%2Fword@[::1]:19350/live/cam')).toEqual({
      host: '::1',
      port: 19_350,
      secure: false,
      app: 'live',
      key: 'cam',
      tcUrl: 'rtmp://[::1]:19350/live',
      credentials: { user: 'ann', password: 'p@ss/word' },
    });
    expect(parseRtmpTarget('rtmp://host/live/cam')).toMatchObject({
      port: 1935,
      tcUrl: 'rtmp://host/live',
      credentials: undefined,
    });
    expect(parseRtmpTarget('rtmps://host/live/cam')).toMatchObject({ port: 443, secure: true });
    expect(parseRtmpTarget('rtmp://ann@host/a/b').credentials).toEqual({ user: 'ann', password: '' });
  });

  it.each([
    'rtmp://',
    'rtmp://host',
    'rtmp://host/',
    'rtmp://host:0/a',
    'rtmp://host:99999/a',
    'rtmp://u:p/w@host/a/b',
    'http://host/a',
  ])('is refused with the form that it has to have: %s', (url) => {
    expect(() => parseRtmpTarget(url)).toThrow(expect.objectContaining({ code: 'RTMP_ADDRESS_INVALID' }));
    expect(() => parseRtmpTarget(url)).toThrow(/rtmp:\/\/host:1935\/app\/stream/);
  });
});
