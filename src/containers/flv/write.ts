import { av1Configuration } from '#codecs/av1.ts';
import { avcConfiguration, H264, h264NalType } from '#codecs/h264.ts';
import { H265, h265NalType, hevcConfiguration } from '#codecs/h265.ts';
import { opusHead } from '#codecs/opus.ts';
import { vpConfiguration } from '#codecs/vp9.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { AudioFormat, Track, VideoFormat } from '#media/track.ts';
import type { AmfObject } from '#util/amf-value.ts';
import { writeAmf0, writeEcmaArray } from '#util/amf0.ts';

/** Tag types of FLV (annex E.4.1), which are message types of RTMP too. */
export const FlvTagType = { audio: 8, video: 9, script: 18 } as const;

/** Body of a tag, in parts that may be slices of an access unit. */
export type TagBody = readonly Buffer[];

const KEYFRAME = 1;
const INTER_FRAME = 2;
const AUDIO_ENHANCED = 9;

/** Why a track cannot travel in FLV; undefined where it can. */
export function unsupportedInFlv(track: Track): string | undefined {
  const { codec, kind } = track.format;
  if (kind === 'data') return `The data track "${codec}" does not travel in FLV.`;
  if (codec in VIDEO_FOURCC || codec in AUDIO_FOURCC || codec in AUDIO_IDS) return undefined;
  const way = kind === 'video' ? 'H.264, H.265, AV1, VP9 or VP8' : 'AAC, Opus, AC-3, MP3 or G.711';
  return `Sluice does not put ${codec.toUpperCase()} into FLV. Let the publisher send ${way}.`;
}

/** True where a reader can be told what comes: the decoder's configuration is known. */
export function isKnown(track: Track): boolean {
  const { format } = track;
  if (format.kind === 'video') return format.codecString !== '' && format.width > 0;
  return format.kind === 'audio' && (format.codec !== 'aac' || format.config.length > 0);
}

/** The tag with a decoder's configuration; undefined for codecs that need none. The track must be known. */
export function sequenceHeader(track: Track): TagBody | undefined {
  const { format } = track;
  if (format.kind === 'video') {
    const fourCc = VIDEO_FOURCC[format.codec];
    if (format.codec === 'h264') {
      return [Buffer.from([(KEYFRAME << 4) | 7, 0, 0, 0, 0]), avcConfiguration(format)];
    }
    return fourCc === undefined ? undefined : [enhancedVideo(true, 0, fourCc), decoderConfiguration(format)];
  }
  if (format.kind !== 'audio') return undefined;
  if (format.codec === 'aac') return [Buffer.from([AAC, 0]), format.config];
  return format.codec === 'opus' ? [enhancedAudio(0, 'Opus'), opusHead(format)] : undefined;
}

/** What the sequence start of Enhanced RTMP carries: the body of the box that MP4 has for the codec. */
function decoderConfiguration(format: VideoFormat): Buffer {
  if (format.codec === 'h265') return hevcConfiguration(format);
  return format.codec === 'av1' ? av1Configuration(format) : vpConfiguration(format);
}

/** 44 kHz, 16 bit, stereo: what stands in front of AAC whatever it is (annex E.4.2.1). */
const AAC = 0xaf;

/**
 * The tag of an access unit; undefined where nothing of it belongs into a tag. Parameter sets are left out: the
 * sequence header has them.
 * @param compositionTime ms from decoding to presentation
 */
export function unitBody(unit: AccessUnit, compositionTime: number): TagBody | undefined {
  const { format } = unit.track;
  if (format.kind === 'audio') return [audioHeader(format), ...unit.payload];
  if (format.kind !== 'video') return undefined;
  const isNal = format.codec === 'h264' || format.codec === 'h265';
  if (!isNal) {
    const fourCc = VIDEO_FOURCC[format.codec];
    return fourCc === undefined ? undefined : [enhancedVideo(unit.keyframe, 1, fourCc), ...unit.payload];
  }
  const nals = unit.payload.filter(isPictureData(format));
  if (nals.length === 0) return undefined;
  const head =
    format.codec === 'h264'
      ? Buffer.from([((unit.keyframe ? KEYFRAME : INTER_FRAME) << 4) | 7, 1, 0, 0, 0])
      : Buffer.concat([enhancedVideo(unit.keyframe, 1, 'hvc1'), Buffer.alloc(3)]);
  head.writeIntBE(compositionTime, head.length - 3, 3);
  const parts: Buffer[] = [head];
  for (const nal of nals) {
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(nal.length);
    parts.push(length, nal);
  }
  return parts;
}

