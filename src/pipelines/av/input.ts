import {
  AV_CODEC_ID_AAC,
  AV_CODEC_ID_AC3,
  AV_CODEC_ID_AV1,
  AV_CODEC_ID_H264,
  AV_CODEC_ID_HEVC,
  AV_CODEC_ID_MP3,
  AV_CODEC_ID_MPEG4,
  AV_CODEC_ID_OPUS,
  AV_CODEC_ID_PCM_ALAW,
  AV_CODEC_ID_PCM_MULAW,
  AV_CODEC_ID_VP8,
  AV_CODEC_ID_VP9,
  AV_DISPOSITION_ATTACHED_PIC,
  AV_NOPTS_VALUE,
  AV_PKT_FLAG_DISCARD,
  AVDISCARD_ALL,
  AVERROR_DEMUXER_NOT_FOUND,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
  AVSEEK_FLAG_BACKWARD,
  AVSEEK_FLAG_BYTE,
} from 'node-av/constants';
import { Codec, FormatContext, InputFormat, Packet, type Stream } from 'node-av/lib';
import type { AudioCodec, VideoCodec } from '#media/track.ts';
import type { Rational } from '../rational.ts';
import { AvError, check, isAgain, isEnd, withOptions } from './library.ts';
import { PictureInput } from './picture-input.ts';

/** What an input says about one of its streams. */
export interface InputStream {
  readonly index: number;
  readonly kind: 'video' | 'audio' | 'data';
  /** Ours, where we know the codec; undefined for the rest. */
  readonly codec: VideoCodec | AudioCodec | undefined;
  /** FFmpeg's name of the codec, e.g. `h264`, `vorbis`. */
  readonly codecName: string;
  /** avcC, hvcC, av1C, vpcC, AudioSpecificConfig, or annex B, as the container has it. */
  readonly extradata: Buffer | undefined;
  /** Seconds per tick of the packets. */
  readonly timeBase: Rational;
  readonly width: number;
  readonly height: number;
  /** Pictures per second on average; 0 while unknown. */
  readonly fps: number;
  readonly sampleRate: number;
  readonly channels: number;
  /** Bits per second; 0 while unknown. */
  readonly bitRate: number;
}

/** One packet of an input; times in ticks of its stream's time base. */
export interface InputPacket {
  readonly stream: number;
  readonly pts: bigint;
  readonly dts: bigint;
  /** 0 where the container does not say. */
  readonly duration: bigint;
  readonly keyframe: boolean;
  /** Needed for decoding what follows, but not to be played: the priming of an audio encoder, for one. */
  readonly discard: boolean;
  readonly data: Buffer;
}

const CODECS = new Map<number, VideoCodec | AudioCodec>([
  [AV_CODEC_ID_H264, 'h264'],
  [AV_CODEC_ID_HEVC, 'h265'],
  [AV_CODEC_ID_AV1, 'av1'],
  [AV_CODEC_ID_VP9, 'vp9'],
  [AV_CODEC_ID_VP8, 'vp8'],
  [AV_CODEC_ID_MPEG4, 'mpeg4'],
  [AV_CODEC_ID_AAC, 'aac'],
  [AV_CODEC_ID_OPUS, 'opus'],
  [AV_CODEC_ID_AC3, 'ac3'],
  [AV_CODEC_ID_MP3, 'mp3'],
  [AV_CODEC_ID_PCM_ALAW, 'pcma'],
  [AV_CODEC_ID_PCM_MULAW, 'pcmu'],
]);

/** How long to wait when an input has nothing yet and does not block. */
const AGAIN_MS = 10;

export interface OpenOptions {
  /** FFmpeg's name of the format, or of the device; absent: by what is in it. */
  readonly format?: string;
  /** FFmpeg options of protocol and demuxer. */
  readonly options?: Readonly<Record<string, string | number>>;
  /** Ends a blocked open and every blocked read. */
  readonly signal?: AbortSignal;
}

/** Something FFmpeg can demux. One owner: never two calls at once; {@link close} waits for none. */
export class Input implements AsyncDisposable {
  readonly streams: readonly InputStream[];
  /** FFmpeg's name of the container, e.g. `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly container: string;
  /** Seconds; undefined where unknown. */
  readonly duration: number | undefined;
  readonly #context: FormatContext;
  readonly #signal: AbortSignal | undefined;
  readonly #abort: () => void;
  #closed = false;

  private constructor(context: FormatContext, signal: AbortSignal | undefined, abort: () => void) {
    this.#context = context;
    this.#signal = signal;
    this.#abort = abort;
    this.streams = context.streams.map(describe);
    this.container = context.iformat?.name ?? 'unknown';
    this.duration =
      context.duration === AV_NOPTS_VALUE || context.duration <= 0n
        ? undefined
        : Number(context.duration) / 1e6;
  }

