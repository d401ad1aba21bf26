import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VideoTrack } from '#media/track.ts';
import {
  ac3Frame,
  ac3Track,
  av1Inter,
  av1Keyframe,
  av1TenBits,
  av1Track,
  mp3Frame,
  mp3Track,
  mpeg4Headers,
  mpeg4Inter,
  mpeg4Keyframe,
  mpeg4Track,
  vp8Inter,
  vp8Keyframe,
  vp8Track,
  vp9Inter,
  vp9Keyframe,
  vp9Track,
} from '../../test/support/coded-samples.ts';
import { ac3Format, ac3TrackOf, parseAc3Frame } from './ac3.ts';
import {
  av1Configuration,
  av1Format,
  isAv1Keyframe,
  leb128,
  parseAv1SequenceHeader,
  readAv1Configuration,
  readLeb128,
  splitObus,
} from './av1.ts';
import { VideoIngest } from './ingest.ts';
import { mp3TrackOf, parseMp3Header } from './mp3.ts';
import { mpeg4Configuration, mpeg4Format, mpeg4PictureType } from './mpeg4.ts';
import { parseVp8Frame } from './vp8.ts';
import { parseVp9Frame, vp9Format, vpConfiguration } from './vp9.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));

describe('AV1', () => {
  it('says size, profile and level in its sequence header', () => {
    expect(av1Track.format).toMatchObject({ width: 64, height: 64, codecString: 'av01.0.00M.08' });
    expect(parseAv1SequenceHeader(av1Keyframe[0]!)).toMatchObject({
      bitDepth: 8,
      monochrome: false,
      subsamplingX: 1,
      subsamplingY: 1,
    });
  });

  it('has a full name where its colours are not the usual ones', () => {
    const format = av1Format(av1TenBits);
    expect(format.codecString).toBe('av01.0.00M.10.0.110.09.16.09.0');
    expect(av1Configuration(format).subarray(0, 4)).toEqual(hex('81004c00'));
  });

  it('can be decoded from a shown keyframe on, and from nothing else', () => {
    expect(isAv1Keyframe(av1Keyframe)).toBe(true);
    expect(isAv1Keyframe(av1Inter)).toBe(false);
    const hidden = hex('320100');
    expect(isAv1Keyframe([av1Keyframe[0]!, hidden])).toBe(false);
    expect(isAv1Keyframe([])).toBe(false);
  });

  it('is split into units with sizes, whether the last one had its own or not', () => {
    const [header, frame] = av1Keyframe;
    expect(splitObus(Buffer.concat([hex('1200'), header!, frame!, hex('7a0100')]))).toEqual(av1Keyframe);
    expect(splitObus(hex('0a0100' + '3010ff'))).toEqual([hex('0a0100'), hex('320210ff')]);
    expect(splitObus(hex('0a0100' + '32ff'))).toEqual([hex('0a0100')]);
  });

  it('gets its sequence header back from av1C', () => {
    const record = av1Configuration(av1Track.format as ReturnType<typeof av1Format>);
    expect(readAv1Configuration(record)).toEqual(av1Keyframe[0]);
    expect(readAv1Configuration(hex('0142'))).toBeUndefined();
    expect(() => av1Configuration(av1Format())).toThrow(RangeError);
  });

  it('counts in leb128', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
        const coded = Buffer.from(leb128(value));
        expect(readLeb128(coded, 0)).toEqual({ value, end: coded.length });
      }),
    );
    expect(readLeb128(hex('ffffffffffffffff'), 0)).toBeUndefined();
    expect(readLeb128(hex('80'), 0)).toBeUndefined();
  });
});

describe('VP9 and VP8', () => {
  it('say their size in keyframes', () => {
    expect(vp9Track.format).toMatchObject({
      width: 64,
      height: 64,
      codecString: 'vp09.00.10.08.01.02.02.02.00',
    });
    expect(vp8Track.format).toMatchObject({ width: 64, height: 64, codecString: 'vp8' });
    expect(parseVp9Frame(vp9Keyframe)?.keyframe).toBe(true);
    expect(parseVp9Frame(vp9Inter)).toEqual({ keyframe: false, profile: 0 });
    expect(parseVp8Frame(vp8Keyframe)).toEqual({ keyframe: true, width: 64, height: 64 });
    expect(parseVp8Frame(vp8Inter)).toEqual({ keyframe: false, width: 0, height: 0 });
  });

  it.each([
    [640, 360, 21],
    [1280, 720, 31],
    [1920, 1080, 40],
    [3840, 2160, 50],
    [16_384, 8192, 62],
  ])('name the level of pictures of %i × %i', (width, height, level) => {
    const sequence = { ...parseVp9Frame(vp9Keyframe)!.sequence!, width, height };
    const { codecString } = vp9Format({ keyframe: true, profile: 0, sequence });
    expect(codecString.split('.')[2]).toBe(String(level));
  });

  it('name bit depth, subsampling and colours, and write them into vpcC', () => {
    const sequence = {
      ...{ width: 64, height: 64, bitDepth: 10, colourSpace: 5, fullRange: true },
      ...{ subsamplingX: 0, subsamplingY: 0 },
    };
    const format = vp9Format({ keyframe: true, profile: 3, sequence });
    expect(format.codecString).toBe('vp09.03.10.10.03.09.14.09.01');
    expect(vpConfiguration(format)).toEqual(hex('030aa7090e090000'));
    expect(() => vpConfiguration(vp9Format())).toThrow(RangeError);
  });

  it('tell a frame that shows an earlier one from a keyframe', () => {
    expect(parseVp9Frame(hex('88'))).toEqual({ keyframe: false, profile: 0 });
  });
});

