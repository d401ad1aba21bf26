import {
  AV_CODEC_FLAG_QSCALE,
  AV_CODEC_ID_MJPEG,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  FF_QP2LAMBDA,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, Rational, SoftwareScaleContext } from 'node-av/lib';
import type { Yuv420 } from '../draw/planes.ts';
import { JpegColours } from './jpeg-colours.ts';
import { check, withOptions } from './library.ts';
import { planesOf } from './planes.ts';
import type { Picture } from './video.ts';
import { isFullRange } from './yuv420.ts';

/** As good as people look at pictures who look at many. */
const QUALITY = 70;
/** Scale of FFmpeg's encoder: 1 is best, 31 worst. */
const WORST = 31;

/**
 * The step of FFmpeg's quantisation whose error is that of libjpeg at this quality, 1 to 100. Found by the errors of luma
 * over pictures of a street: 1 as 94, 2 as 86, 3 as 77, 4 as 67, 5 as 60, 8 as 42. There is nothing better than 1.
 */
export function quantiserOf(quality: number): number {
  // libjpeg's own scale of its tables, per cent.
  const scale = quality < 50 ? 5000 / Math.max(1, quality) : 200 - 2 * quality;
  return Math.min(WORST, Math.max(1, Math.round((scale + 4) / 16)));
}

/**
 * Makes JPEGs of one size out of pictures of any. JFIF knows one kind of colour, BT.601 over the full range; video has
 * mostly BT.709 over the limited one, so a picture is converted, not only labelled. One owner; every call awaited.
 */
export class JpegEncoder {
  readonly width: number;
  readonly height: number;
  readonly quality: number;
  readonly #lambda: number;
  #count = 0;
  readonly #colours = new JpegColours();
  /** Of this size and in planes, where pictures are not so themselves; used again and again. */
  #scaled: Frame | undefined;
  readonly #scaler = new SoftwareScaleContext();
  readonly #context: CodecContext;

  private constructor(context: CodecContext, width: number, height: number, quality: number) {
    this.#context = context;
    this.width = width;
    this.height = height;
    this.quality = quality;
    this.#lambda = quantiserOf(quality) * FF_QP2LAMBDA;
    this.#scaler.allocContext();
    this.#scaler.setOption('sws_flags', 'bilinear');
    this.#scaler.setOption('threads', 1);
  }

  /** @param quality 1 to 100, as libjpeg counts */
  static async open(width: number, height: number, quality = QUALITY): Promise<JpegEncoder> {
    const codec = Codec.findEncoder(AV_CODEC_ID_MJPEG);
    const context = new CodecContext();
    context.allocContext3(codec);
    try {
      context.width = width;
      context.height = height;
      context.pixelFormat = AV_PIX_FMT_YUV420P;
      context.colorRange = AVCOL_RANGE_JPEG;
      context.timeBase = new Rational(1, 90_000);
      context.setFlags(AV_CODEC_FLAG_QSCALE);
      context.globalQuality = quantiserOf(quality) * FF_QP2LAMBDA;
      context.threadCount = 1;
      // The standard's own Huffman tables: those made for each picture save 3 to 8 % of the bytes, and cost a fifth more.
      const options = { qmin: '1', huffman: 'default' };
      check(
        await withOptions(options, (dictionary) => context.open2(codec, dictionary)),
        'opening the JPEG encoder',
      );
      return new JpegEncoder(context, width, height, quality);
    } catch (error) {
      context.freeContext();
      throw error;
    }
  }

  /** @param draw draws into the picture, which has its final size then */
  async encode(picture: Picture, draw?: (planes: Yuv420) => void): Promise<Buffer> {
    const fullRange = isFullRange(picture);
    const frame = await this.#colours.convert(await this.#fitted(picture, fullRange), fullRange);
    const packet = new Packet();
    packet.alloc();
    try {
      draw?.(planesOf(frame));
      frame.quality = this.#lambda;
      // The encoder wants them to grow; those of a stream may begin anew.
      frame.pts = BigInt(this.#count++);
      check(await this.#context.sendFrame(frame), 'encoding a picture');
      check(await this.#context.receivePacket(packet), 'encoding a picture');
      if (!packet.data) throw new Error('The encoder gave no JPEG.');
      return packet.data;
    } finally {
      packet.free();
      frame.free();
    }
  }

  /** The picture in the size of the JPEGs and in planes of 4:2:0; its colours stay as they are. */
  async #fitted({ frame }: Picture, fullRange: boolean): Promise<Frame> {
    const { width, height } = this;
    const isPlain = frame.format === AV_PIX_FMT_YUV420P || frame.format === AV_PIX_FMT_YUVJ420P;
    if (isPlain && frame.width === width && frame.height === height) return frame;
    const target = this.#scaled ?? new Frame();
    if (!this.#scaled) {
      target.alloc();
      target.width = width;
      target.height = height;
      target.format = AV_PIX_FMT_YUV420P;
      check(target.getBuffer(), 'making room for a picture');
      this.#scaled = target;
    }
    target.colorRange = fullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    target.colorSpace = frame.colorSpace;
    check(await this.#scaler.scaleFrame(target, frame), 'scaling a picture');
    return target;
  }

  close(): void {
    this.#context.freeContext();
    this.#colours.close();
    this.#scaled?.free();
    this.#scaled = undefined;
    this.#scaler.freeContext();
  }
}
