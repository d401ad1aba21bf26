import {
  AV_CODEC_ID_AV1,
  AV_CODEC_ID_H264,
  AV_CODEC_ID_HEVC,
  AV_CODEC_ID_MPEG4,
  AV_CODEC_ID_VP8,
  AV_CODEC_ID_VP9,
  AV_PIX_FMT_BGR24,
  AV_PIX_FMT_GRAY8,
  AV_PIX_FMT_RGB24,
  AVERROR_INVALIDDATA,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, SoftwareScaleContext } from 'node-av/lib';
import type { PixelFormat } from '#algorithms/contract.ts';
import { joinAnnexB } from '#codecs/nal.ts';
import type { VideoCodec } from '#media/track.ts';
import { check, isAgain, isEnd, withOptions } from './library.ts';

const DECODERS = {
  h264: AV_CODEC_ID_H264,
  h265: AV_CODEC_ID_HEVC,
  av1: AV_CODEC_ID_AV1,
  vp9: AV_CODEC_ID_VP9,
  vp8: AV_CODEC_ID_VP8,
  mpeg4: AV_CODEC_ID_MPEG4,
} as const;
/** Codecs that {@link VideoDecoder} can decode. */
export const DECODABLE = Object.keys(DECODERS);
const PIXEL_FORMATS = { rgb24: AV_PIX_FMT_RGB24, bgr24: AV_PIX_FMT_BGR24, gray8: AV_PIX_FMT_GRAY8 } as const;

/** One decoded picture, shared by counting: who keeps it retains it, who is done releases it. */
export class Picture {
  readonly pts: number;
  readonly width: number;
  readonly height: number;
  /** The decoder met errors in it: parts of it are guessed. */
  readonly damaged: boolean;
  readonly #frame: Frame;
  #holders = 1;

  /** Takes the frame over. */
  constructor(frame: Frame) {
    this.#frame = frame;
    this.pts = Number(frame.pts);
    this.width = frame.width;
    this.height = frame.height;
    this.damaged = frame.decodeErrorFlags !== 0;
  }

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders === 0) this.#frame.free();
  }

  /** Only for what scales and encodes. */
  get frame(): Frame {
    return this.#frame;
  }
}

/** Who looks at the pictures. */
export type Audience = 'algorithms' | 'people';

/** What FFmpeg's `skip_loop_filter` is: which pictures are decoded without the deblocking filter. */
const LOOP_FILTER = { people: 'default', file: 'default', algorithms: 'all' } as const;

/** True when {@link VideoDecoder} can decode it. */
export function canDecode(codec: VideoCodec): codec is keyof typeof DECODERS {
  return codec in DECODERS;
}

/**
 * Decodes access units on one thread, pictures out as soon as the order of display allows. One owner; every call awaited before the next.
 */
export class VideoDecoder {
  readonly #context: CodecContext;
  readonly #packet = new Packet();
  /** Makes one buffer of an access unit, as FFmpeg wants the codec. */
  readonly #join: (payload: readonly Buffer[]) => Buffer;

  #audience: Audience | 'file';

  private constructor(context: CodecContext, codec: keyof typeof DECODERS, audience: Audience | 'file') {
    this.#context = context;
    this.#audience = audience;
    this.#join = codec === 'h264' || codec === 'h265' ? joinAnnexB : (parts) => Buffer.concat(parts);
  }

  /**
   * Without the deblocking filter decoding costs a fifth less, and an algorithm sees no difference; people see blocks
   * that grow from one keyframe to the next. For a `file` nobody waits, so all threads may work on several pictures at once.
   */
  static async open(codec: keyof typeof DECODERS, audience: Audience | 'file'): Promise<VideoDecoder> {
    const context = new CodecContext();
    const decoder = Codec.findDecoder(DECODERS[codec]);
    context.allocContext3(decoder);
    const options = {
      ...(audience === 'file' ? { threads: 0 } : { threads: 1, flags: 'low_delay' }),
      skip_loop_filter: LOOP_FILTER[audience],
    };
    try {
      check(
        await withOptions(options, (dictionary) => context.open2(decoder, dictionary)),
        `opening a decoder for ${codec}`,
      );
    } catch (error) {
      context.freeContext();
      throw error;
    }
    return new VideoDecoder(context, codec, audience);
  }

