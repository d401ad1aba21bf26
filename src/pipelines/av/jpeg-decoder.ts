import { AV_CODEC_ID_MJPEG, AV_PIX_FMT_YUV420P, AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG } from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, SoftwareScaleContext } from 'node-av/lib';
import { check } from './library.ts';
import { Picture } from './video.ts';
import { isFullRange } from './yuv420.ts';

/** Decodes single JPEGs and gives them the form of another picture. One owner; every call awaited before the next. */
export class JpegDecoder {
  readonly #scaler = new SoftwareScaleContext();
  #context: CodecContext | undefined;

  constructor() {
    // Not bound to one source format: the scaler takes size, format, matrix and range from each picture.
    this.#scaler.allocContext();
    this.#scaler.setOption('sws_flags', 'bilinear');
    this.#scaler.setOption('threads', 1);
  }

  /**
   * The picture of a JPEG, in the size, the range and with the time of another one, 4:2:0; the caller releases it.
   * @throws {AvError} where it is no JPEG
   */
  async decode(jpeg: Buffer, like: Picture): Promise<Picture> {
    const context = (this.#context ??= await open());
    const packet = new Packet();
    packet.alloc();
    const decoded = new Frame();
    decoded.alloc();
    const target = new Frame();
    target.alloc();
    try {
      packet.data = jpeg;
      check(await context.sendPacket(packet), 'decoding a JPEG');
      check(context.receiveFrameSync(decoded), 'decoding a JPEG');
      target.width = like.width;
      target.height = like.height;
      target.format = AV_PIX_FMT_YUV420P;
      target.colorRange = isFullRange(like) ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      target.colorSpace = like.frame.colorSpace;
      check(target.getBuffer(), 'making room for a picture');
      check(await this.#scaler.scaleFrame(target, decoded), 'scaling a picture');
      target.pts = like.frame.pts;
      target.sampleAspectRatio = like.frame.sampleAspectRatio;
      return new Picture(target);
    } catch (error) {
      target.free();
      // What is broken inside of it must not be in the way of the next one.
      context.flushBuffers();
      throw error;
    } finally {
      packet.free();
      decoded.free();
    }
  }

  close(): void {
    this.#context?.freeContext();
    this.#context = undefined;
    this.#scaler.freeContext();
  }
}

async function open(): Promise<CodecContext> {
  const codec = Codec.findDecoder(AV_CODEC_ID_MJPEG);
  const context = new CodecContext();
  context.allocContext3(codec);
  context.threadCount = 1;
  try {
    check(await context.open2(codec, null), 'opening a decoder for JPEG');
    return context;
  } catch (error) {
    context.freeContext();
    throw error;
  }
}