/** The body of an `onMetaData` tag. */
export function metadataBody(tracks: readonly Track[]): TagBody {
  const about: AmfObject = {};
  for (const { format } of tracks) {
    if (format.kind === 'video') {
      about['width'] = format.width;
      about['height'] = format.height;
      about['videocodecid'] = format.codec === 'h264' ? 7 : numberOf(VIDEO_FOURCC[format.codec]);
    } else if (format.kind === 'audio') {
      about['audiosamplerate'] = format.sampleRate;
      about['stereo'] = format.channels > 1;
      about['audiocodecid'] = AUDIO_IDS[format.codec] ?? numberOf(AUDIO_FOURCC[format.codec]);
    }
  }
  return [writeAmf0('onMetaData'), writeEcmaArray({ ...about, encoder: 'Sluice' })];
}

/** A whole FLV tag with the size behind it (annex E.3). `timestamp` in ms, written modulo 2^32. */
export function flvTag(type: number, timestamp: number, body: TagBody): Buffer {
  const size = body.reduce((sum, part) => sum + part.length, 0);
  const tag = Buffer.allocUnsafe(11 + size + 4);
  const time = timestamp % 2 ** 32;
  tag[0] = type;
  tag.writeUIntBE(size, 1, 3);
  tag.writeUIntBE(time % 2 ** 24, 4, 3);
  tag[7] = Math.floor(time / 2 ** 24);
  tag.writeUIntBE(0, 8, 3);
  let at = 11;
  for (const part of body) at += part.copy(tag, at);
  tag.writeUInt32BE(11 + size, at);
  return tag;
}

/** What an FLV file begins with (annex E.2), the size of the tag before the first included. */
export function flvHeader(tracks: readonly Track[]): Buffer {
  const has = (kind: string) => tracks.some(({ format }) => format.kind === kind);
  const flags = (has('audio') ? 4 : 0) | (has('video') ? 1 : 0);
  return Buffer.from([0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]);
}

/** A FourCC as the number by which `onMetaData` names a codec. */
function numberOf(fourCc = ''): number {
  return fourCc.length === 4 ? Buffer.from(fourCc, 'latin1').readUInt32BE(0) : 0;
}

/** H.264 is written in the old way, which all players know. */
const VIDEO_FOURCC: Readonly<Record<string, string>> = {
  h264: 'avc1',
  h265: 'hvc1',
  av1: 'av01',
  vp8: 'vp08',
  vp9: 'vp09',
};
const AUDIO_FOURCC: Readonly<Record<string, string>> = { opus: 'Opus', ac3: 'ac-3' };
const AUDIO_IDS: Readonly<Record<string, number>> = { aac: 10, mp3: 2, pcma: 7, pcmu: 8 };

function audioHeader(format: AudioFormat): Buffer {
  if (format.codec === 'aac') return Buffer.from([AAC, 1]);
  const fourCc = AUDIO_FOURCC[format.codec];
  if (fourCc) return enhancedAudio(1, fourCc);
  const stereo = format.channels > 1 ? 1 : 0;
  // G.711 is always 8 kHz and says 5.5 kHz (annex E.4.2.1); MP3 says its rate to the nearest of four.
  const rate =
    format.codec === 'mp3' ? (format.sampleRate >= 32_000 ? 3 : format.sampleRate >= 16_000 ? 2 : 1) : 0;
  return Buffer.from([((AUDIO_IDS[format.codec] ?? 0) << 4) | (rate << 2) | 2 | stereo]);
}

function enhancedVideo(keyframe: boolean, packetType: number, fourCc: string): Buffer {
  const head = Buffer.alloc(5);
  head[0] = 0x80 | ((keyframe ? KEYFRAME : INTER_FRAME) << 4) | packetType;
  head.write(fourCc, 1, 'latin1');
  return head;
}

function enhancedAudio(packetType: number, fourCc: string): Buffer {
  const head = Buffer.alloc(5);
  head[0] = (AUDIO_ENHANCED << 4) | packetType;
  head.write(fourCc, 1, 'latin1');
  return head;
}

function isPictureData(format: VideoFormat): (nal: Buffer) => boolean {
  if (format.codec === 'h264') {
    return (nal) => {
      const type = h264NalType(nal);
      return type !== H264.sps && type !== H264.pps && type !== H264.aud;
    };
  }
  return (nal) => {
    const type = h265NalType(nal);
    return type < H265.vps || type > H265.aud;
  };
}
