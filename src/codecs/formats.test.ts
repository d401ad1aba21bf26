import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aacFormat, aacFrameDuration, buildAacConfig, parseAacConfig } from './aac.ts';
import { pcmaFormat, pcmuFormat } from './g711.ts';
import { avcConfiguration, h264Format, isH264Keyframe, parseH264Sps, pixelAspect } from './h264.ts';
import { h265CodecString, h265Format, hevcConfiguration, isH265Keyframe, parseH265Sps } from './h265.ts';
import { joinAnnexB, splitAnnexB, toRbsp } from './nal.ts';
import { opusConfiguration, opusFormat, opusPacketDuration } from './opus.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

// Parameter sets written by x264 and x265.
const HIGH = hex('6764001eacd940a02ff97ff000300041000003000100000300320f162d96');
const HIGH_PPS = hex('68ebe3cb22c0');
const VPS = hex('40010c01ffff01600000030090000003000003005d959809');
const SPS = hex(
  '42010101600000030090000003000003005da00280802d165959a4932bffc000c0011a020000030002000003003210',
);
const PPS = hex('4401c172b46240');

describe('H.264 parameter sets', () => {
  it.each([
    ['high with B-frames', HIGH, { width: 640, height: 360, profile: 100, maxReorderFrames: 2, fps: 25 }],
    [
      'baseline',
      hex('6742c00dd90141fb011000000300100000030320f142a480'),
      { width: 320, height: 240, profile: 66, maxReorderFrames: 0 },
    ],
    [
      'main, cropped to 1080 lines',
      hex('674d4028eca03c0113f2ffe000600082000003000200000300641e30632c'),
      { width: 1920, height: 1080, level: 40 },
    ],
    [
      'ten bits, odd height',
      hex('676e000da6cd9414087e23ff007900781000000300100000030320f1429960'),
      { width: 320, height: 242, bitDepthLuma: 10 },
    ],
    [
      'interlaced',
      hex('6764001eacd940b424dff8008000788000000300800000190f8a14cb'),
      { width: 720, height: 576 },
    ],
  ])('are read: %s', (_name, sps, expected) => {
    expect(parseH264Sps(sps)).toMatchObject(expected);
  });

  it.each([
    ['square', hex('6742c01eda0280bfe5c044000003000400000300c83c58ba80'), [1, 1]],
    ['square where it cannot be read', hex('6742c00dd90141fb'), [1, 1]],
    ['narrow', HIGH, [3, 4]],
    ['written out', hex('6742c01eda02d049bff0040002d1000003000100000300320f162ea0'), [64, 45]],
    ['by its number in table E-1', hex('6742c00dda05825b021000000300100000030320f142aa'), [12, 11]],
  ])('say the shape of a pixel: %s', (_name, sps, expected) => {
    expect(pixelAspect(h264Format([sps, HIGH_PPS]))).toEqual(expected);
  });

  it('make a format with codec string and the avcC that ffmpeg writes for it', () => {
    const format = h264Format([HIGH_PPS, HIGH]);
    expect(format).toMatchObject({ width: 640, height: 360, codecString: 'avc1.64001e' });
    expect(format.parameterSets).toEqual([HIGH, HIGH_PPS]);
    expect(avcConfiguration(format).toString('hex')).toBe(
      '0164001effe1001e6764001eacd940a02ff97ff000300041000003000100000300320f162d9601000668ebe3cb22c0fdf8f800',
    );
  });

  it('leave everything unknown without a readable SPS, and avcC impossible', () => {
    expect(h264Format([])).toMatchObject({ width: 0, height: 0, codecString: '', parameterSets: [] });
    expect(() => avcConfiguration(h264Format([]))).toThrow(RangeError);
  });

  it('never throw on broken bytes', () => {
    fc.assert(
      fc.property(bytes, (tail) => {
        parseH264Sps(Buffer.concat([hex('67640028'), tail]));
        parseH265Sps(Buffer.concat([hex('4201'), tail]));
        parseAacConfig(tail);
        expect(opusPacketDuration(tail)).toBeLessThanOrEqual(5760);
      }),
      { numRuns: 500 },
    );
    for (let cut = 0; cut < HIGH.length; cut++) parseH264Sps(HIGH.subarray(0, cut));
    for (let cut = 0; cut < SPS.length; cut++) parseH265Sps(SPS.subarray(0, cut));
  });
});

describe('H.265 parameter sets', () => {
  it('make a format with codec string and reorder depth', () => {
    const format = h265Format([PPS, SPS, VPS]);
    expect(format).toMatchObject({ width: 1280, height: 720, codecString: 'hvc1.1.6.L93.90' });
    expect(format.parameterSets).toEqual([VPS, SPS, PPS]);
    expect(parseH265Sps(SPS)?.maxReorderFrames).toBe(2);
  });

  it('make the hvcC that ffmpeg writes, with the arrays marked complete as hvc1 demands', () => {
    expect(hevcConfiguration(h265Format([VPS, SPS, PPS])).toString('hex')).toBe(
      '0101600000009000000000005df000fcfdf8f800000f03' +
        `a000010018${VPS.toString('hex')}a10001002f${SPS.toString('hex')}a200010007${PPS.toString('hex')}`,
    );
  });

  it('write the codec strings of ISO/IEC 14496-15 annex E', () => {
    expect(h265CodecString(hex('0160000000b0000000000' + '05d'))).toBe('hvc1.1.6.L93.B0');
    expect(h265CodecString(hex('2220000000b00000000000' + '78'))).toBe('hvc1.2.4.H120.B0');
  });
});

