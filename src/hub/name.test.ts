import { describe, expect, it } from 'vitest';
import { isJobStream, parsePublishedName, parseStreamName } from './name.ts';

describe('stream names', () => {
  it('accept one to eight segments of letters, digits and . _ ~ -', () => {
    expect(parseStreamName('yard/gate-1')).toBe('yard/gate-1');
    expect(parseStreamName('/a/b/c/d/e/f/g/h/')).toBe('a/b/c/d/e/f/g/h');
  });

  it.each([
    ['', 'empty'],
    ['a//b', 'two slashes'],
    ['a/../b', 'no segment'],
    ['café', 'characters other than'],
    ['a b', 'characters other than'],
    ['api/x', 'reserved'],
    ['metrics', 'reserved'],
    ['assets/1', 'reserved'],
    ['a/b/c/d/e/f/g/h/i', '9 segments'],
    ['x'.repeat(256), '256 characters'],
  ])('refuse %j and say why', (name, rule) => {
    expect(() => parseStreamName(name)).toThrowError(
      expect.objectContaining({ code: 'STREAM_NAME_INVALID' }) as Error,
    );
    expect(() => parseStreamName(name)).toThrow(rule);
  });

  it('keep what is below jobs/ for the jobs of this server: others read it, and do not publish it', () => {
    expect(parseStreamName('jobs/lobby')).toBe('jobs/lobby');
    expect(parsePublishedName('yard/jobs')).toBe('yard/jobs');
    expect(isJobStream('jobsite/1')).toBe(false);
    for (const name of ['jobs', '/jobs/lobby/in']) {
      expect(() => parsePublishedName(name)).toThrow('only jobs of this server publish');
    }
  });
});