  /**
   * Decodes one access unit (as the hub has it, a keyframe with its parameter sets) and returns the pictures that came out, in
   * order of display; undefined when the data is broken: then go on with a keyframe after {@link flush}.
   */
  async decode(payload: readonly Buffer[], pts: number, keyframe: boolean): Promise<Picture[] | undefined> {
    const packet = this.#packet;
    packet.alloc();
    // Setting the data resets the rest of the packet: it comes first.
    packet.data = this.#join(payload);
    packet.pts = BigInt(pts);
    packet.isKeyframe = keyframe;
    try {
      const sent = await this.#context.sendPacket(packet);
      if (sent === AVERROR_INVALIDDATA) return undefined;
      check(sent, 'decoding');
    } finally {
      packet.free();
    }
    return this.#receive();
  }

  /** The pictures that are still inside; after it the decoder takes nothing but a {@link flush} or {@link close}. */
  async drain(): Promise<Picture[]> {
    const sent = await this.#context.sendPacket(null);
    if (!isEnd(sent)) check(sent, 'ending the decoding');
    return this.#receive() ?? [];
  }

  /** Before a keyframe: who looks at the pictures from here on, see {@link VideoDecoder.open}. */
  set audience(audience: Audience) {
    if (audience === this.#audience) return;
    this.#audience = audience;
    check(this.#context.setOption('skip_loop_filter', LOOP_FILTER[audience]), 'changing the decoder');
  }

  /** Forgets everything: the next access unit must be a keyframe. */
  flush(): void {
    this.#context.flushBuffers();
  }

  close(): void {
    this.#context.freeContext();
  }

  #receive(): Picture[] | undefined {
    const pictures: Picture[] = [];
    for (;;) {
      const frame = new Frame();
      frame.alloc();
      // Decoding was done, on a thread, when the data went in; this only hands over, and is not worth a thread.
      const result = this.#context.receiveFrameSync(frame);
      if (result >= 0) {
        pictures.push(new Picture(frame));
        continue;
      }
      frame.free();
      if (isAgain(result) || isEnd(result)) return pictures;
      for (const picture of pictures) picture.release();
      if (result === AVERROR_INVALIDDATA) return undefined;
      check(result, 'decoding');
    }
  }
}

/** Scales and converts pictures to packed pixels of one size; its buffer is used again and again. */
export class Scaler {
  readonly width: number;
  readonly height: number;
  readonly #context = new SoftwareScaleContext();
  readonly #target = new Frame();
  readonly #rowBytes: number;
  #packed: Buffer | undefined;

  constructor(width: number, height: number, format: PixelFormat) {
    this.width = width;
    this.height = height;
    this.#rowBytes = width * (format === 'gray8' ? 1 : 3);
    // Not bound to one source format: the scaler takes size, format, matrix and range from each picture.
    this.#context.allocContext();
    this.#context.setOption('sws_flags', 'bilinear');
    this.#context.setOption('threads', 1);
    this.#target.alloc();
    this.#target.width = width;
    this.#target.height = height;
    this.#target.format = PIXEL_FORMATS[format];
    check(this.#target.getBuffer(), 'making room for a picture');
  }

  /** Rows without padding. The bytes are valid until the next call. */
  async scale(picture: Picture): Promise<Buffer> {
    check(await this.#context.scaleFrame(this.#target, picture.frame), 'scaling a picture');
    const plane = this.#target.data?.[0];
    const stride = this.#target.linesize[0];
    if (!plane || !stride) throw new Error('The scaler gave no picture.');
    const size = this.#rowBytes * this.height;
    if (stride === this.#rowBytes) return plane.subarray(0, size);
    const packed = (this.#packed ??= Buffer.allocUnsafe(size));
    for (let row = 0; row < this.height; row++) {
      plane.copy(packed, row * this.#rowBytes, row * stride, row * stride + this.#rowBytes);
    }
    return packed;
  }

  close(): void {
    this.#context.freeContext();
    this.#target.free();
  }
}
