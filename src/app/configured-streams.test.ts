import { describe, expect, it } from 'vitest';
import { parseConfig } from '#config/load.ts';
import { manifest } from '../../test/support/manifest.ts';
import {
  byPattern,
  checkDetection,
  configuredStreams,
  detectionOf,
  detectOn,
  forwardsOf,
  patternSources,
  patternStreams,
} from './configured-streams.ts';

const config = (text: string) => parseConfig(text, '/etc/sluice.yml');

describe('streams of patterns', () => {
  const file = config(`streams:
  ~^cam-(\\d+)$: { source: 'rtsp://10.0.0.$1/live', detect: [people] }
  yard/gate-1: { source: rtsp://10.0.1.1/main }
  yard/*: { source: 'rtsp://nvr/$1', onDemandCloseSeconds: 30 }
  '*': { detect: [motion] }
`);
  const patterns = patternStreams(file);
  const { find, max } = patternSources(patterns, file);

  it('have the settings of the first pattern in the file that fits, and always come on demand', () => {
    expect(max).toBe(64);
    expect(find('yard/gate-2')).toMatchObject({
      ...{ kind: 'rtsp', stream: 'yard/gate-2', url: 'rtsp://nvr/gate-2' },
      onDemand: { startMs: 10_000, closeMs: 30_000 },
    });
    expect(find('hall')).toBeUndefined();
    expect(byPattern(patterns, 'cam-7')?.detect).toMatchObject([{ algorithm: 'people' }]);
    expect(byPattern(patterns, 'hall')?.detect).toMatchObject([{ algorithm: 'motion' }]);
    for (const name of ['yard/a b', 'yard//a', 'yard/../a', '/yard/a'])
      expect(find(name), name).toBeUndefined();
  });

  it('are restricted where the name has a say in the host, unless local sources are allowed', () => {
    expect(find('cam-7')).toMatchObject({ url: 'rtsp://10.0.0.7/live', restricted: true });
    expect(find('yard/a')).not.toHaveProperty('restricted');
    const open = { ...file, sources: { ...file.sources, allowLocal: true } };
    expect(patternSources(patternStreams(open), open).find('cam-7')).not.toHaveProperty('restricted');
  });

  it('are published elsewhere too while they are there, each at an address of its own', () => {
    const forwarding = config(`demo: false
streams:
  hall: { forward: ['rtsp://archive/hall'] }
  yard/*: { forward: ['rtsp://u:p@archive/yard-$1'] }
  '*': { forward: [{ url: 'rtsps://cloud/$1', insecure: true }] }
`);
    const streams = configuredStreams(forwarding);
    const urls = (present: string[]) =>
      forwardsOf(streams, patternStreams(forwarding), present).map(({ stream, url }) => `${stream} ${url}`);
    expect(urls([])).toEqual(['hall rtsp://archive/hall']);
    expect(urls(['yard/1', 'hall', 'cellar'])).toEqual([
      'hall rtsp://archive/hall',
      'yard/1 rtsp://u:p@archive/yard-1',
      'cellar rtsps://cloud/cellar',
    ]);
  });

  it('are not among those that have a name', () => {
    expect(configuredStreams(file).map(({ stream }) => stream)).toEqual(['demo', 'yard/gate-1']);
  });
});

describe('a restricted source', () => {
  it('says to what it is held, as long as local sources are not allowed', () => {
    const streams = `streams:
  a: { source: 'rtsp://cam/a', restricted: true }
  b: { source: 'https://cam/b.m3u8', restricted: true, insecure: true }
  c: { source: c.mp4, restricted: true }
  d: { source: d.mp4 }
sources: { folders: [films] }
`;
    const sources = (text: string) =>
      configuredStreams(config(`demo: false\n${text}`)).map(({ source }) => source);
    expect(sources(streams)).toMatchObject([
      { restricted: true },
      { restricted: true, trust: { insecure: true } },
      { restricted: true, within: ['/etc/films'] },
      expect.not.objectContaining({ restricted: true }),
    ]);
    for (const source of sources(streams.replace('folders: [films]', 'allowLocal: true')))
      expect(source).not.toHaveProperty('restricted');
  });

  it('may be a second one, a stand-by or a forward beside a source that was written by hand', () => {
    const text = (sources: string) => `demo: false
streams:
  a:
    source: rtsp://127.0.0.1/a
    fill: b.mp4
    standby: c.png
    restricted: [fill, standby]
    forward: [srt://127.0.0.1:1, { url: 'srt://archive:1', restricted: true }]
  x/*: { source: 'rtsp://127.0.0.1/$1', fill: 'http://mic/$1', standby: c.png, restricted: [fill, standby] }
  y/*: { forward: [{ url: 'rtsp://archive/$1', restricted: true }, 'rtsp://127.0.0.1/$1'] }
sources: ${sources}
`;
    const file = config(text('{ folders: [films] }'));
    const [named] = configuredStreams(file);
    expect(named?.source).toMatchObject({
      fill: { restricted: true, within: ['/etc/films'] },
      standby: { path: '/etc/c.png', within: ['/etc/films'] },
    });
    expect(named?.source).not.toHaveProperty('restricted');
    expect(named?.forwards.map(({ restricted = false }) => restricted)).toEqual([false, true]);
    const patterns = patternStreams(file);
    const { source } = byPattern(patterns, 'x/1') ?? {};
    expect(source).toMatchObject({ fill: { restricted: true }, standby: { within: ['/etc/films'] } });
    expect(source).not.toHaveProperty('restricted');
    expect(byPattern(patterns, 'y/1')?.forwards.map(({ restricted = false }) => restricted)).toEqual([
      true,
      false,
    ]);
    const open = config(text('{ allowLocal: true }'));
    const all = JSON.stringify([
      ...configuredStreams(open),
      ...['x/1', 'y/1'].map((name) => byPattern(patternStreams(open), name)),
    ]);
    expect(all).not.toMatch(/restricted|within/);
  });
});

describe('streams with results drawn in', () => {
  const algorithms = new Map([['people', { path: '/people.json', manifest: manifest({ id: 'people' }) }]]);
  const check = (text: string) => {
    const file = config(text);
    checkDetection(detectionOf(configuredStreams(file), patternStreams(file)), algorithms, 's.yml');
  };
  const burned = 'detect: [{ algorithm: people, burnIn: true }]';

  it('have names of their own, and names that streams may have', () => {
    check(`streams: { a: { ${burned} }, b/people: { detect: [people] } }`);
    expect(() => check(`streams: { a: { ${burned} }, a/people: { detect: [people] } }`)).toThrow(
      's.yml: "streams.a.detect[0]": "burnIn" makes a stream "a/people", and "streams" has another one',
    );
    expect(() => check(`streams: { a/b/c/d/e/f/g/h: { ${burned} } }`)).toThrow(
      '"streams.a/b/c/d/e/f/g/h.detect[0]"',
    );
  });

  it('are those of the entry by name, and else of the first pattern that fits', () => {
    const file = config(`streams: { a: { ${burned} }, '*': { detect: [people] } }`);
    const detect = detectOn(configuredStreams(file), patternStreams(file));
    expect(detect('a')[0]?.burnIn).toBeDefined();
    expect(detect('b')).toMatchObject([{ algorithm: 'people' }]);
    expect(detect('b')[0]?.burnIn).toBeUndefined();
    expect(detect('a/people')).toEqual([]);
    expect(detect('b/people')).toMatchObject([{ algorithm: 'people' }]);
  });
});
