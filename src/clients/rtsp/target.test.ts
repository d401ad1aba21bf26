import { describe, expect, it } from 'vitest';
import { parseTarget } from './target.ts';

describe('the target of an address', () => {
  it.each([
    ['rtsp://cam/live', 'cam', 554, false],
    ['RTSP://u:p@cam:8554', 'cam', 8554, false],
    ['rtsp://u:p@[2001:db8::1]:8554/x?y=1', '2001:db8::1', 8554, false],
    ['rtsp://10.0.0.4?channel=1', '10.0.0.4', 554, false],
    ['rtsps://cam/live', 'cam', 322, true],
    ['RTSPS://u:p@cam:8322', 'cam', 8322, true],
  ])('of %s is %s port %i, over TLS: %s', (url, host, port, secure) => {
    expect(parseTarget(url)).toEqual({ host, port, secure });
  });

  it.each([
    'rtsp://',
    'rtsp://cam:0/',
    'rtsp://cam:70000/',
    'rtsp://u:p/w@cam/',
    'rtspss://cam/',
    'http://cam/',
    'cam',
  ])('is not in %s, and the error says nothing of it', (url) => {
    expect(() => parseTarget(url)).toThrow(/no RTSP address such as rtsp:\/\/host:554/);
  });
});
