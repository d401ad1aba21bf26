import { av1Configuration } from '#codecs/av1.ts';
import { avcConfiguration, pixelAspect } from '#codecs/h264.ts';
import { hevcConfiguration } from '#codecs/h265.ts';
import { opusConfiguration } from '#codecs/opus.ts';
import { vpConfiguration } from '#codecs/vp9.ts';
import type { AudioFormat, Track, VideoFormat } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { box, fullBox, u8, u16, u32, zeros } from './boxes.ts';

/** Why a format cannot be put into fMP4; undefined where it can. Known without the parameter sets. */
export function unsupportedReason(track: Track): string | undefined {
  const { codec, kind } = track.format;
  if (['h264', 'h265', 'av1', 'vp9', 'aac', 'opus', 'ac3'].includes(codec)) return undefined;
  if (kind === 'data') return `The data track "${codec}" does not travel in fMP4.`;
  if (codec === 'vp8') {
    return 'No browser plays VP8 in fMP4. Watch it over WebRTC, or let the publisher send VP9, AV1, H.264 or H.265.';
  }
  const way = kind === 'video' ? 'H.264, H.265, AV1 or VP9' : 'AAC, Opus or AC-3';
  return `Sluice does not put ${codec.toUpperCase()} into fMP4. Let the publisher send ${way}.`;
}

/** True where everything is known that an initialisation segment needs (parameter sets, configuration). */
export function isDescribable(track: Track): boolean {
  const { format } = track;
  if (unsupportedReason(track) !== undefined) return false;
  if (format.kind === 'video') return format.codecString !== '' && format.width > 0 && format.height > 0;
  const needsConfig = format.codec === 'aac' || format.codec === 'ac3';
  return format.kind === 'audio' && (!needsConfig || format.config.length > 0);
}

/**
 * The sample entry of a track, with the configuration of its decoder: `avc1` and `hvc1` (parameter sets here and not
 * in the samples, ISO/IEC 14496-15), `av01`, `vp09`, `mp4a` (ISO/IEC 14496-14), `Opus`, `ac-3` (ETSI TS 102 366 annex F).
 * @throws NamedError TRACK_NOT_WRITABLE
 */
export function sampleEntry(track: Track): Buffer {
  const { format } = track;
  if (!isDescribable(track)) {
    throw new NamedError(
      'TRACK_NOT_WRITABLE',
      unsupportedReason(track) ?? `Track ${track.id} (${format.codec}) has not shown its parameters yet.`,
      415,
    );
  }
  return format.kind === 'video' ? videoSampleEntry(format) : audioSampleEntry(format as AudioFormat);
}

function videoSampleEntry(format: VideoFormat): Buffer {
  switch (format.codec) {
    case 'h264':
      return visualEntry('avc1', format, box('avcC', avcConfiguration(format)));
    case 'h265':
      return visualEntry('hvc1', format, box('hvcC', hevcConfiguration(format)));
    case 'av1':
      return visualEntry('av01', format, box('av1C', av1Configuration(format)));
    default:
      return visualEntry('vp09', format, fullBox('vpcC', 1, 0, vpConfiguration(format)));
  }
}

function audioSampleEntry(format: AudioFormat): Buffer {
  switch (format.codec) {
    case 'aac':
      return audioEntry('mp4a', format, format.sampleRate, elementaryStreamDescriptor(format.config));
    case 'ac3':
      return audioEntry('ac-3', format, format.sampleRate, box('dac3', format.config));
    default:
      return audioEntry('Opus', format, 48_000, box('dOps', opusConfiguration(format)));
  }
}

/** VisualSampleEntry, ISO/IEC 14496-12 §12.1.3. */
function visualEntry(type: string, format: VideoFormat, configuration: Buffer): Buffer {
  return box(
    type,
    zeros(6),
    u16(1), // data_reference_index
    zeros(16),
    u16(format.width, format.height),
    u32(0x00480000, 0x00480000, 0), // 72 dpi
    u16(1), // frame_count
    zeros(32), // compressorname
    u16(0x0018, 0xffff), // depth; pre_defined
    configuration,
    pixelAspectBox(format),
  );
}

/** `pasp`, ISO/IEC 14496-12 §12.1.4: browsers go by it and not by the SPS. Left out where pixels are square. */
function pixelAspectBox(format: VideoFormat): Buffer {
  const [horizontal, vertical] = pixelAspect(format);
  return horizontal === vertical ? zeros(0) : box('pasp', u32(horizontal, vertical));
}

/** AudioSampleEntry, ISO/IEC 14496-12 §12.2.3. The sample rate is 16.16; one that does not fit is given as 0. */
function audioEntry(type: string, format: AudioFormat, sampleRate: number, configuration: Buffer): Buffer {
  return box(
    type,
    zeros(6),
    u16(1), // data_reference_index
    zeros(8),
    u16(format.channels, 16, 0, 0), // samplesize 16
    u32(sampleRate < 65_536 ? sampleRate * 0x10000 : 0),
    configuration,
  );
}

/** `esds` with the AudioSpecificConfig, ISO/IEC 14496-1 §7.2.6. */
function elementaryStreamDescriptor(config: Buffer): Buffer {
  const mpeg4Audio = 0x40;
  const audioStream = (0x05 << 2) | 1;
  const decoderConfig = descriptor(
    0x04,
    u8(mpeg4Audio, audioStream, 0, 0, 0),
    u32(0, 0), // bit rates unknown
    descriptor(0x05, config),
  );
  const predefinedForMp4 = descriptor(0x06, u8(2));
  return fullBox('esds', 0, 0, descriptor(0x03, u16(0), u8(0), decoderConfig, predefinedForMp4));
}

/** A descriptor with its size in four bytes of seven bits each. */
function descriptor(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const size = [21, 14, 7, 0].map((shift) => ((body.length >> shift) & 0x7f) | (shift ? 0x80 : 0));
  return Buffer.concat([u8(tag, ...size), body]);
}
