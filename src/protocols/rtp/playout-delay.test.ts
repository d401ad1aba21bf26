import { describe, expect, it } from 'vitest';
import { headerExtension } from './header-extension.ts';
import { playoutDelayBlock } from './playout-delay.ts';

const hex = (digits: string) => Buffer.from(digits.replace(/\s/g, ''), 'hex');

describe('the playout delay', () => {
  it('is one element of three bytes, least and greatest in 12 bits each, in tens of milliseconds', () => {
    expect(playoutDelayBlock(5, { min: 0, max: 0 })).toEqual(hex('bede0001 52 000000'));
    expect(playoutDelayBlock(14, { min: 10, max: 20 })).toEqual(hex('bede0001 e2 001002'));
    expect(playoutDelayBlock(1, { min: 2730, max: 40_950 })).toEqual(hex('bede0001 12 111fff'));
  });

  it('is rounded up, and no longer than can be said', () => {
    expect(playoutDelayBlock(1, { min: 1, max: 50_000 })).toEqual(hex('bede0001 12 001fff'));
  });

  it('is found behind a header, as any other extension', () => {
    const header = hex('90e00001 00000002 00000003');
    const packet = Buffer.concat([header, playoutDelayBlock(6, { min: 0, max: 20 })!, hex('ff')]);
    expect(headerExtension(packet, 6)).toEqual(hex('000002'));
  });

  it('is not written under an id that a header of one byte has no room for', () => {
    for (const id of [0, 15, 255]) expect(playoutDelayBlock(id, { min: 0, max: 0 })).toBeUndefined();
  });
});
