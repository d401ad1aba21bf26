import { describe, expect, it } from 'vitest';
import { h265Format } from '#codecs/h265.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { ac3Track, av1Track, vp8Track, vp9Track } from '../../../test/support/coded-samples.ts';
import { aacTrack, h264Track, opusTrack, picture, sound } from '../../../test/support/fmp4-units.ts';
import { parseAudioTag, parseVideoTag } from './tags.ts';
import { flvTag, sequenceHeader, unitBody, unsupportedInFlv } from './write.ts';
import { type FlvChunk, FlvWriter } from './writer.ts';

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const ascii = (text: string) => Buffer.from(text, 'latin1');
const join = (...parts: Buffer[]) => Buffer.concat(parts);

/** 1280 × 720 main profile, from x265. */
const h265Track: Track = {
  id: 3,
  clockRate: 90_000,
  format: h265Format(
    [
      '40010c01ffff01600000030090000003000003005d959809',
      '42010101600000030090000003000003005da00280802d165959a4932bffc000c0011a020000030002000003003210',
      '4401c172b46240',
    ].map(hex),
  ),
};

describe('bodies of FLV tags', () => {
  it('are read as old encoders write them', () => {
    expect(parseVideoTag(hex('17 00 000000 0164'))).toEqual({
      kind: 'config',
      codec: 'h264',
      data: hex('0164'),
    });
    const b = parseVideoTag(hex('27 01 ffffd8 aabb'));
    expect(b).toEqual({ kind: 'frame', codec: 'h264', compositionTime: -40, data: hex('aabb') });
    expect(parseVideoTag(hex('17 02 000000'))).toBeUndefined();
    expect(parseVideoTag(hex('1c 01 000028 aa'))).toMatchObject({ codec: 'h265', compositionTime: 40 });
    expect(parseAudioTag(hex('af 00 1190'))).toEqual({ kind: 'config', codec: 'aac', data: hex('1190') });
    expect(parseAudioTag(hex('72 d5'))).toEqual({ kind: 'frame', codec: 'pcma', data: hex('d5') });
    expect(parseAudioTag(hex('82 ff'))).toMatchObject({ codec: 'pcmu' });
    expect(parseAudioTag(hex('2f fffb'))).toMatchObject({ codec: 'mp3' });
  });

  it('are read as Enhanced RTMP writes them: FourCC, with and without composition time, with modifiers', () => {
    expect(parseVideoTag(join(hex('90'), ascii('hvc1'), hex('01')))).toMatchObject({
      kind: 'config',
      codec: 'h265',
    });
    expect(parseVideoTag(join(hex('91'), ascii('hvc1'), hex('000021 aa')))).toEqual({
      kind: 'frame',
      codec: 'h265',
      compositionTime: 33,
      data: hex('aa'),
    });
    expect(parseVideoTag(join(hex('a3'), ascii('hvc1'), hex('aa')))).toMatchObject({ compositionTime: 0 });
    expect(parseVideoTag(join(hex('97 02 000102 03'), ascii('avc1'), hex('aa')))).toMatchObject({
      codec: 'h264',
      data: hex('aa'),
    });
    expect(parseVideoTag(join(hex('94'), ascii('hvc1'), hex('02')))).toBeUndefined();
    expect(parseAudioTag(join(hex('91'), ascii('Opus'), hex('fc')))).toEqual({
      kind: 'frame',
      codec: 'opus',
      data: hex('fc'),
    });
    // Nanoseconds of the timestamp, and something that is longer than 255 bytes.
    expect(
      parseAudioTag(
        join(hex('97 02 0f4240 07 ff 0103'), Buffer.alloc(260), hex('01'), ascii('mp4a'), hex('21')),
      ),
    ).toEqual({ kind: 'frame', codec: 'aac', data: hex('21') });
  });

  it.each([
    ['av01', 'av1'],
    ['vp09', 'vp9'],
    ['vp08', 'vp8'],
  ])('have no composition time where pictures are not reordered: %s', (fourCc, codec) => {
    const frame = { kind: 'frame', codec, compositionTime: 0, data: hex('0a0b0c0d') };
    expect(parseVideoTag(join(hex('91'), ascii(fourCc), hex('0a0b0c0d')))).toEqual(frame);
    expect(parseVideoTag(join(hex('a3'), ascii(fourCc), hex('0a0b0c0d')))).toEqual(frame);
    expect(parseVideoTag(join(hex('90'), ascii(fourCc), hex('81')))).toEqual({
      kind: 'config',
      codec,
      data: hex('81'),
    });
  });

  it('are read with AC-3 in them, whose channels may be described apart', () => {
    expect(parseAudioTag(join(hex('91'), ascii('ac-3'), hex('0b77')))).toEqual({
      kind: 'frame',
      codec: 'ac3',
      data: hex('0b77'),
    });
    expect(parseAudioTag(join(hex('94'), ascii('ac-3'), hex('0006')))).toBeUndefined();
  });

  it.each([
    ['MPEG-TS', () => parseVideoTag(join(hex('95'), ascii('av01')))],
    ['FLAC', () => parseAudioTag(join(hex('91'), ascii('fLaC')))],
    ['E-AC-3', () => parseAudioTag(join(hex('91'), ascii('ec-3')))],
    ['Sorenson', () => parseVideoTag(hex('12 00'))],
    ['Speex', () => parseAudioTag(hex('b2 00'))],
    ['multitrack', () => parseVideoTag(join(hex('96 00'), ascii('hvc1')))],
    ['multitrack', () => parseAudioTag(join(hex('95 00'), ascii('mp4a')))],
  ])('are refused by name: %s', (name, parse) => {
    expect(parse).toThrow(expect.objectContaining({ code: 'CODEC_UNSUPPORTED' }));
    expect(parse).toThrow(new RegExp(name));
  });

  it('give back the units that were written, in every codec', () => {
    for (const track of [h264Track, h265Track]) {
      const slice = track === h264Track ? hex('65aabb') : hex('2601aabb');
      const unit: AccessUnit = { track, pts: 0, dts: 0, keyframe: true, ntp: 0, payload: [slice] };
      const tag = parseVideoTag(Buffer.concat(unitBody(unit, 80)!));
      expect(tag).toMatchObject({ kind: 'frame', codec: track.format.codec, compositionTime: 80 });
      expect(tag!.data).toEqual(join(Buffer.from([0, 0, 0, slice.length]), slice));
      expect(parseVideoTag(Buffer.concat(sequenceHeader(track)!))).toMatchObject({ kind: 'config' });
    }
    for (const track of [av1Track, vp9Track, vp8Track]) {
      const unit: AccessUnit = {
        track,
        pts: 0,
        dts: 0,
        keyframe: true,
        ntp: 0,
        payload: [hex('aa'), hex('bb')],
      };
      const tag = parseVideoTag(Buffer.concat(unitBody(unit, 0)!));
      expect(tag).toEqual({
        kind: 'frame',
        codec: track.format.codec,
        compositionTime: 0,
        data: hex('aabb'),
      });
      const header = Buffer.concat(sequenceHeader(track)!);
      expect(parseVideoTag(header)).toMatchObject({ kind: 'config', codec: track.format.codec });
    }
    const sounded: AccessUnit = { ...sound(0, { track: ac3Track }), payload: [hex('0b77')] };
    expect(parseAudioTag(Buffer.concat(unitBody(sounded, 0)!))).toMatchObject({ codec: 'ac3' });
    expect(sequenceHeader(ac3Track)).toBeUndefined();
    for (const track of [aacTrack, opusTrack]) {
      const unit: AccessUnit = { track, pts: 0, dts: 0, keyframe: true, ntp: 0, payload: [hex('fc01')] };
      const tag = parseAudioTag(Buffer.concat(unitBody(unit, 0)!));
      expect(tag).toEqual({ kind: 'frame', codec: track.format.codec, data: hex('fc01') });
      expect(parseAudioTag(Buffer.concat(sequenceHeader(track)!))).toMatchObject({ kind: 'config' });
    }
  });

  it('have their size behind them, and the high byte of the time after the low ones', () => {
    expect(flvTag(9, 0x01020304, [hex('aa'), hex('bb')])).toEqual(
      hex('09 000002 020304 01 000000 aabb 0000000d'),
    );
  });

  it('are not made of codecs that FLV does not have', () => {
    const mjpeg = { ...h264Track, format: { ...h264Track.format, codec: 'mjpeg' } } as Track;
    expect(unsupportedInFlv(mjpeg)).toMatch(/MJPEG.*H\.264/);
    expect(unsupportedInFlv(h265Track)).toBeUndefined();
  });
});

