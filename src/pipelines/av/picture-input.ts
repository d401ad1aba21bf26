import { AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG, AVMEDIA_TYPE_VIDEO } from 'node-av/constants';
import {
  Codec,
  CodecContext,
  FormatContext,
  Frame,
  InputFormat,
  Packet,
  SoftwareScaleContext,
} from 'node-av/lib';
import { check, isAgain, isEnd, withOptions } from './library.ts';
import { Picture } from './video.ts';

/** Pictures larger than this are made smaller, their shape kept: every player can decode them. */
const LARGEST = { width: 1920, height: 1080 } as const;

/**
 * The decoded pictures of an image file or of one of FFmpeg's test sources, ready for an encoder: 4:2:0, sizes even.
 * One owner; every call awaited before the next.
 */
export class PictureInput implements AsyncDisposable {
  readonly #format: FormatContext;
  readonly #stream: number;
  readonly #decoder: CodecContext;
  readonly #scaler = new SoftwareScaleContext();
  readonly #release: () => void;

  private constructor(format: FormatContext, stream: number, decoder: CodecContext, release: () => void) {
    this.#format = format;
    this.#stream = stream;
    this.#decoder = decoder;
    this.#release = release;
    this.#scaler.allocContext();
    this.#scaler.setOption('sws_flags', 'bicubic');
    this.#scaler.setOption('threads', 1);
  }

  /** The picture of an image file, and nothing but a file. Rejects with an {@link AvError}. */
  static image(path: string, signal: AbortSignal): Promise<PictureInput> {
    return PictureInput.#open(`file:${path}`, null, { protocol_whitelist: 'file' }, signal);
  }

  /** What a graph of FFmpeg's filters makes, e.g. `testsrc2=rate=25`. Rejects with an {@link AvError}. */
  static graph(description: string, signal: AbortSignal): Promise<PictureInput> {
    return PictureInput.#open(description, InputFormat.findInputFormat('lavfi'), {}, signal);
  }

  static async #open(
    url: string,
    input: InputFormat | null,
    options: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<PictureInput> {
    signal.throwIfAborted();
    const format = new FormatContext();
    // Without a context of our own there is no interrupt callback, and nothing would end a blocked open.
    format.allocContext();
    const abort = () => format.interrupt();
    signal.addEventListener('abort', abort, { once: true });
    const release = () => signal.removeEventListener('abort', abort);
    let decoder: CodecContext | undefined;
    try {
      check(
        await withOptions(options, (dictionary) => format.openInput(url, input, dictionary)),
        'opening the input',
      );
      check(await format.findStreamInfo(null), 'looking for pictures');
      const stream = format.streams.find(({ codecpar }) => codecpar.codecType === AVMEDIA_TYPE_VIDEO);
      const codec = stream && Codec.findDecoder(stream.codecpar.codecId);
      if (!stream || !codec) throw new Error('There is no picture in it.');
      decoder = new CodecContext();
      decoder.allocContext3(codec);
      check(decoder.parametersToContext(stream.codecpar), 'preparing a decoder');
      decoder.threadCount = 1;
      check(await decoder.open2(codec, null), 'opening a decoder');
      return new PictureInput(format, stream.index, decoder, release);
    } catch (error) {
      release();
      decoder?.freeContext();
      await format.closeInput();
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** The next picture, which the caller releases; undefined at the end. */
  async next(): Promise<Picture | undefined> {
    for (;;) {
      const frame = new Frame();
      frame.alloc();
      const result = await this.#decoder.receiveFrame(frame);
      if (result >= 0) return new Picture(await this.#converted(frame));
      frame.free();
      if (isEnd(result)) return undefined;
      if (!isAgain(result)) check(result, 'decoding a picture');
      await this.#feed();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
    this.#decoder.freeContext();
    this.#scaler.freeContext();
    await this.#format.closeInput();
  }

  async #feed(): Promise<void> {
    const packet = new Packet();
    packet.alloc();
    try {
      const result = await this.#format.readFrame(packet);
      if (!isEnd(result)) check(result, 'reading');
      if (isEnd(result)) check(await this.#decoder.sendPacket(null), 'decoding a picture');
      else if (packet.streamIndex === this.#stream)
        check(await this.#decoder.sendPacket(packet), 'decoding a picture');
    } finally {
      packet.free();
    }
  }

  /** Takes the frame over. */
  async #converted(frame: Frame): Promise<Frame> {
    const { width, height } = fit(frame);
    if (frame.format === AV_PIX_FMT_YUV420P && frame.width === width && frame.height === height) return frame;
    const target = new Frame();
    target.alloc();
    try {
      target.width = width;
      target.height = height;
      target.format = AV_PIX_FMT_YUV420P;
      // JPEG has black at 0, video at 16.
      target.colorRange = AVCOL_RANGE_MPEG;
      check(target.getBuffer(), 'making room for a picture');
      check(await this.#scaler.scaleFrame(target, frame), 'scaling a picture');
      return target;
    } catch (error) {
      target.free();
      throw error;
    } finally {
      frame.free();
    }
  }
}

/** The even size, at most {@link LARGEST}, that keeps the shape. */
function fit({ width, height }: { width: number; height: number }): { width: number; height: number } {
  const scale = Math.min(1, LARGEST.width / width, LARGEST.height / height);
  const even = (size: number) => Math.max(2, Math.round((size * scale) / 2) * 2);
  return { width: even(width), height: even(height) };
}
