import { NamedError } from '#util/named-error.ts';

/**
 * Reads the bodies of FLV audio and video tags, which are also the payloads of RTMP messages: those of the "Adobe Flash
 * Video File Format Specification 10.1", annex E.4, and of "Enhanced RTMP" versions 1 and 2.
 */

export type FlvVideoCodec = 'h264' | 'h265' | 'av1' | 'vp8' | 'vp9';
export type FlvAudioCodec = 'aac' | 'opus' | 'ac3' | 'mp3' | 'pcma' | 'pcmu';

export type VideoTag =
  | { readonly kind: 'config'; readonly codec: FlvVideoCodec; readonly data: Buffer }
  | {
      readonly kind: 'frame';
      readonly codec: FlvVideoCodec;
      /** Ms from decoding to presentation. */
      readonly compositionTime: number;
      readonly data: Buffer;
    };

export interface AudioTag {
  readonly kind: 'config' | 'frame';
  readonly codec: FlvAudioCodec;
  readonly data: Buffer;
}

const LEGACY_VIDEO: Readonly<Record<number, string>> = {
  2: 'Sorenson H.263',
  3: 'Screen video',
  4: 'VP6',
  5: 'VP6 with alpha',
  6: 'Screen video 2',
};
const LEGACY_AUDIO: Readonly<Record<number, string>> = {
  0: 'PCM',
  1: 'ADPCM',
  3: 'PCM',
  4: 'Nellymoser',
  5: 'Nellymoser',
  6: 'Nellymoser',
  11: 'Speex',
};
const VIDEO_FOURCC: Readonly<Record<string, FlvVideoCodec>> = {
  avc1: 'h264',
  hvc1: 'h265',
  av01: 'av1',
  vp08: 'vp8',
  vp09: 'vp9',
};
const AUDIO_FOURCC: Readonly<Record<string, FlvAudioCodec>> = {
  mp4a: 'aac',
  Opus: 'opus',
  'ac-3': 'ac3',
  '.mp3': 'mp3',
};
const VIDEO_WAY = 'H.264, H.265, AV1, VP9 or VP8';
const AUDIO_WAY = 'AAC, Opus, AC-3, MP3 or G.711';

/** The FourCCs of Enhanced RTMP that are understood, as `connect` lists them. */
export const FOURCCS: readonly string[] = [...Object.keys(VIDEO_FOURCC), ...Object.keys(AUDIO_FOURCC)];

/**
 * The tag's content; undefined for what carries no media (ends of sequences, seek commands, colour metadata).
 * @throws NamedError CODEC_UNSUPPORTED
 */
export function parseVideoTag(body: Buffer): VideoTag | undefined {
  const first = body[0];
  if (first === undefined) return undefined;
  if ((first & 0x80) !== 0) return parseEnhancedVideo(body);
  if (first >> 4 === 5) return undefined;
  const id = first & 15;
  // 12 is what Chinese encoders sent for H.265 before there was a FourCC for it.
  const codec = id === 7 ? 'h264' : id === 12 ? 'h265' : undefined;
  if (!codec) throw unsupported(LEGACY_VIDEO[id] ?? `video codec ${id} of FLV`, VIDEO_WAY);
  if (body.length < 5) return undefined;
  const data = body.subarray(5);
  if (body[1] === 0) return { kind: 'config', codec, data };
  return body[1] === 1 ? { kind: 'frame', codec, compositionTime: body.readIntBE(2, 3), data } : undefined;
}

function parseEnhancedVideo(body: Buffer): VideoTag | undefined {
  const frameType = (body[0]! >> 4) & 7;
  const { type, at } = skipModifiers(body, body[0]! & 15);
  if (type === 6) throw multitrack('picture');
  if (at + 4 > body.length || (frameType === 5 && type !== 4)) return undefined;
  const fourCc = body.toString('latin1', at, at + 4);
  const codec = VIDEO_FOURCC[fourCc];
  if (!codec) throw unsupported(nameOf(fourCc), VIDEO_WAY);
  if (type === 5) throw unsupported('AV1 in the form of MPEG-TS', 'AV1 with a plain sequence start');
  const data = body.subarray(at + 4);
  if (type === 0) return { kind: 'config', codec, data };
  // Only codecs that reorder pictures have a composition time.
  const isReordered = codec === 'h264' || codec === 'h265';
  if (type === 3 || (type === 1 && !isReordered)) return { kind: 'frame', codec, compositionTime: 0, data };
  if (type !== 1 || data.length < 3) return undefined;
  return { kind: 'frame', codec, compositionTime: data.readIntBE(0, 3), data: data.subarray(3) };
}

/**
 * The tag's content; undefined for what carries no sound.
 * @throws NamedError CODEC_UNSUPPORTED
 */
export function parseAudioTag(body: Buffer): AudioTag | undefined {
  const first = body[0];
  if (first === undefined || body.length < 2) return undefined;
  const format = first >> 4;
  if (format === 9) return parseEnhancedAudio(body);
  if (format === 10) {
    const kind = body[1] === 0 ? 'config' : 'frame';
    return { kind, codec: 'aac', data: body.subarray(2) };
  }
  const codec =
    format === 2 || format === 14 ? 'mp3' : format === 7 ? 'pcma' : format === 8 ? 'pcmu' : undefined;
  if (codec) return { kind: 'frame', codec, data: body.subarray(1) };
  throw unsupported(LEGACY_AUDIO[format] ?? `audio codec ${format} of FLV`, AUDIO_WAY);
}

function parseEnhancedAudio(body: Buffer): AudioTag | undefined {
  const { type, at } = skipModifiers(body, body[0]! & 15);
  if (type === 5) throw multitrack('sound');
  if (at + 4 > body.length) return undefined;
  const fourCc = body.toString('latin1', at, at + 4);
  const codec = AUDIO_FOURCC[fourCc];
  if (!codec) throw unsupported(nameOf(fourCc), AUDIO_WAY);
  const data = body.subarray(at + 4);
  if (type === 0) return { kind: 'config', codec, data };
  return type === 1 ? { kind: 'frame', codec, data } : undefined;
}

/** Skips what modifies a packet (nanoseconds of its timestamp): version 2, "ModEx". */
function skipModifiers(body: Buffer, packetType: number): { type: number; at: number } {
  let type = packetType;
  let at = 1;
  while (type === 7 && at < body.length) {
    let size = body[at++]! + 1;
    if (size === 256 && at + 2 <= body.length) {
      size = body.readUInt16BE(at) + 1;
      at += 2;
    }
    at += size;
    type = (body[at++] ?? 0) & 15;
  }
  return { type, at };
}

function nameOf(fourCc: string): string {
  const name = { 'ec-3': 'E-AC-3', fLaC: 'FLAC' }[fourCc];
  return name ?? `the codec "${fourCc.replace(/[^\x20-\x7e]/g, '?')}"`;
}

function multitrack(what: string): NamedError {
  return new NamedError(
    'CODEC_UNSUPPORTED',
    `The publisher sends more than one ${what} in one stream (multitrack of Enhanced RTMP), and Sluice takes one: publish each as a stream of its own.`,
    415,
  );
}

function unsupported(what: string, way: string): NamedError {
  return new NamedError(
    'CODEC_UNSUPPORTED',
    `The publisher sends ${what}, which Sluice does not take over RTMP. Let it send ${way}.`,
    415,
  );
}
