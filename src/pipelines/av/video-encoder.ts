import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, Rational, SoftwareScaleContext } from 'node-av/lib';
import type { PictureRenditionCodec } from '#media/rendition-request.ts';
import type { VideoFormat } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { DeviceUpload, type HardwareEncoder, hardwareOptions, memoryFormat } from './hardware-encoders.ts';
import { check, isAgain, isEnd, withOptions } from './library.ts';
import type { Picture } from './video.ts';
import { CODECS, type CodecRules, type Pace } from './video-encoders.ts';

export interface EncodedPicture {
  /** As it was given. */
  readonly pts: number;
  readonly keyframe: boolean;
  /** As access units have it; a keyframe has its parameter sets in front. */
  readonly nals: readonly Buffer[];
}

export interface VideoEncoderOptions {
  /** Default H.264. */
  readonly codec?: PictureRenditionCodec;
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
  /** Default `quick`. */
  readonly pace?: Pace;
  /** Instead of the software's. */
  readonly hardware?: HardwareEncoder | undefined;
}

/** Encodes pictures without B-frames: they come out in the order of display. One owner; every call awaited before the next. */
export class VideoEncoder {
  /** With the parameter sets of all that it gives. */
  readonly format: VideoFormat;
  readonly #rules: CodecRules;
  readonly #context: CodecContext;
  readonly #way: HardwareWay | undefined;
  /** Times of the pictures that are inside, by what the encoder was told instead. */
  readonly #times = new Map<number, number>();
  #count = 0;

  private constructor(
    context: CodecContext,
    rules: CodecRules,
    format: VideoFormat,
    way: HardwareWay | undefined,
  ) {
    this.#context = context;
    this.#rules = rules;
    this.format = format;
    this.#way = way;
  }

  /** @throws {NamedError} ENCODER_MISSING */
  static async open(wanted: VideoEncoderOptions): Promise<VideoEncoder> {
    const { hardware, width, height, pace = { kind: 'quick' } } = wanted;
    const rules = CODECS[wanted.codec ?? 'h264'];
    const name = hardware?.name ?? rules.encoder;
    const codec = Codec.findEncoderByName(name);
    if (!codec) throw encoderMissing(name);
    const context = new CodecContext();
    context.allocContext3(codec);
    let way: HardwareWay | undefined;
    try {
      context.width = width;
      context.height = height;
      context.pixelFormat = wanted.fullRange ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
      context.colorRange = wanted.fullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      if (wanted.pixelAspect) context.sampleAspectRatio = new Rational(...wanted.pixelAspect);
      context.timeBase = new Rational(1, rules.numbered ? wanted.fps : 90_000);
      context.framerate = new Rational(wanted.fps, 1);
      context.gopSize = wanted.gop;
      context.maxBFrames = 0;
      // Parameter sets out of band: they are put in front of keyframes here, each once.
      context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
      if (hardware) way = new HardwareWay(hardware, context, width, height);
      const bitRate = pace.kind === 'quick' ? width * height * 4 : pace.bitRate;
      const options = hardware ? hardwareOptions(hardware, { bitRate }) : rules.options(pace, wanted.gop);
      const opened = await withOptions(options, (dictionary) => context.open2(codec, dictionary));
      check(opened, `opening the encoder ${name}`);
      const format = rules.format(context.extraData ?? Buffer.alloc(0));
      if (!format) throw new Error(`The encoder ${name} gave no parameter sets.`);
      // Some do not say the size in them, all were told it.
      return new VideoEncoder(context, rules, format, way);
    } catch (error) {
      context.freeContext();
      way?.close();
      throw error;
    }
  }

  /** The graphics hardware does it. */
  get isHardware(): boolean {
    return this.#way !== undefined;
  }

  /**
   * @param pts 90 kHz ticks, greater than before
   * @param keyframe it has to be one
   */
  async encode(picture: Picture, pts: number, keyframe = false): Promise<EncodedPicture[]> {
    const time = this.#rules.numbered ? this.#count++ : pts;
    this.#times.set(time, pts);
    const prepared = await this.#way?.prepare(picture.frame);
    const frame = prepared ?? picture.frame;
    try {
      frame.pts = BigInt(time);
      // The decoder says of what kind the picture was, and the encoder would take it for an order.
      frame.pictType = keyframe ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
      check(await this.#context.sendFrame(frame), 'encoding a picture');
    } finally {
      prepared?.free();
    }
    return this.#receive();
  }

  /** The pictures that are still inside; after it the encoder takes nothing but a {@link close}. */
  async drain(): Promise<EncodedPicture[]> {
    const sent = await this.#context.sendFrame(null);
    if (!isEnd(sent)) check(sent, 'ending the encoding');
    return this.#receive();
  }

  close(): void {
    this.#context.freeContext();
    this.#way?.close();
  }

  async #receive(): Promise<EncodedPicture[]> {
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

  #encoded(packet: Packet, data: Buffer): EncodedPicture {
    const time = Number(packet.pts);
    const pts = this.#times.get(time) ?? time;
    for (const before of this.#times.keys()) if (before <= time) this.#times.delete(before);
    const { isKeyframe: keyframe } = packet;
    const parts = this.#rules.parts(data);
    return { pts, keyframe, nals: keyframe ? [...this.format.parameterSets, ...parts] : parts };
  }
}

/** The way of a picture from memory into an encoder of the graphics hardware. */
class HardwareWay {
  readonly #scaler = new SoftwareScaleContext();
  readonly #format: ReturnType<typeof memoryFormat>;
  readonly #device: DeviceUpload | undefined;

  constructor(hardware: HardwareEncoder, context: CodecContext, width: number, height: number) {
    this.#format = memoryFormat(hardware);
    context.pixelFormat = this.#format;
    context.colorRange = AVCOL_RANGE_MPEG;
    this.#device = hardware.family === 'vaapi' ? new DeviceUpload(context, width, height) : undefined;
    this.#scaler.allocContext();
  }

  /** The frame as the encoder takes it, which the caller frees. */
  async prepare(frame: Frame): Promise<Frame> {
    const converted = new Frame();
    converted.alloc();
    try {
      converted.width = frame.width;
      converted.height = frame.height;
      converted.format = this.#format;
      converted.colorRange = AVCOL_RANGE_MPEG;
      check(converted.getBuffer(), 'making room for a picture');
      check(await this.#scaler.scaleFrame(converted, frame), 'converting a picture');
      if (!this.#device) return converted;
      const uploaded = await this.#device.upload(converted);
      converted.free();
      return uploaded;
    } catch (error) {
      converted.free();
      throw error;
    }
  }

  close(): void {
    this.#device?.close();
    this.#scaler.freeContext();
  }
}

/** The FFmpeg that this server came with has no such encoder. */
export function encoderMissing(name: string): NamedError {
  const sentence = `This FFmpeg has no encoder ${name}. Choose another codec, or install a build of node-av that has it.`;
  return new NamedError('ENCODER_MISSING', sentence, 415);
}