describe('the FLV writer', () => {
  const collect = (units: readonly AccessUnit[]) => {
    const chunks: FlvChunk[] = [];
    const writer = new FlvWriter([h264Track, aacTrack], flvTag);
    for (const unit of units) writer.write(unit, (chunk) => chunks.push(chunk));
    return chunks;
  };
  const timeOf = ({ bytes }: FlvChunk) => bytes.readUIntBE(4, 3) + bytes[7]! * 2 ** 24;

  it('says what comes before the first keyframe, and counts from it', () => {
    const start = 9_000_000;
    const chunks = collect([
      picture(start - 3600),
      picture(start, { keyframe: true }),
      picture(start + 3600),
    ]);
    expect(chunks.map(({ kind }) => kind)).toEqual(['config', 'video', 'video']);
    expect(chunks.map(timeOf)).toEqual([0, 0, 40]);
    expect(chunks[0]!.bytes.includes('onMetaData')).toBe(true);
  });

  it('says anew what comes when the format has changed, and goes on in time', () => {
    const changed = { ...h264Track, format: { ...h264Track.format } };
    const chunks = collect([
      picture(0, { keyframe: true }),
      { ...picture(3600), track: changed },
      { ...picture(7200, { keyframe: true }), track: changed },
    ]);
    expect(chunks.map(({ kind }) => kind)).toEqual(['config', 'video', 'config', 'video']);
    expect(chunks.map(timeOf)).toEqual([0, 0, 80, 80]);
  });

  it('leaves sound out until the picture begins', () => {
    const chunks = collect([sound(0), picture(0, { keyframe: true }), sound(1024)]);
    expect(chunks.map(({ kind }) => kind)).toEqual(['config', 'video', 'audio']);
  });
});
