import {
  AV_PIX_FMT_YUV420P,
  AVCOL_RANGE_MPEG,
  AVERROR_DECODER_NOT_FOUND,
  AVERROR_INVALIDDATA,
  AVERROR_STREAM_NOT_FOUND,
  AVMEDIA_TYPE_VIDEO,
} from 'node-av/constants';
import {
  Codec,
  CodecContext,
  FormatContext,
  Frame,
  InputFormat,
  Packet,
  SoftwareScaleContext,
  type Stream,
} from 'node-av/lib';
import { AvError, check, isAgain, isEnd, withOptions } from './library.ts';
import { Picture } from './video.ts';

/** Pictures larger than this are made smaller, their shape kept: every player can decode them. */
const LARGEST = { width: 1920, height: 1080 } as const;

/**
 * The decoded pictures of a file, of one of FFmpeg's test sources, or of a live input, ready for an encoder: 4:2:0, sizes
 * even.
 * One owner; every call awaited before the next.
 */
export class PictureInput implements AsyncDisposable {
  readonly #format: FormatContext;
  readonly #stream: Stream;
  readonly #decoder: CodecContext;
  readonly #scaler = new SoftwareScaleContext();
  readonly #release: () => void;

  private constructor(format: FormatContext, stream: Stream, decoder: CodecContext, release: () => void) {
    this.#format = format;
    this.#stream = stream;
    this.#decoder = decoder;
    this.#release = release;
    this.#scaler.allocContext();
    this.#scaler.setOption('sws_flags', 'bicubic');
    this.#scaler.setOption('threads', 1);
  }

  /**
   * The pictures of an image or a video file, and nothing but that file. Rejects with an {@link AvError}.
   * @param formats FFmpeg's names of the formats that it may be in, joined by commas; absent: any
   */
  static file(path: string, signal: AbortSignal, formats?: string): Promise<PictureInput> {
    const options = {
      protocol_whitelist: 'file',
      // `%d` in a name stands for itself and not for the numbers of other files.
      pattern_type: 'none',
      ...(formats === undefined ? {} : { format_whitelist: formats }),
    };
    return PictureInput.#open(`file:${path}`, null, options, signal);
  }

  /** What a graph of FFmpeg's filters makes, e.g. `testsrc2=rate=25`. Rejects with an {@link AvError}. */
  static graph(description: string, signal: AbortSignal): Promise<PictureInput> {
    return PictureInput.#open(description, InputFormat.findInputFormat('lavfi'), {}, signal);
  }

  /**
   * The pictures of one stream of what is open already, which it takes over. Rejects with an {@link AvError}.
   * @param release called when it is closed
   */
  static async of(format: FormatContext, index: number, release: () => void): Promise<PictureInput> {
    const stream = format.streams[index];
    if (!stream) throw new RangeError(`The input has no stream ${index}.`);
    return new PictureInput(format, stream, await decoderOf(stream), release);
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
    try {
      check(
        await withOptions(options, (dictionary) => format.openInput(url, input, dictionary)),
        'opening the input',
      );
      check(await format.findStreamInfo(null), 'looking for pictures');
      const stream = format.streams.find(({ codecpar }) => codecpar.codecType === AVMEDIA_TYPE_VIDEO);
      if (!stream) throw new AvError(AVERROR_STREAM_NOT_FOUND, 'looking for pictures');
      return new PictureInput(format, stream, await decoderOf(stream), release);
    } catch (error) {
      release();
      await format.closeInput();
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** When a picture is shown, seconds of the input's own time. */
  seconds(picture: Picture): number {
    const { num, den } = this.#stream.timeBase;
    return (picture.pts * num) / den;
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
      if (isAgain(result)) return;
      if (!isEnd(result)) check(result, 'reading');
      if (isEnd(result)) check(await this.#decoder.sendPacket(null), 'decoding a picture');
      else if (packet.streamIndex === this.#stream.index) {
        const sent = await this.#decoder.sendPacket(packet);
        // A picture that came broken is left out: the next one may be whole.
        if (sent !== AVERROR_INVALIDDATA) check(sent, 'decoding a picture');
      }
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
      target.pts = frame.pts;
      return target;
    } catch (error) {
      target.free();
      throw error;
    } finally {
      frame.free();
    }
  }
}

/** A decoder on one thread. */
async function decoderOf({ codecpar }: Stream): Promise<CodecContext> {
  const codec = Codec.findDecoder(codecpar.codecId);
  if (!codec) throw new AvError(AVERROR_DECODER_NOT_FOUND, 'preparing a decoder');
  const decoder = new CodecContext();
  decoder.allocContext3(codec);
  try {
    check(decoder.parametersToContext(codecpar), 'preparing a decoder');
    decoder.threadCount = 1;
    check(await decoder.open2(codec, null), 'opening a decoder');
    return decoder;
  } catch (error) {
    decoder.freeContext();
    throw error;
  }
}

/** The even size, at most {@link LARGEST}, that keeps the shape. */
function fit({ width, height }: { width: number; height: number }): { width: number; height: number } {
  const scale = Math.min(1, LARGEST.width / width, LARGEST.height / height);
  const even = (size: number) => Math.max(2, Math.round((size * scale) / 2) * 2);
  return { width: even(width), height: even(height) };
}