describe('NAL units', () => {
  it('survive the way through a byte stream', () => {
    const nal = bytes.map((body) => Buffer.concat([hex('65'), Buffer.from(body.map((byte) => byte | 4))]));
    fc.assert(
      fc.property(fc.array(nal, { maxLength: 8 }), (nals) => {
        expect(splitAnnexB(joinAnnexB(nals))).toEqual(nals);
      }),
    );
  });

  it('are split at short and long start codes, without empty ones and trailing zeros', () => {
    expect(splitAnnexB(hex('0000000165aa0000010000010900000000016601'))).toEqual([
      hex('65aa'),
      hex('09'),
      hex('6601'),
    ]);
  });

  it('lose their emulation prevention in the RBSP', () => {
    expect(toRbsp(hex('6500000301000003'))).toEqual(hex('6500000100' + '00'));
  });

  it('tell where decoding can start', () => {
    expect(isH264Keyframe([HIGH, hex('65')])).toBe(true);
    expect(isH264Keyframe([HIGH, hex('41')])).toBe(false);
    expect(isH264Keyframe([hex('06060184' + '80'), hex('4188')])).toBe(true); // recovery point, intra slice
    expect(isH264Keyframe([hex('06060184' + '80'), hex('419a')])).toBe(false); // recovery point, P slice
    expect(isH264Keyframe([hex('06050200000601' + '84' + '80'), hex('4188')])).toBe(true); // behind another message
    expect(isH264Keyframe([hex('06060121' + '80'), hex('4188')])).toBe(false); // recovery needs frames
    expect(isH265Keyframe([hex('2a01')])).toBe(true);
    expect(isH265Keyframe([hex('0201')])).toBe(false);
  });
});

describe('audio', () => {
  it('reads AAC LC, and signalled band replication of both kinds', () => {
    expect(parseAacConfig(hex('1190'))).toEqual({
      objectType: 2,
      sampleRate: 48_000,
      channels: 2,
      frameLength: 1024,
    });
    // Hierarchical: type 5, 24 kHz stereo, extended to 48 kHz, core LC.
    expect(parseAacConfig(hex('2b118800'))).toMatchObject({
      objectType: 2,
      sampleRate: 24_000,
      extensionSampleRate: 48_000,
    });
    // Backward compatible: LC, then sync extension 0x2b7.
    expect(parseAacConfig(hex('131056e598'))).toMatchObject({
      objectType: 2,
      sampleRate: 24_000,
      extensionSampleRate: 48_000,
    });
    expect(parseAacConfig(hex('11'))).toBeUndefined();
  });

  it('writes the configurations that it reads', () => {
    expect(buildAacConfig({ sampleRate: 48_000, channels: 2 })).toEqual(hex('1190'));
    expect(buildAacConfig({ sampleRate: 44_100, channels: 1 })).toEqual(hex('1208'));
    expect(parseAacConfig(buildAacConfig({ sampleRate: 12_345, channels: 8 }))).toMatchObject({
      sampleRate: 12_345,
      channels: 8,
    });
  });

  it('counts a frame in ticks of the track', () => {
    expect(aacFrameDuration(aacFormat(hex('1190')), 48_000)).toBe(1024);
    expect(aacFrameDuration(aacFormat(hex('131056e598')), 48_000)).toBe(2048);
    expect(aacFormat(hex('1190'))).toMatchObject({
      codecString: 'mp4a.40.2',
      sampleRate: 48_000,
      channels: 2,
    });
  });

  it('knows the duration of Opus packets by their first byte', () => {
    expect(opusPacketDuration(hex('fc00'))).toBe(960); // CELT, 20 ms, one frame
    expect(opusPacketDuration(hex('7800'))).toBe(960); // hybrid, 20 ms
    expect(opusPacketDuration(hex('0000'))).toBe(480); // SILK, 10 ms
    expect(opusPacketDuration(hex('e300' + '00'))).toBe(0); // no frames
    expect(opusPacketDuration(hex('e303'))).toBe(360); // three frames of 2.5 ms
    expect(opusPacketDuration(Buffer.alloc(0))).toBe(0);
    expect(opusConfiguration(opusFormat(2)).toString('hex')).toBe('000200000000bb80000000');
  });

  it('describes G.711', () => {
    expect(pcmaFormat()).toMatchObject({ codec: 'pcma', sampleRate: 8000, channels: 1 });
    expect(pcmuFormat(16_000, 2)).toMatchObject({ codec: 'pcmu', sampleRate: 16_000, channels: 2 });
  });
});
