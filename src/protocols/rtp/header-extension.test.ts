import { expect, it } from 'vitest';
import { headerExtension } from './header-extension.ts';

const rtp = (rest: string) => Buffer.from(`9060000100000002000000${`03${rest}`.replace(/\s/g, '')}`, 'hex');

it('finds an element with a header of one byte, behind padding and others', () => {
  const packet = rtp('bede0002 00 10aa 00 510102 00 ff');
  expect(headerExtension(packet, 5)).toEqual(Buffer.from('0102', 'hex'));
  expect(headerExtension(packet, 1)).toEqual(Buffer.from('aa', 'hex'));
  expect(headerExtension(packet, 2)).toBeUndefined();
});

it('finds an element with a header of two bytes, which may be empty', () => {
  const packet = rtp('10000002 0500 1402abcd 0000 ff');
  expect(headerExtension(packet, 5)).toHaveLength(0);
  expect(headerExtension(packet, 20)).toEqual(Buffer.from('abcd', 'hex'));
});

it('finds nothing where there is no extension, another profile, or one that is cut off', () => {
  expect(headerExtension(Buffer.from('8060000100000002000000030102', 'hex'), 1)).toBeUndefined();
  expect(headerExtension(rtp('abcd0001 10aa0000'), 1)).toBeUndefined();
  expect(headerExtension(rtp('bede0009 10aa0000'), 1)).toBeUndefined();
  expect(headerExtension(rtp('bede0001 13aa0000'), 1)).toBeUndefined();
});
