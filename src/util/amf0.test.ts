import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AmfValue } from './amf-value.ts';
import { parseAmf0, writeAmf0, writeEcmaArray } from './amf0.ts';

const { value } = fc.letrec<{ value: AmfValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.string(),
    fc.constant(null),
    fc.constant(undefined),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 4, noNullPrototype: false },
    ),
  ),
}));

describe('AMF 0', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (values) => {
        const plain = (one: unknown) => structuredClone(one);
        expect(plain(parseAmf0(writeAmf0(...values)))).toEqual(plain(values));
      }),
    );
  });

  it('reads the command that ffmpeg begins with', () => {
    const bytes = Buffer.concat([
      Buffer.from('020007636f6e6e656374003ff0000000000000', 'hex'),
      Buffer.from('0300036170700200046c697665000009', 'hex'),
    ]);
    expect(parseAmf0(bytes)).toMatchObject(['connect', 1, { app: 'live' }]);
    expect(writeAmf0('connect', 1, { app: 'live' })).toEqual(bytes);
  });

  it('reads an ECMA array as an object, also without its end', () => {
    const array = writeEcmaArray({ width: 640, stereo: true });
    expect(parseAmf0(array)).toMatchObject([{ width: 640, stereo: true }]);
    expect(parseAmf0(array.subarray(0, -3))).toMatchObject([{ width: 640, stereo: true }]);
  });

  it('takes no key of an object for its prototype', () => {
    const [object] = parseAmf0(Buffer.from('0300095f5f70726f746f5f5f05000009', 'hex'));
    expect(Object.keys(object as object)).toEqual(['__proto__']);
  });

  it('refuses what is cut off, nested too deep, of another type, or larger than it can be', () => {
    const whole = writeAmf0('onStatus', 0, null, { code: 'x' });
    for (const bytes of [
      whole.subarray(0, 5),
      writeAmf0(Array.from({ length: 20 }).reduce<AmfValue>((inner) => [inner], 1)),
      Buffer.from([0x12, 1]),
      Buffer.from('070001', 'hex'),
      Buffer.from('0affffffff05', 'hex'),
    ]) {
      expect(() => parseAmf0(bytes)).toThrow(expect.objectContaining({ code: 'AMF_INVALID' }));
    }
  });
});
