import { aacFormat, aacFrameDuration, buildAacConfig, parseAacConfig } from '#codecs/aac.ts';
import { ac3Format } from '#codecs/ac3.ts';
import { av1Format } from '#codecs/av1.ts';
import { pcmaFormat, pcmuFormat } from '#codecs/g711.ts';
import { h264Format } from '#codecs/h264.ts';
import { h265Format } from '#codecs/h265.ts';
import { mp3Format } from '#codecs/mp3.ts';
import { mpeg4Format } from '#codecs/mpeg4.ts';
import { splitAnnexB, trimZeros } from '#codecs/nal.ts';
import { opusFormat } from '#codecs/opus.ts';
import { AAC_HBR, AacDepacketizer, LatmDepacketizer } from '#codecs/rtp/aac.ts';
import { Ac3Depacketizer } from '#codecs/rtp/ac3.ts';
import { Av1Depacketizer } from '#codecs/rtp/av1.ts';
import type { Depacketizer } from '#codecs/rtp/contract.ts';
import { G711Depacketizer } from '#codecs/rtp/g711.ts';
import { H264Depacketizer } from '#codecs/rtp/h264.ts';
import { H265Depacketizer } from '#codecs/rtp/h265.ts';
import { Mp3Depacketizer } from '#codecs/rtp/mp3.ts';
import { Mpeg4Depacketizer } from '#codecs/rtp/mpeg4.ts';
import { OpusDepacketizer } from '#codecs/rtp/opus.ts';
import { Vp8Depacketizer } from '#codecs/rtp/vp8.ts';
import { Vp9Depacketizer } from '#codecs/rtp/vp9.ts';
import { vp8Format } from '#codecs/vp8.ts';
import { vp9Format } from '#codecs/vp9.ts';
import type { AudioTrack, Track } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';
import type { SdpMedia } from './sdp.ts';

/** Why a media section is not taken, in a sentence. */
export interface Unsupported {
  readonly unsupported: string;
}

/** The track that a media section describes, or why it cannot be one of ours. */
export function trackFromMedia(media: SdpMedia, id: number): Track | Unsupported {
  const { clockRate, channels, fmtp } = media;
  const name = media.encodingName;
  if (name === 'H264')
    return { id, clockRate, format: h264Format(spropSets(fmtp.get('sprop-parameter-sets'))) };
  if (name === 'H265' || name === 'HEVC') {
    if (Number(fmtp.get('sprop-max-don-diff') ?? 0) > 0) {
      return {
        unsupported: 'H.265 with sprop-max-don-diff above 0 (interleaved NAL units) is not supported.',
      };
    }
    const sets = ['sprop-vps', 'sprop-sps', 'sprop-pps'].flatMap((key) => spropSets(fmtp.get(key)));
    return { id, clockRate, format: h265Format(sets) };
  }
  // What these are stands in their keyframes; their parameters say what a receiver can do, not what is sent.
  if (name === 'AV1') return { id, clockRate, format: av1Format() };
  if (name === 'VP9') return { id, clockRate, format: vp9Format() };
  if (name === 'VP8') return { id, clockRate, format: vp8Format() };
  if (name === 'MP4V-ES') {
    return { id, clockRate, format: mpeg4Format(Buffer.from(fmtp.get('config') ?? '', 'hex')) };
  }
  // Layer, rate and channels stand in the frames.
  if (name === 'MPA') return { id, clockRate, format: mp3Format(44_100, 2) };
  if (name === 'AC3') return { id, clockRate, format: ac3Format({ sampleRate: clockRate, channels }) };
  if (name === 'OPUS') {
    return { id, clockRate: 48_000, format: opusFormat(fmtp.get('sprop-stereo') === '0' ? 1 : 2) };
  }
  if (name === 'PCMA') return { id, clockRate, format: pcmaFormat(clockRate, channels) };
  if (name === 'PCMU') return { id, clockRate, format: pcmuFormat(clockRate, channels) };
  if (name === 'MPEG4-GENERIC') return { id, clockRate, format: aacFormat(genericConfig(media)) };
  if (name === 'MP4A-LATM') {
    const config = latmConfig(fmtp.get('config') ?? '');
    if (!config || fmtp.get('cpresent') === '1') {
      return {
        unsupported: 'MP4A-LATM is supported only with its configuration in the SDP (cpresent=0; config=…).',
      };
    }
    return { id, clockRate, format: aacFormat(config) };
  }
  return {
    unsupported: `The codec ${name || `of payload type ${media.payloadType}`} (${media.kind}) is not supported.`,
  };
}

