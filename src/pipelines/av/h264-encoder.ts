import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  FF_ENCODER_LIBX264,
} from 'node-av/constants';
import { Codec, CodecContext, Packet, Rational } from 'node-av/lib';
import { H264, h264NalType } from '#codecs/h264.ts';
import { splitAnnexB } from '#codecs/nal.ts';
import { check, isAgain, isEnd, withOptions } from './library.ts';
import type { Picture } from './video.ts';

export interface EncodedPicture {
  /** As it was given. */
  readonly pts: number;
  readonly keyframe: boolean;
  /** A keyframe has its parameter sets in front. */
  readonly nals: readonly Buffer[];
}

export interface H264EncoderOptions {
  /** Pixels, both even. */
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Pictures from keyframe to keyframe; those that are ordered come on top. */
  readonly gop: number;
  /** Luma and chroma use all values (JPEG range). */
  readonly fullRange?: boolean;
  /** Width to height of one pixel. */
  readonly pixelAspect?: readonly [horizontal: number, vertical: number];
  /**
   * For viewers elsewhere: in constrained baseline, which every browser plays (RFC 7742 section 6.2), at `bitRate` bits
   * per second on average and half as much again at most. Absent: in High at constant quality, as fast as can be.
   */
  readonly stream?: { readonly bitRate: number; readonly preset: 'veryfast' | 'superfast' };
}

/** Encodes H.264 without B-frames and without delay. One owner; every call awaited before the next. */
export class H264Encoder {
  /** SPS and PPS. */
  readonly parameterSets: readonly Buffer[];
  readonly #context: CodecContext;

  private constructor(context: CodecContext, parameterSets: readonly Buffer[]) {
    this.#context = context;
    this.parameterSets = parameterSets;
  }

  static async open(options: H264EncoderOptions): Promise<H264Encoder> {
    const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
    if (!codec) throw new Error('This FFmpeg has no encoder libx264.');
    const context = new CodecContext();
    context.allocContext3(codec);
    try {
      context.width = options.width;
      context.height = options.height;
      context.pixelFormat = options.fullRange ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
      context.colorRange = options.fullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      if (options.pixelAspect) context.sampleAspectRatio = new Rational(...options.pixelAspect);
      context.timeBase = new Rational(1, 90_000);
      context.framerate = new Rational(options.fps, 1);
      context.gopSize = options.gop;
      context.maxBFrames = 0;
      // Parameter sets out of band: they are put in front of keyframes here, each once.
      context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
      const settings = {
        tune: 'zerolatency',
        threads: 1,
        'forced-idr': 1,
        'x264-params': `scenecut=0:keyint=${options.gop}:min-keyint=1`,
        ...(options.stream ? streamSettings(options.stream) : { preset: 'ultrafast', crf: 23 }),
      };
      const opened = await withOptions(settings, (dictionary) => context.open2(codec, dictionary));
      check(opened, 'opening the H.264 encoder');
      const sets = splitAnnexB(context.extraData ?? Buffer.alloc(0)).filter(isParameterSet);
      if (sets.length < 2) throw new Error('The H.264 encoder gave no parameter sets.');
      return new H264Encoder(context, sets);
    } catch (error) {
      context.freeContext();
      throw error;
    }
  }

  /**
   * @param pts 90 kHz ticks, greater than before
   * @param keyframe it is to be one, whatever came before
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
        const { data, isKeyframe } = packet;
        if (data) {
          const slices = splitAnnexB(data).filter(isSlice);
          const nals = isKeyframe ? [...this.parameterSets, ...slices] : slices;
          pictures.push({ pts: Number(packet.pts), keyframe: isKeyframe, nals });
        }
        packet.unref();
      }
    } finally {
      packet.free();
    }
  }

  close(): void {
    this.#context.freeContext();
  }
}

function streamSettings({ bitRate, preset }: NonNullable<H264EncoderOptions['stream']>) {
  return { preset, profile: 'baseline', b: bitRate, maxrate: Math.round(bitRate * 1.5), bufsize: bitRate };
}

function isParameterSet(nal: Buffer): boolean {
  const type = h264NalType(nal);
  return type === H264.sps || type === H264.pps;
}

/** Coded slices, of a keyframe or not (ISO/IEC 14496-10, table 7-1); the rest is x264 about itself. */
function isSlice(nal: Buffer): boolean {
  const type = h264NalType(nal);
  return type >= 1 && type <= 5;
}
