import { expect, it } from 'vitest';
import { sourceKind } from './source.ts';

it('tells the kind of a source by its address, in small or capital letters', () => {
  const kinds = {
    'rtsp://host/a': 'rtsp',
    'RTSP://host/a': 'rtsp',
    'rtmp://host/app/a': 'rtmp',
    'RTMPS://host/app/a': 'rtmp',
    'http://host/live.flv': 'network',
    'HTTPS://host/index.m3u8': 'network',
    'https://token@host/live/whep?a=b': 'whep',
    'http://host/whep/index.m3u8': 'network',
    'WHEP://host/live': 'whep',
    'wheps://host/live': 'whep',
    'srt://host:9000?streamid=a': 'network',
    'udp://239.0.0.1:5000': 'network',
    testsrc: 'test',
    './testsrc': 'path',
    '/films/a.mp4': 'path',
    'films:1/a.mp4': 'path',
  };
  for (const [source, kind] of Object.entries(kinds)) expect(sourceKind(source), source).toBe(kind);
});

it('refuses what would let FFmpeg open something else than the address says', () => {
  for (const scheme of ['file', 'pipe', 'concat', 'data', 'subfile', 'rtmpe'])
    expect(sourceKind(`${scheme}://a/b`), scheme).toBeUndefined();
  // Without slashes it is the path of a file with this very name, and opened as nothing else.
  expect(sourceKind('concat:a.ts|b.ts')).toBe('path');
});
