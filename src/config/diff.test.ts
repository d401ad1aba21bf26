import { describe, expect, it } from 'vitest';
import { affectedParts, describeChanges, diffConfig } from './diff.ts';
import { parseConfig } from './load.ts';
import { configKeys } from './reference.ts';
import { parts, settings } from './settings.ts';

const config = (text: string) => parseConfig(text, '/etc/sluice/sluice.yml');

const diff = (before: string, after: string) => diffConfig(config(before), config(after));

describe('what changed in a configuration', () => {
  it('is nothing when only order, comments, notation or written defaults differ', () => {
    const before = 'streams: { a: { source: v.mp4 }, b: { detect: [people] } }\nlog: { level: info }\n';
    const after = [
      '# The same in other words.',
      'demo: true',
      'streams:',
      '  b: { detect: [{ algorithm: people, parameters: {} }] }',
      '  a: { source: ./v.mp4, loop: true }',
    ].join('\n');
    expect(diff(before, after)).toEqual([]);
  });

  it.each([
    [
      'host: localhost',
      'host',
      [
        'http.listener',
        'http.tls',
        'rtsp.listener',
        'rtsp.media',
        'rtsp.tls',
        'rtmp.listener',
        'rtmp.tls',
        'webrtc.media',
      ],
    ],
    ['rtmp: { port: 1 }', 'rtmp.port', ['rtmp.listener']],
    ['rtmp: { tlsPort: 1 }', 'rtmp.tlsPort', ['rtmp.tls']],
    ['webrtc: { port: 9000 }', 'webrtc.port', ['webrtc.media']],
    ['webrtc: { addresses: [192.0.2.1] }', 'webrtc.addresses', ['webrtc.media']],
    ['http: { port: 9000 }', 'http.port', ['http.listener']],
    ['http: { tlsPort: 9000 }', 'http.tlsPort', ['http.tls']],
    ['rtsp: { port: 9000 }', 'rtsp.port', ['rtsp.listener']],
    ['rtsp: { sessionTimeout: 9 }', 'rtsp.sessionTimeout', ['rtsp.sessions']],
    ['rtsp: { transports: [tcp] }', 'rtsp.transports', ['rtsp.media']],
    ['rtsp: { udpPort: 9000 }', 'rtsp.udpPort', ['rtsp.media']],
    ['rtsp: { reorderMs: 50 }', 'rtsp.reorderMs', ['rtsp.media']],
    ['demo: false', 'demo', ['sources', 'detection']],
    ['algorithms: { folders: [own] }', 'algorithms.folders', ['algorithms']],
    ['workers: { max: 3 }', 'workers.max', ['workers']],
    ['reader: { queueMs: 500 }', 'reader.queueMs', ['readers']],
    ['reader: { queueBytes: 100000 }', 'reader.queueBytes', ['readers']],
    ['reader: { stallSeconds: 3 }', 'reader.stallSeconds', ['readers']],
    ['publisher: { takeover: false }', 'publisher.takeover', ['publishers']],
    ['publisher: { holdSeconds: 3 }', 'publisher.holdSeconds', ['publishers']],
    ['log: { level: warn }', 'log.level', ['log']],
    ['log: { format: json }', 'log.format', ['log']],
  ])('%s concerns %s alone', (text, key, concerned) => {
    expect(diff('', text)).toEqual([{ key, kind: 'changed', parts: concerned }]);
    expect(diff(text, '')).toEqual([{ key, kind: 'changed', parts: concerned }]);
  });

  it('is said of each stream: which came, which went, and what changed in one', () => {
    const before =
      'streams: { a: { source: v.mp4 }, b: { source: w.mp4, detect: [people] }, c: { detect: [x] } }';
    const after =
      'streams: { b: { source: w.mp4, detect: [people, motion] }, c: { detect: [x], source: w.mp4 }, a/b.c: { source: v.mp4 } }';
    const changes = diff(before, after);
    expect(describeChanges(changes)).toBe(
      'streams.b.detect changed, streams.c.source changed, streams.a/b.c added, streams.a removed',
    );
    expect(changes[1]!.parts).toEqual(['sources']);
    expect(changes[2]!.parts).toEqual(expect.arrayContaining(['sources', 'detection']));
    expect(affectedParts(changes)).toEqual(new Set(['detection', 'forwards', 'sources']));
    expect(describeChanges(diff(after, before))).toContain('streams.c.source changed');
  });

  it('tells no values, since some have passwords in them', () => {
    const changes = diff('', 'streams: { a: { source: secret.mp4 } }');
    expect(JSON.stringify(changes)).not.toContain('secret');
  });
});

describe('the table of settings', () => {
  it('has every key that the reference lists, and each part has a key', () => {
    const inner = configKeys().filter(({ path }) => !path.includes('[]'));
    expect(new Set(inner.map(({ path }) => path))).toEqual(new Set(Object.keys(settings)));
    expect(new Set(Object.values(settings).flat())).toEqual(new Set(Object.keys(parts)));
  });
});
