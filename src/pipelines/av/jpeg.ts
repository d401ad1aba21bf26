import {
  AV_CODEC_FLAG_QSCALE,
  AV_CODEC_ID_MJPEG,
  AV_PIX_FMT_YUV420P,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT470BG,
  FF_QP2LAMBDA,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, Rational, SoftwareScaleContext } from 'node-av/lib';
import { check } from './library.ts';
import type { Picture } from './video.ts';

/** Scale of FFmpeg's encoder, 2 is best, 31 worst: 4 is about 85 of libjpeg's 100. */
const QUALITY = 4;

/**
 * Makes JPEGs of one size out of pictures of any. JFIF knows one kind of colour, BT.601 over the full range; video has
 * mostly BT.709 over the limited one, so a picture is converted, not only labelled. One owner; every call awaited.
 */
export class JpegEncoder {
  readonly width: number;
  readonly height: number;
  readonly #scaler = new SoftwareScaleContext();
  readonly #context: CodecContext;

  private constructor(context: CodecContext, width: number, height: number) {
    this.#context = context;
    this.width = width;
    this.height = height;
    this.#scaler.allocContext();
    this.#scaler.setOption('sws_flags', 'bilinear');
    this.#scaler.setOption('threads', 1);
  }

  static async open(width: number, height: number): Promise<JpegEncoder> {
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
      context.globalQuality = QUALITY * FF_QP2LAMBDA;
      context.threadCount = 1;
      check(await context.open2(codec, null), 'opening the JPEG encoder');
    } catch (error) {
      context.freeContext();
      throw error;
    }
    return new JpegEncoder(context, width, height);
  }

  async encode(picture: Picture): Promise<Buffer> {
    const frame = new Frame();
    frame.alloc();
    const packet = new Packet();
    packet.alloc();
    try {
      frame.width = this.width;
      frame.height = this.height;
      frame.format = AV_PIX_FMT_YUV420P;
      frame.colorRange = AVCOL_RANGE_JPEG;
      frame.colorSpace = AVCOL_SPC_BT470BG;
      check(frame.getBuffer(), 'making room for a picture');
      check(await this.#scaler.scaleFrame(frame, picture.frame), 'scaling a picture');
      frame.quality = QUALITY * FF_QP2LAMBDA;
      frame.pts = BigInt(picture.pts);
      check(await this.#context.sendFrame(frame), 'encoding a picture');
      check(await this.#context.receivePacket(packet), 'encoding a picture');
      if (!packet.data) throw new Error('The encoder gave no JPEG.');
      return packet.data;
    } finally {
      packet.free();
      frame.free();
    }
  }

  close(): void {
    this.#context.freeContext();
    this.#scaler.freeContext();
  }
}
