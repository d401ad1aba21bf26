import { describe, expect, test } from 'vitest';
import { parseDirectives, parseRange, slice, tokenSuffix } from './request.ts';

const query = (text: string) => new URLSearchParams(text);

describe('what a player asks of a playlist', () => {
  test('is a segment, a part of it, and whether it has the old ones', () => {
    expect(parseDirectives(query('_HLS_msn=12&_HLS_part=3&_HLS_skip=YES'))).toEqual({
      sequence: 12,
      part: 3,
      skip: true,
    });
    expect(parseDirectives(query(''))).toEqual({ sequence: undefined, part: undefined, skip: false });
  });

  test.each(['_HLS_msn=-1', '_HLS_msn=', '_HLS_msn=1e3', '_HLS_msn=1&_HLS_part=x', '_HLS_part=1'])(
    'is refused as %s',
    (text) => {
      expect(() => parseDirectives(query(text))).toThrow(/_HLS_/);
    },
  );
});

test('credentials of the address, and only they, stand in the addresses of the playlist', () => {
  expect(tokenSuffix(query('_HLS_msn=3&token=a b"&other=1'))).toBe('?token=a%20b%22');
  expect(tokenSuffix(query('user=ann&pass=a%26b'))).toBe('?user=ann&pass=a%26b');
  expect(tokenSuffix(query('_HLS_msn=3'))).toBe('');
});

test('a range is cut out of pieces without copying', () => {
  const pieces = [Buffer.from('abc'), Buffer.from('def'), Buffer.from('g')];
  const cut = (header: string) => {
    const range = parseRange(header, 7);
    return typeof range === 'string'
      ? range
      : Buffer.concat(slice(pieces, range.first, range.last)).toString();
  };
  expect(cut('bytes=0-0')).toBe('a');
  expect(cut('bytes=2-4')).toBe('cde');
  expect(cut('bytes=5-')).toBe('fg');
  expect(cut('bytes=-3')).toBe('efg');
  expect(cut('bytes=3-99')).toBe('defg');
  expect(cut('bytes=7-')).toBe('unsatisfiable');
  expect(cut('bytes=-0')).toBe('unsatisfiable');
  expect(cut('bytes=4-2')).toBe('none');
  expect(cut('bytes=0-1,3-4')).toBe('none');
});
