import { describe, expect, it } from 'vitest';
import { WrappedTicks } from './wrapped-ticks.ts';

const RANGE = 2n ** 33n;

describe('timestamps of a live MPEG-TS', () => {
  it('go on over the end of their 33 bits, again and again', () => {
    const ticks = new WrappedTicks({ num: 1n, den: 90_000n });
    const sent = Array.from({ length: 20 }, (_, n) => BigInt(n) * (RANGE / 7n));
    expect(sent.map((one) => ticks.unwrap(one % RANGE))).toEqual(sent);
  });

  it('keep a picture after its decoding time where only its decoding time is before the wrap', () => {
    const ticks = new WrappedTicks({ num: 1n, den: 90_000n });
    expect(ticks.unwrap(RANGE - 3600n)).toBe(RANGE - 3600n);
    expect(ticks.beside(3600n)).toBe(RANGE + 3600n);
    expect(ticks.unwrap(0n)).toBe(RANGE);
    expect(ticks.beside(7200n)).toBe(RANGE + 7200n);
  });

  it('step back where the sender began anew: that is for the hub to join', () => {
    const ticks = new WrappedTicks({ num: 1n, den: 90_000n });
    ticks.unwrap(900_000n);
    expect(ticks.unwrap(0n)).toBe(0n);
  });
});

it('Milliseconds of FLV have 32 bits, and other time bases never wrap', () => {
  const flv = new WrappedTicks({ num: 1n, den: 1000n });
  flv.unwrap(2n ** 32n - 40n);
  expect(flv.unwrap(0n)).toBe(2n ** 32n);
  const other = new WrappedTicks({ num: 1n, den: 48_000n });
  other.unwrap(2n ** 33n - 1n);
  expect(other.unwrap(0n)).toBe(0n);
});