describe('MPEG-4 part 2', () => {
  it('says in its headers how it is coded, and in each picture of what kind it is', () => {
    expect(mpeg4Track.format).toMatchObject({ width: 64, height: 64, codecString: 'mp4v.20.1' });
    expect(mpeg4PictureType(mpeg4Keyframe)).toBe('I');
    expect(mpeg4PictureType(mpeg4Inter)).toBe('P');
    expect(mpeg4PictureType(mpeg4Headers)).toBeUndefined();
    expect(mpeg4Configuration(Buffer.concat([mpeg4Headers, mpeg4Keyframe]))).toEqual(mpeg4Headers);
    expect(mpeg4Configuration(mpeg4Keyframe)).toHaveLength(0);
  });

  it('has its headers in front of each keyframe, whether they come in it or stand in a description', () => {
    const described = new VideoIngest(mpeg4Track as VideoTrack);
    const [front, picture] = described.push([mpeg4Keyframe], 0)!.payload;
    expect([front, picture]).toEqual([mpeg4Headers, mpeg4Keyframe]);
    expect(described.push([mpeg4Inter], 3600)).toMatchObject({ keyframe: false, payload: [mpeg4Inter] });
    const plain = new VideoIngest({ ...mpeg4Track, format: mpeg4Format(Buffer.alloc(0)) });
    // Nobody can begin at a picture of unknown size.
    expect(plain.push([mpeg4Keyframe], 0)).toMatchObject({ keyframe: false });
    const whole = Buffer.concat([mpeg4Headers, mpeg4Keyframe]);
    expect(plain.push([whole], 3600)).toMatchObject({ keyframe: true, payload: [whole] });
    expect(plain.track.format).toMatchObject({ width: 64, codecString: 'mp4v.20.1' });
  });
});

describe('MP3', () => {
  it('says in every frame how it is coded and how long it is', () => {
    expect(parseMp3Header(mp3Frame)).toEqual({ sampleRate: 44_100, channels: 1, samples: 1152, size: 104 });
    // MPEG-2, 24 kHz, 64 kbit/s, padded; and a free bit rate, which says no size.
    expect(parseMp3Header(hex('fff38600'))).toMatchObject({ sampleRate: 24_000, samples: 576, size: 193 });
    expect(parseMp3Header(hex('fffb00c4'))).toBeUndefined();
    expect(mp3TrackOf(mp3Track, mp3Frame)).toBe(mp3Track);
    expect(mp3TrackOf(mp3Track, hex('fff38600')).format).toMatchObject({ sampleRate: 24_000, channels: 2 });
  });
});

describe('AC-3', () => {
  it('says in every frame how it is coded', () => {
    expect(parseAc3Frame(ac3Frame)).toMatchObject({ sampleRate: 48_000, channels: 2, size: ac3Frame.length });
    expect(ac3Track.format).toMatchObject({ codecString: 'ac-3', config: hex('101000') });
  });

  it.each([
    ['5.1 at 44.1 kHz, an odd frame', '0b7700005b43ff', { sampleRate: 44_100, channels: 6, size: 1394 }],
    ['mono at 32 kHz', '0b7700008040' + '20', { sampleRate: 32_000, channels: 1, size: 192 }],
  ])('has the size of its bit rate: %s', (_, start, expected) => {
    expect(parseAc3Frame(Buffer.concat([hex(start), Buffer.alloc(4)]))).toMatchObject(expected);
  });

  it('is not taken for E-AC-3, nor what is broken for either', () => {
    expect(parseAc3Frame(Buffer.concat([hex('0b77000000' + '80'), Buffer.alloc(8)]))).toBeUndefined();
    expect(parseAc3Frame(hex('0b77'))).toBeUndefined();
  });

  it('changes its track when its frames do, and only then', () => {
    const unknown = { ...ac3Track, format: ac3Format({ sampleRate: 48_000, channels: 6 }) };
    const known = ac3TrackOf(unknown, ac3Frame);
    expect(known).toMatchObject({ id: ac3Track.id, format: ac3Track.format });
    expect(ac3TrackOf(known, ac3Frame)).toBe(known);
    expect(ac3TrackOf(known, hex('00'))).toBe(known);
  });
});

it('whatever comes, none of the readers throws', () => {
  fc.assert(
    fc.property(bytes, fc.nat(40), (tail, cut) => {
      for (const seed of [...av1Keyframe, vp9Keyframe, vp8Keyframe, ac3Frame, mpeg4Headers, mp3Frame]) {
        const input = Buffer.concat([seed.subarray(0, cut), tail]);
        for (const obu of splitObus(input)) parseAv1SequenceHeader(obu);
        isAv1Keyframe([input]);
        readAv1Configuration(input);
        parseVp9Frame(input);
        parseVp8Frame(input);
        parseAc3Frame(input);
        parseMp3Header(input);
        mpeg4Format(mpeg4Configuration(input));
        mpeg4PictureType(input);
      }
    }),
    { numRuns: 300 },
  );
});