  /** Opens a URL or a file and reads as much as is needed to know its streams. Rejects with an {@link AvError}. */
  static async open(url: string, { format, options = {}, signal }: OpenOptions = {}): Promise<Input> {
    signal?.throwIfAborted();
    const demuxer = format === undefined ? null : InputFormat.findInputFormat(format);
    // FFmpeg would guess.
    if (format !== undefined && !demuxer)
      throw new AvError(AVERROR_DEMUXER_NOT_FOUND, `looking for ${format}`);
    const context = new FormatContext();
    // Without a context of our own there is no interrupt callback, and nothing would end a blocked open.
    context.allocContext();
    const abort = () => context.interrupt();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      check(
        await withOptions(options, (dictionary) => context.openInput(url, demuxer, dictionary)),
        'opening the input',
      );
      signal?.throwIfAborted();
      check(await context.findStreamInfo(null), 'looking for streams');
      signal?.throwIfAborted();
      return new Input(context, signal, abort);
    } catch (error) {
      signal?.removeEventListener('abort', abort);
      await context.closeInput();
      throw signal?.aborted ? signal.reason : error;
    }
  }

  /** From now on {@link read} gives packets of these streams alone. */
  select(indices: readonly number[]): void {
    for (const stream of this.#context.streams) {
      if (!indices.includes(stream.index)) stream.discard = AVDISCARD_ALL;
    }
  }

  /** The next packet; undefined at the end. Rejects with the signal's reason, or an {@link AvError}. */
  async read(): Promise<InputPacket | undefined> {
    const packet = new Packet();
    packet.alloc();
    try {
      for (;;) {
        this.#signal?.throwIfAborted();
        const result = await this.#context.readFrame(packet);
        this.#signal?.throwIfAborted();
        if (isEnd(result)) return undefined;
        if (isAgain(result)) {
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
          continue;
        }
        check(result, 'reading');
        const data = packet.data;
        if (data && data.length > 0) return toInputPacket(packet, data);
        packet.unref();
      }
    } finally {
      packet.free();
    }
  }

  /** Goes back to the beginning; the next packet is the first one again. */
  async rewind(): Promise<void> {
    const start = this.#context.startTime === AV_NOPTS_VALUE ? 0n : this.#context.startTime;
    // A transport stream has no index: a search by time would land near the beginning, not on it.
    const byTime = this.container !== 'mpegts';
    const result = byTime
      ? await this.#context.seekFrame(-1, start, AVSEEK_FLAG_BACKWARD)
      : await this.#context.seekFrame(-1, 0n, AVSEEK_FLAG_BYTE);
    if (result < 0 && byTime) {
      check(await this.#context.seekFrame(-1, 0n, AVSEEK_FLAG_BYTE), 'going back to the beginning');
    } else {
      check(result, 'going back to the beginning');
    }
  }

  /** The decoded pictures of a stream, which take the input over: it is closed with them. */
  async pictures(index: number): Promise<PictureInput> {
    const pictures = await PictureInput.of(this.#context, index, () =>
      this.#signal?.removeEventListener('abort', this.#abort),
    );
    this.#closed = true;
    return pictures;
  }

  /** Frees the input. The owner must have awaited its last call. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    await this.#context.closeInput();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function toInputPacket(packet: Packet, data: Buffer): InputPacket {
  // Containers without one of the two (raw streams, old AVI) leave it to us; without both nothing can be played.
  const pts = packet.pts === AV_NOPTS_VALUE ? packet.dts : packet.pts;
  const dts = packet.dts === AV_NOPTS_VALUE ? packet.pts : packet.dts;
  if (pts === AV_NOPTS_VALUE) throw new AvError(-1, 'reading: the input has no timestamps');
  return {
    stream: packet.streamIndex,
    pts,
    dts,
    duration: packet.duration,
    keyframe: packet.isKeyframe,
    discard: (packet.flags & AV_PKT_FLAG_DISCARD) !== 0,
    data,
  };
}

function describe(stream: Stream): InputStream {
  const parameters = stream.codecpar;
  const picture = (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) !== 0;
  const kind =
    parameters.codecType === AVMEDIA_TYPE_VIDEO && !picture
      ? 'video'
      : parameters.codecType === AVMEDIA_TYPE_AUDIO
        ? 'audio'
        : 'data';
  const rate = stream.avgFrameRate;
  return {
    index: stream.index,
    kind,
    codec: kind === 'data' ? undefined : CODECS.get(parameters.codecId),
    codecName: Codec.findDecoder(parameters.codecId)?.name ?? 'unknown',
    extradata: parameters.extradata ?? undefined,
    timeBase: { num: BigInt(stream.timeBase.num), den: BigInt(stream.timeBase.den) },
    width: parameters.width,
    height: parameters.height,
    fps: rate.den > 0 ? rate.num / rate.den : 0,
    sampleRate: parameters.sampleRate,
    channels: parameters.channels,
    bitRate: Number(parameters.bitRate),
  };
}
