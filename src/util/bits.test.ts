import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BitReader, BitWriter } from './bits.ts';

describe('BitReader', () => {
  it('reads back what BitWriter wrote', () => {
    const field = fc
      .integer({ min: 1, max: 32 })
      .chain((bits) => fc.tuple(fc.constant(bits), fc.integer({ min: 0, max: 2 ** bits - 1 })));
    fc.assert(
      fc.property(fc.array(field, { maxLength: 40 }), (fields) => {
        const writer = new BitWriter();
        for (const [bits, value] of fields) writer.write(bits, value);
        const reader = new BitReader(writer.toBuffer());
        expect(fields.map(([bits]) => reader.read(bits))).toEqual(fields.map(([, value]) => value));
        expect(reader.overrun).toBe(false);
      }),
    );
  });

  it('reads Exp-Golomb codes as in table 9-2', () => {
    // 1, 010, 011, 00100, 00111
    const reader = new BitReader(new BitWriter().write(17, 0b1_010_011_00100_00111).toBuffer());
    expect([reader.ue(), reader.ue(), reader.ue(), reader.ue(), reader.ue()]).toEqual([0, 1, 2, 3, 6]);
    const signed = new BitReader(new BitWriter().write(17, 0b1_010_011_00100_00101).toBuffer());
    expect([signed.se(), signed.se(), signed.se(), signed.se(), signed.se()]).toEqual([-0, 1, -1, 2, -2]);
  });

  it('gives zeros past the end and says so', () => {
    const reader = new BitReader(Buffer.from([0xff]));
    expect(reader.read(12)).toBe(0xff0);
    expect(reader.overrun).toBe(true);
    const zeros = new BitReader(Buffer.alloc(3));
    expect(zeros.ue()).toBe(0);
    expect(zeros.overrun).toBe(true);
  });
});
