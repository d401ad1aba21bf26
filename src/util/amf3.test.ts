import { describe, expect, it } from 'vitest';
import { parseAmf0, writeAmf0 } from './amf0.ts';
import { Amf3Reader } from './amf3.ts';

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const read = (digits: string) => new Amf3Reader(hex(digits)).read(0).value;
const text = (words: string) => `${(words.length * 2 + 1).toString(16).padStart(2, '0')}${ascii(words)}`;
const ascii = (words: string) => Buffer.from(words).toString('hex');

describe('values of AMF 3', () => {
  it.each([
    ['undefined', '00', undefined],
    ['null', '01', null],
    ['false', '02', false],
    ['true', '03', true],
    ['a number of one byte', '04 7f', 127],
    ['a number of two bytes', '04 81 00', 128],
    ['a number of three bytes', '04 ff ff 7f', 0x1f_ffff],
    ['the largest whole number', '04 bf ff ff ff', 2 ** 28 - 1],
    ['the smallest whole number', '04 c0 80 80 00', -(2 ** 28)],
    ['minus one', '04 ff ff ff ff', -1],
    ['a number with a fraction', '05 3ff8000000000000', 1.5],
    ['a string', `06 ${text('live')}`, 'live'],
    ['a date', '08 01 4270000000000000', new Date(2 ** 40)],
    ['a list', `09 05 01 04 01 06 ${text('a')}`, [1, 'a']],
    ['bytes, one a character', '0c 05 00ff', '\u0000\u00ff'],
    ['a vector of whole numbers', '0d 05 00 ffffffff 00000002', [-1, 2]],
    ['a vector of numbers without a sign', '0e 03 00 ffffffff', [2 ** 32 - 1]],
    ['a vector of doubles', '0f 03 00 3ff8000000000000', [1.5]],
    ['a vector of objects', '10 05 00 01 04 01 02', [1, false]],
  ])('are read: %s', (_, digits, value) => {
    expect(read(digits)).toEqual(value);
  });

  it('are read as objects: lists with names, dictionaries, members of a class and further ones', () => {
    expect(read(`09 03 ${text('k')} 03 01 04 05`)).toEqual({ k: true, 0: 5 });
    expect(read(`11 03 00 06 ${text('k')} 04 07`)).toEqual({ k: 7 });
    // One member of the class, then one more.
    expect(read(`0a 1b ${text('C')} ${text('app')} 06 ${text('live')} ${text('x')} 01 01`)).toEqual({
      app: 'live',
      x: null,
    });
    expect(read(`0a 07 ${text('flex.messaging.io.ArrayCollection')} 09 03 01 04 01`)).toEqual([1]);
  });

  it('refer to strings, objects and classes that came before', () => {
    const list = read(`09 07 01 0a 13 01 ${text('app')} 06 ${text('live')} 0a 01 06 02 0a 02`);
    expect(list).toEqual([{ app: 'live' }, { app: 'live' }, { app: 'live' }]);
    const [first, , third] = list as object[];
    expect(third).toBe(first);
  });

  it('stand behind a marker among values of AMF 0, and share what they refer to', () => {
    const message = Buffer.concat([
      writeAmf0('call', 2),
      hex(`11 06 ${text('shared')}`),
      writeAmf0(null),
      hex('11 06 00'),
    ]);
    expect(parseAmf0(message)).toEqual(['call', 2, 'shared', null, 'shared']);
  });

  it.each([
    ['that end too early', '05 3ff8'],
    ['of unknown types', '12'],
    ['that refer to nothing', '06 00'],
    ['of classes that write themselves', `0a 07 ${text('a.B')} 01`],
    ['that are longer than their message', '0c ff ff ff ff'],
    ['that lie too deep', '09 03 01 '.repeat(20)],
    ['of too many parts', `09 bf ff 7f 01 ${'01'.repeat(5000)}`],
  ])('are refused: those %s', (_, digits) => {
    expect(() => read(digits)).toThrow(expect.objectContaining({ code: 'AMF_INVALID' }));
  });
});