/** The depacketizer for a media section that `trackFromMedia` made a track of. */
export function depacketizerFor(media: SdpMedia, track: Track): Depacketizer {
  const { format } = track;
  switch (format.codec) {
    case 'h264':
      return new H264Depacketizer();
    case 'h265':
      return new H265Depacketizer();
    case 'av1':
      return new Av1Depacketizer();
    case 'vp9':
      return new Vp9Depacketizer();
    case 'vp8':
      return new Vp8Depacketizer();
    case 'mpeg4':
      return new Mpeg4Depacketizer();
    case 'mp3':
      return new Mp3Depacketizer();
    case 'ac3':
      return new Ac3Depacketizer();
    case 'aac': {
      const duration = aacFrameDuration((track as AudioTrack).format, track.clockRate);
      if (media.encodingName === 'MP4A-LATM') return new LatmDepacketizer(duration);
      const number = (key: string, fallback: number) =>
        Number.parseInt(media.fmtp.get(key) ?? '', 10) || fallback;
      return new AacDepacketizer(
        {
          sizeLength: number('sizelength', AAC_HBR.sizeLength),
          indexLength: number('indexlength', AAC_HBR.indexLength),
          indexDeltaLength: number('indexdeltalength', AAC_HBR.indexDeltaLength),
        },
        number('constantduration', duration),
      );
    }
    case 'opus':
      return new OpusDepacketizer();
    case 'pcma':
    case 'pcmu':
      return new G711Depacketizer();
    default:
      throw new RangeError(`There is no RTP payload format for ${format.codec}.`);
  }
}

/** NAL units from base64 (RFC 6184 section 8.1); broken ones are left out, start codes some cameras add removed. */
function spropSets(value: string | undefined): Buffer[] {
  if (!value) return [];
  return value.split(',').flatMap((part) => {
    const bytes = Buffer.from(part.trim(), 'base64');
    const nals =
      bytes.indexOf('\0\0\u0001', 0, 'latin1') >= 0 && bytes[0] === 0
        ? splitAnnexB(bytes)
        : [trimZeros(bytes)];
    return nals.filter((nal) => nal.length > 3);
  });
}

/** The AudioSpecificConfig of RFC 3640; made up from clock rate and channels where it is missing or broken. */
function genericConfig(media: SdpMedia): Buffer {
  const hex = media.fmtp.get('config') ?? '';
  const bytes = Buffer.from(hex.replace(/^"|"$/g, ''), 'hex');
  if (parseAacConfig(bytes)) return bytes;
  return buildAacConfig({ sampleRate: media.clockRate, channels: media.channels });
}

/** The AudioSpecificConfig in a StreamMuxConfig (ISO/IEC 14496-3 section 1.7.3) of one program with one layer. */
function latmConfig(hex: string): Buffer | undefined {
  const bytes = Buffer.from(hex.trim(), 'hex');
  const bits = new BitReader(bytes);
  // audioMuxVersion 0, allStreamsSameTimeFraming 1, then numSubFrames, numProgram 0, numLayer 0
  if (bits.flag() || !bits.flag()) return undefined;
  bits.skip(6);
  if (bits.read(4) !== 0 || bits.read(3) !== 0) return undefined;
  const config = Buffer.alloc(Math.max(Math.ceil(bits.remaining / 8), 0));
  for (let i = 0; i < config.length; i++) config[i] = bits.read(8);
  const info = parseAacConfig(config);
  // What follows the configuration in the same bits is the multiplex's own, so the configuration is written anew.
  return info && buildAacConfig(info);
}
