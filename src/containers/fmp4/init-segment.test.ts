import { describe, expect, test } from 'vitest';
import { h264Format } from '#codecs/h264.ts';
import { ac3Track, av1Keyframe, av1Track, vp8Track, vp9Track } from '../../../test/support/coded-samples.ts';
import { boxAt, boxes, readInit } from '../../../test/support/fmp4-reader.ts';
import { aacTrack, h264Track, opusTrack, pps, sps } from '../../../test/support/fmp4-units.ts';
import { initSegment } from './init-segment.ts';

/** 720 × 576 with pixels of 64:45, which is 16:9. */
const anamorphicSps = Buffer.from('6742c01eda02d049bff0040002d1000003000100000300320f162ea0', 'hex');

describe('an initialisation segment', () => {
  test('is ftyp and moov, with mvex for every track and no sample', () => {
    const init = initSegment([h264Track, aacTrack]);
    expect(boxes(init).map(({ type }) => type)).toEqual(['ftyp', 'moov']);
    const trexes = boxes(boxAt(init, 'moov/mvex'));
    expect(trexes.map(({ type, body }) => [type, body.readUInt32BE(4)])).toEqual([
      ['trex', 1],
      ['trex', 2],
    ]);
    expect(boxAt(init, 'moov/trak/mdia/minf/stbl/stsz').readUInt32BE(8)).toBe(0);
  });

  test('gives each track its own clock rate as timescale, and a number by its place', () => {
    const tracks = readInit(initSegment([h264Track, aacTrack]));
    expect(
      tracks.map(({ trackId, timescale, handler, entry }) => [trackId, timescale, handler, entry]),
    ).toEqual([
      [1, 90_000, 'vide', 'avc1'],
      [2, 48_000, 'soun', 'mp4a'],
    ]);
  });

  test('carries SPS and PPS in avcC, with four bytes of length for NAL units', () => {
    const [video] = readInit(initSegment([h264Track]));
    expect(video?.configuration.subarray(0, 6).toString('hex')).toBe('0142c01effe1');
    expect(video?.configuration.includes(sps)).toBe(true);
    expect(video?.configuration.includes(pps)).toBe(true);
  });

  test('says width and height in pixels', () => {
    const entry = boxAt(initSegment([h264Track]), 'moov/trak/mdia/minf/stbl/stsd').subarray(16);
    expect([entry.readUInt16BE(24), entry.readUInt16BE(26)]).toEqual([640, 360]);
    const tkhd = boxAt(initSegment([h264Track]), 'moov/trak/tkhd');
    expect([tkhd.readUInt32BE(76) / 65_536, tkhd.readUInt32BE(80) / 65_536]).toEqual([640, 360]);
  });

  test('says that pixels are not square, and the size that the picture is shown at', () => {
    const wide = { ...h264Track, format: h264Format([anamorphicSps, pps]) };
    const init = initSegment([wide]);
    const stsd = boxAt(init, 'moov/trak/mdia/minf/stbl/stsd');
    const pasp = stsd.subarray(stsd.indexOf('pasp') + 4);
    expect([pasp.readUInt32BE(0), pasp.readUInt32BE(4)]).toEqual([64, 45]);
    const entry = stsd.subarray(16);
    expect([entry.readUInt16BE(24), entry.readUInt16BE(26)]).toEqual([720, 576]);
    const tkhd = boxAt(init, 'moov/trak/tkhd');
    expect([tkhd.readUInt32BE(76) / 65_536, tkhd.readUInt32BE(80) / 65_536]).toEqual([1024, 576]);
    expect(initSegment([h264Track]).includes('pasp')).toBe(false);
  });

  test('carries the AudioSpecificConfig in esds', () => {
    const [audio] = readInit(initSegment([aacTrack]));
    const config = aacTrack.format.kind === 'audio' ? aacTrack.format.config : Buffer.alloc(0);
    expect(
      audio?.configuration.includes(Buffer.concat([Buffer.from([0x05, 0x80, 0x80, 0x80, 2]), config])),
    ).toBe(true);
  });

  test('describes Opus by dOps', () => {
    const [audio] = readInit(initSegment([opusTrack]));
    expect(audio?.entry).toBe('Opus');
    expect(audio?.configuration[1]).toBe(2);
    expect(audio?.configuration.length).toBe(11);
  });

  test('describes AV1 by av1C with its sequence header, VP9 by vpcC, AC-3 by dac3', () => {
    const [av1, ac3] = readInit(initSegment([av1Track, ac3Track]));
    expect([av1?.entry, ac3?.entry]).toEqual(['av01', 'ac-3']);
    expect(av1?.configuration.subarray(0, 4).toString('hex')).toBe('81000c00');
    expect(av1?.configuration.subarray(4)).toEqual(av1Keyframe[0]);
    // 48 kHz, bsid 8, stereo, 32 kbit/s.
    expect(ac3?.configuration.toString('hex')).toBe('101000');
    const [vp9] = readInit(initSegment([vp9Track]));
    expect(vp9?.entry).toBe('vp09');
    expect(vp9?.configuration.toString('hex')).toBe('01000000' + '000a82' + '020202' + '0000');
  });

  test('cannot be made for VP8, and says where it can be watched', () => {
    expect(() => initSegment([vp8Track])).toThrow(/VP8.*WebRTC/);
  });

  test('cannot be made for a codec that fMP4 does not carry, and says what to send', () => {
    const mjpeg = { ...h264Track, format: { ...h264Track.format, codec: 'mjpeg' as const } };
    expect(() => initSegment([mjpeg as typeof h264Track])).toThrow(/MJPEG.*H\.264/);
  });

  test('cannot be made before the parameter sets were seen', () => {
    const unseen = {
      ...h264Track,
      format: { ...h264Track.format, parameterSets: [], codecString: '', width: 0 },
    };
    expect(() => initSegment([unseen as typeof h264Track])).toThrow(/not shown its parameters/);
  });
});
