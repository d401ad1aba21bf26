import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  FF_ENCODER_LIBX264,
  FF_ENCODER_LIBX265,
} from 'node-av/constants';
import { Codec, CodecContext, Packet, Rational } from 'node-av/lib';
import { H264, h264Format, h264NalType } from '#codecs/h264.ts';
import { H265, h265Format, h265NalType } from '#codecs/h265.ts';
import { splitAnnexB } from '#codecs/nal.ts';
import type { VideoFormat } from '#media/track.ts';
import { check, isAgain, isEnd, withOptions } from './library.ts';
import type { Picture } from './video.ts';

export interface EncodedPicture {
  /** As it was given. */
  readonly pts: number;
  readonly keyframe: boolean;
  /** A keyframe has its parameter sets in front. */
  readonly nals: readonly Buffer[];
}

export interface VideoEncoderOptions {
  /** Default H.264. */
  readonly codec?: keyof typeof CODECS;
  /** Pixels, both even. */
  readonly width: number;
  readonly height: number;
  /** About how many pictures come a second. */
  readonly fps: number;
  /** Pictures from keyframe to keyframe, where none is asked for before. */
  readonly gop: number;
  /** Luma and chroma use all values (JPEG range). */
  readonly fullRange?: boolean;
  /** Width to height of one pixel. */
  readonly pixelAspect?: readonly [horizontal: number, vertical: number];
  /**
   * H.264 for viewers elsewhere: in constrained baseline, which every browser plays (RFC 7742 section 6.2), at `bitRate`
   * bits per second on average and half as much again at most. Absent: at constant quality, as fast as can be.
   */
  readonly stream?: { readonly bitRate: number; readonly preset: 'veryfast' | 'superfast' };
}

const CODECS = {
  h264: {
    encoder: FF_ENCODER_LIBX264,
    format: h264Format,
    sets: [H264.sps, H264.pps] as readonly number[],
    type: h264NalType,
    /** Coded slices (ISO/IEC 14496-10 table 7-1); the rest is x264 about itself. */
    isSlice: (type: number) => type >= 1 && type <= 5,
    options: (gop: number) => ({
      crf: 23,
      'x264-params': `scenecut=0:keyint=${gop}:min-keyint=${gop}`,
    }),
  },
  h265: {
    encoder: FF_ENCODER_LIBX265,
    format: h265Format,
    sets: [H265.vps, H265.sps, H265.pps] as readonly number[],
    type: h265NalType,
    /** Coded slice segments (ITU-T H.265 table 7-1). */
    isSlice: (type: number) => type < H265.vps,
    options: (gop: number) => ({
      crf: 28,
      'x265-params': `scenecut=0:keyint=${gop}:min-keyint=${gop}:bframes=0:pools=none:frame-threads=1:log-level=error`,
    }),
  },
} as const;

function streamOptions({ bitRate, preset }: NonNullable<VideoEncoderOptions['stream']>, gop: number) {
  const rate = { b: bitRate, maxrate: Math.round(bitRate * 1.5), bufsize: bitRate };
  return { preset, profile: 'baseline', ...rate, 'x264-params': `scenecut=0:keyint=${gop}:min-keyint=1` };
}

/** Encodes H.264 or H.265 without B-frames and without delay. One owner; every call awaited before the next. */
export class VideoEncoder {
  /** With the parameter sets of all that it gives. */
  readonly format: VideoFormat;
  readonly #codec: (typeof CODECS)[keyof typeof CODECS];
  readonly #context: CodecContext;

  private constructor(context: CodecContext, codec: keyof typeof CODECS, parameterSets: readonly Buffer[]) {
    this.#context = context;
    this.#codec = CODECS[codec];
    this.format = this.#codec.format(parameterSets);
  }

  static async open(wanted: VideoEncoderOptions): Promise<VideoEncoder> {
    const name = wanted.codec ?? 'h264';
    const { encoder, options, sets, type } = CODECS[name];
    const codec = Codec.findEncoderByName(encoder);
    if (!codec) throw new Error(`This FFmpeg has no encoder ${encoder}.`);
    const context = new CodecContext();
    context.allocContext3(codec);
    try {
      context.width = wanted.width;
      context.height = wanted.height;
      context.pixelFormat = wanted.fullRange ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
      context.colorRange = wanted.fullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      if (wanted.pixelAspect) context.sampleAspectRatio = new Rational(...wanted.pixelAspect);
      context.timeBase = new Rational(1, 90_000);
      context.framerate = new Rational(wanted.fps, 1);
      context.gopSize = wanted.gop;
      context.maxBFrames = 0;
      // Parameter sets out of band: they are put in front of keyframes here, each once.
      context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
      const common = { preset: 'ultrafast', tune: 'zerolatency', threads: 1, 'forced-idr': 1 };
      const how = wanted.stream ? streamOptions(wanted.stream, wanted.gop) : options(wanted.gop);
      const settings = { ...common, ...how };
      const opened = await withOptions(settings, (dictionary) => context.open2(codec, dictionary));
      check(opened, `opening the encoder ${encoder}`);
      const found = splitAnnexB(context.extraData ?? Buffer.alloc(0)).filter((nal) =>
        sets.includes(type(nal)),
      );
      if (found.length < sets.length) throw new Error(`The encoder ${encoder} gave no parameter sets.`);
      return new VideoEncoder(context, name, found);
    } catch (error) {
      context.freeContext();
      throw error;
    }
  }

  /**
   * @param pts 90 kHz ticks, greater than before
   * @param keyframe it has to be one
   */
  async encode(picture: Picture, pts: number, keyframe = false): Promise<EncodedPicture[]> {
    picture.frame.pts = BigInt(pts);
    // The decoder says of what kind the picture was, and the encoder would take it for an order.
    picture.frame.pictType = keyframe ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    check(await this.#context.sendFrame(picture.frame), 'encoding a picture');
    const pictures: EncodedPicture[] = [];
    const packet = new Packet();
    packet.alloc();
    try {
      for (;;) {
        const result = await this.#context.receivePacket(packet);
        if (isAgain(result) || isEnd(result)) return pictures;
        check(result, 'encoding a picture');
        if (packet.data) pictures.push(this.#encoded(packet, packet.data));
        packet.unref();
      }
    } finally {
      packet.free();
    }
  }

  close(): void {
    this.#context.freeContext();
  }

  #encoded(packet: Packet, data: Buffer): EncodedPicture {
    const { type, isSlice } = this.#codec;
    const slices = splitAnnexB(data).filter((nal) => isSlice(type(nal)));
    const { isKeyframe: keyframe } = packet;
    const nals = keyframe ? [...this.format.parameterSets, ...slices] : slices;
    return { pts: Number(packet.pts), keyframe, nals };
  }
}
