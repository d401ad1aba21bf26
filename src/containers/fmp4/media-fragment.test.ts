import { describe, expect, test } from 'vitest';
import { boxAt, boxes, nalUnits, readSamples } from '../../../test/support/fmp4-reader.ts';
import { mediaFragment, type Sample } from './media-fragment.ts';

const nal = Buffer.from('6588aabbcc', 'hex');

function sample(over: Partial<Sample> = {}): Sample {
  return { payload: [nal], size: 9, duration: 3600, sync: true, compositionOffset: 0, ...over };
}

describe('a media fragment', () => {
  test('is one moof and one mdat in one Buffer of exact size', () => {
    const run = { trackId: 1, baseTime: 0, lengthPrefixed: true, samples: [sample()] };
    const bytes = mediaFragment(7, [run]);
    expect(boxes(bytes).map(({ type }) => type)).toEqual(['moof', 'mdat']);
    expect(boxAt(bytes, 'moof/mfhd').readUInt32BE(4)).toBe(7);
    expect(boxAt(bytes, 'mdat').toString('hex')).toBe('000000056588aabbcc');
  });

  test('carries decode times beyond 32 bits', () => {
    const baseTime = 2 ** 40 + 3;
    const bytes = mediaFragment(1, [{ trackId: 1, baseTime, lengthPrefixed: true, samples: [sample()] }]);
    expect(boxAt(bytes, 'moof/traf/tfdt').toString('hex')).toBe('010000000000010000000003');
    expect(readSamples(bytes)[0]?.dts).toBe(baseTime);
  });

  test('gives composition offsets of either sign where presentation differs from decoding, else none', () => {
    const samples = [sample({ compositionOffset: 7200 }), sample({ compositionOffset: -3600, sync: false })];
    const run = { trackId: 1, baseTime: 9000, lengthPrefixed: true, samples };
    const read = readSamples(mediaFragment(1, [run]));
    expect(read.map(({ dts, pts, sync }) => [dts, pts, sync])).toEqual([
      [9000, 16_200, true],
      [12_600, 9000, false],
    ]);
    const plain = mediaFragment(1, [{ ...run, samples: [sample()] }]);
    expect(boxAt(plain, 'moof/traf/trun').readUIntBE(1, 3) & 0x800).toBe(0);
  });

  test('takes several tracks, each run pointing at its own bytes', () => {
    const frame = Buffer.from('2110046080', 'hex');
    const bytes = mediaFragment(1, [
      { trackId: 1, baseTime: 0, lengthPrefixed: true, samples: [sample({ payload: [nal, nal], size: 18 })] },
      {
        trackId: 2,
        baseTime: 1024,
        lengthPrefixed: false,
        samples: [sample({ payload: [frame], size: 5 }), sample({ payload: [nal], size: 5 })],
      },
    ]);
    const [video, first, second] = readSamples(bytes);
    expect(nalUnits(video!.data)).toEqual([nal, nal]);
    expect(first).toMatchObject({ trackId: 2, dts: 1024, data: frame });
    expect(second?.data).toEqual(nal);
  });

  test('leaves room in front for the header of the wire', () => {
    const run = { trackId: 1, baseTime: 0, lengthPrefixed: true, samples: [sample()] };
    const bare = mediaFragment(1, [run]);
    const enveloped = mediaFragment(1, [run], {
      headerSize: () => 3,
      writeHeader: (target, size) => target.writeUIntBE(size, 0, 3),
    });
    expect(enveloped.readUIntBE(0, 3)).toBe(bare.length);
    expect(enveloped.subarray(3)).toEqual(bare);
  });
});
