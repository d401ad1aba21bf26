import { describe, expect, it } from 'vitest';
import { compileStreamPattern, isStreamPattern, patternTrouble } from './stream-pattern.ts';

const sourceOf = (key: string, source: string, name: string) =>
  compileStreamPattern(key, source).match(name)?.source;

describe('an entry for a pattern of names', () => {
  it('is one whose key is *, ends with /* or /**, or begins with ~', () => {
    for (const key of ['*', 'yard/*', 'yard/**', '~cam-\\d+']) expect(isStreamPattern(key), key).toBe(true);
    for (const key of ['yard', 'yard/gate-1', 'a~b']) expect(isStreamPattern(key), key).toBe(false);
  });

  it('fits all names below a prefix, or those that a regular expression fits as a whole', () => {
    const fits = (key: string, name: string) =>
      compileStreamPattern(key, undefined).match(name) !== undefined;
    for (const key of ['yard/*', 'yard/**']) {
      expect(fits(key, 'yard/gate-1')).toBe(true);
      expect(fits(key, 'yard/gate-1/sub')).toBe(true);
      for (const name of ['yard', 'yards/gate', 'a/yard/gate']) expect(fits(key, name), name).toBe(false);
    }
    expect(fits('~^cam-(\\d+)$', 'cam-12')).toBe(true);
    for (const name of ['cam-', 'xcam-1', 'cam-1/sub']) expect(fits('~cam-(\\d+)', name), name).toBe(false);
  });

  it('has parts of the name in its source: groups of the expression, or what * stands for', () => {
    expect(sourceOf('~^cam-(\\d+)-(\\w+)$', 'rtsp://u:p@10.0.0.$1:554/$2?x=$1', 'cam-7-sub')).toBe(
      'rtsp://u:p@10.0.0.7:554/sub?x=7',
    );
    expect(sourceOf('yard/*', 'rtsp://nvr/live/$1', 'yard/gate/1')).toBe('rtsp://nvr/live/gate/1');
    expect(sourceOf('yard/*', '/films/$1.mp4', 'yard/a')).toBe('/films/a.mp4');
    expect(sourceOf('~(a)?(b)', 'rtsp://h/x$1y$2', 'b')).toBe('rtsp://h/xyb');
    expect(sourceOf('~(\\d+)', 'rtsp://u:pa$$1@h/$1', '5')).toBe('rtsp://u:pa$1@h/5');
    expect(sourceOf('~(\\d+)', 'rtsp://h:85$1/a', '54')).toBe('rtsp://h:8554/a');
    expect(sourceOf('~(\\w+)', 'rtsp://[fd00::$1]/a', 'b')).toBe('rtsp://[fd00::b]/a');
  });

  it('lets no name put another host, port or path there', () => {
    for (const name of ['evil.com', 'evil.com/x', '1.2', 'a_b', '~'])
      expect(sourceOf('~(.+)', 'rtsp://cam-$1.local/live', name), name).toBeUndefined();
    expect(sourceOf('~(.+)', 'rtsp://cam$1', '.evil.com')).toBeUndefined();
    for (const name of ['1a', '123456', '-'])
      expect(sourceOf('~(.+)', 'rtsp://h:$1/', name), name).toBeUndefined();
    expect(sourceOf('~x-(.*)', '/films/$1/a.mp4', 'x-..')).toBeUndefined();
    expect(sourceOf('~x-(.*)', '/films/.$1/a.mp4', 'x-.')).toBeUndefined();
    expect(sourceOf('~x-(.*)', '/films/$1/a.mp4', 'x-')).toBeUndefined();
    expect(sourceOf('~x-(.*)', 'rtsp://h/a/$1/b', 'x-b/.')).toBeUndefined();
    expect(sourceOf('~x-(.*)', 'rtsp://h/../$1', 'x-b')).toBe('rtsp://h/../b');
    // Whatever stands before the path, a slash of the name does not end it.
    expect(sourceOf('~(.+)', 'rtsp://$1:p@h/a', 'u/x')).toBe('rtsp://u%2Fx:p@h/a');
    expect(sourceOf('~(.+)', 'rtsp://h/a?id=$1', 'u/x')).toBe('rtsp://h/a?id=u%2Fx');
  });

  it('says whether a name has a say in the host', () => {
    const chooses = (source: string) => compileStreamPattern('~(\\d+)', source).choosesHost;
    for (const source of ['rtsp://10.0.0.$1/', 'rtsp://u@$1', 'http://a$1.b:80/x'])
      expect(chooses(source), source).toBe(true);
    for (const source of ['rtsp://h/$1', 'rtsp://h:$1/', 'rtsp://$1:p@h/', '/films/$1.mp4', 'rtsp://a$$1/'])
      expect(chooses(source), source).toBe(false);
  });

  it('with a mistake is explained', () => {
    expect(patternTrouble('~(', {})).toMatch(/^"streams\.~\(" is no regular expression behind "~": .+\.$/);
    expect(patternTrouble('yard/*', { source: 'rtsp://h/$2' })).toBe(
      '"streams.yard/*" has $2 in its source, and the pattern has one part; $$ is a dollar sign.',
    );
    expect(patternTrouble('~a', { source: 'rtsp://h/$1' })).toContain('the pattern has 0 parts');
    expect(patternTrouble('~(a)|(b)', { source: 'rtsp://h/$1$2' })).toBeUndefined();
    expect(patternTrouble('yard/*', { source: 'rtsp://h/', onDemand: false })).toMatch(
      /onDemand" cannot be false/,
    );
    expect(patternTrouble('yard/*', { onDemand: false })).toBeUndefined();
    const forward = (url: string, source?: string) =>
      patternTrouble('yard/*', { source, forward: [{ url }] });
    expect(forward('rtsp://archive:554/$1')).toBeUndefined();
    // Who may publish below `yard/` would choose any name of this server.
    for (const url of ['stream:copies/$1', 'stream:copy-$1']) expect(forward(url)).toBeUndefined();
    expect(compileStreamPattern('yard/*', 'stream:copy-$1').match('yard/a')?.source).toBe('stream:copy-a');
    for (const url of ['rtsp://$1/x', 'srt://archive:$1', 'stream:$1/copy'])
      expect(forward(url)).toMatch(/forward" cannot have parts/);
    expect(forward('rtsp://archive/$1', 'rtsp://nvr/$1')).toMatch(/forward" cannot stand beside a source/);
  });
});
