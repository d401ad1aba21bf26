import {
  FF_ENCODER_LIBX264,
  FF_ENCODER_LIBX265,
  FF_ENCODER_MPEG4,
  type FFEncoderCodec,
} from 'node-av/constants';
import { H264, h264Format, h264NalType } from '#codecs/h264.ts';
import { H265, h265Format, h265NalType } from '#codecs/h265.ts';
import { mpeg4Configuration, mpeg4Format } from '#codecs/mpeg4.ts';
import { splitAnnexB } from '#codecs/nal.ts';
import type { PictureRenditionCodec } from '#media/rendition-request.ts';
import type { VideoFormat } from '#media/track.ts';

/** How much time an encoder may take: `live` gives each picture at once, on one thread. */
export type Pace =
  /** As fast as can be, at constant quality. */
  | { readonly kind: 'quick' }
  /** For viewers elsewhere, without delay. `haste`: where there are so many pixels that it has to be quicker. */
  | { readonly kind: 'live'; readonly bitRate: number; readonly haste: 'none' | 'some' | 'most' }
  /** Into a file: on all threads, pictures may stay inside for a while. */
  | { readonly kind: 'file'; readonly bitRate: number };

/** What FFmpeg is told beside size, clock and keyframes. */
export type EncoderOptions = Readonly<Record<string, string | number>>;

/** A codec as software makes it, and how what comes out of any encoder is read. */
export interface CodecRules {
  readonly encoder: FFEncoderCodec;
  /**
   * Pictures are numbered instead of timed: MPEG-4 part 2 has 16 bits for the ticks of a second, and FFmpeg shares its bits
   * out by the tick.
   */
  readonly numbered: boolean;
  /** The format by the encoder's extradata, or by the beginning of its first picture; undefined where that is not enough. */
  format(extradata: Buffer): VideoFormat | undefined;
  /** What of a coded picture goes on, without what the format holds. */
  parts(data: Buffer): Buffer[];
  options(pace: Pace, gop: number): EncoderOptions;
}

/** Average, and what may be had for half a second more. */
function rates(bitRate: number): EncoderOptions {
  return { b: bitRate, maxrate: Math.round(bitRate * 1.5), bufsize: bitRate };
}

/** Of codecs that have no constant quality worth the name. */
const QUICK_BIT_RATE = 3_000_000;
/** Of x264, live. */
const PRESETS = { none: 'veryfast', some: 'superfast', most: 'ultrafast' } as const;
const NO_DELAY = { tune: 'zerolatency', threads: 1, 'forced-idr': 1 } as const;

export const CODECS: Readonly<Record<PictureRenditionCodec, CodecRules>> = {
  h264: {
    encoder: FF_ENCODER_LIBX264,
    numbered: false,
    format: (data) => nalFormat(data, [H264.sps, H264.pps], h264NalType, h264Format),
    // Coded slices (ISO/IEC 14496-10 table 7-1); the rest is x264 about itself.
    parts: (data) => splitAnnexB(data).filter((nal) => h264NalType(nal) >= 1 && h264NalType(nal) <= 5),
    options(pace, gop) {
      const keyframes = `scenecut=0:keyint=${gop}:min-keyint=${pace.kind === 'quick' ? gop : 1}`;
      if (pace.kind === 'quick') {
        return { ...NO_DELAY, preset: 'ultrafast', crf: 23, 'x264-params': keyframes };
      }
      const rate = rates(pace.bitRate);
      if (pace.kind === 'file') {
        return {
          ...rate,
          preset: 'veryfast',
          threads: 0,
          'forced-idr': 1,
          'x264-params': `${keyframes}:bframes=0`,
        };
      }
      // Constrained baseline is what every browser plays (RFC 7742 section 6.2).
      const preset = PRESETS[pace.haste];
      return { ...NO_DELAY, ...rate, preset, profile: 'baseline', 'x264-params': keyframes };
    },
  },
  h265: {
    encoder: FF_ENCODER_LIBX265,
    numbered: false,
    format: (data) => nalFormat(data, [H265.vps, H265.sps, H265.pps], h265NalType, h265Format),
    // Coded slice segments (ITU-T H.265 table 7-1).
    parts: (data) => splitAnnexB(data).filter((nal) => h265NalType(nal) < H265.vps),
    options(pace, gop) {
      const keyframes = `scenecut=0:keyint=${gop}:min-keyint=${pace.kind === 'quick' ? gop : 1}:bframes=0:log-level=error`;
      const single = `${keyframes}:pools=none:frame-threads=1`;
      if (pace.kind === 'quick') return { ...NO_DELAY, preset: 'ultrafast', crf: 28, 'x265-params': single };
      const rate = rates(pace.bitRate);
      if (pace.kind === 'file') {
        return { ...rate, preset: 'superfast', threads: 0, 'forced-idr': 1, 'x265-params': keyframes };
      }
      return {
        ...NO_DELAY,
        ...rate,
        preset: pace.haste === 'none' ? 'superfast' : 'ultrafast',
        'x265-params': single,
      };
    },
  },
  mpeg4: {
    encoder: FF_ENCODER_MPEG4,
    numbered: true,
    format(data) {
      const configuration = mpeg4Configuration(data);
      const format = mpeg4Format(Buffer.from(configuration));
      return format.parameterSets.length > 0 ? format : undefined;
    },
    parts(data) {
      const headers = mpeg4Configuration(data).length;
      return headers < data.length ? [data.subarray(headers)] : [];
    },
    options: (pace) => ({
      ...rates(pace.kind === 'quick' ? QUICK_BIT_RATE : pace.bitRate),
      threads: pace.kind === 'file' ? 0 : 1,
      // Below it bits are spent that nobody sees.
      qmin: 2,
    }),
  },
};

function nalFormat(
  data: Buffer,
  wanted: readonly number[],
  type: (nal: Buffer) => number,
  format: (sets: Buffer[]) => VideoFormat,
): VideoFormat | undefined {
  const sets = splitAnnexB(data).filter((nal) => wanted.includes(type(nal)));
  return wanted.every((one) => sets.some((nal) => type(nal) === one))
    ? format(sets.map((nal) => Buffer.from(nal)))
    : undefined;
}
