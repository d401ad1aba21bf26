import {
  AV_CHANNEL_ORDER_NATIVE,
  AV_CODEC_ID_AAC,
  AV_CODEC_ID_AC3,
  AV_CODEC_ID_H264,
  AV_CODEC_ID_HEVC,
  AV_CODEC_ID_MP3,
  AV_CODEC_ID_OPUS,
  AV_PIX_FMT_YUV420P,
  AVFMT_FLAG_FLUSH_PACKETS,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
} from 'node-av/constants';
import { FormatContext, Packet, Rational } from 'node-av/lib';
import { joinAnnexB } from '#codecs/nal.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import { check, withOptions } from './library.ts';

/** Ticks per second of everything in a transport stream. */
export const TS_CLOCK = 90_000;

const CODECS = {
  h264: AV_CODEC_ID_H264,
  h265: AV_CODEC_ID_HEVC,
  aac: AV_CODEC_ID_AAC,
  ac3: AV_CODEC_ID_AC3,
  mp3: AV_CODEC_ID_MP3,
  opus: AV_CODEC_ID_OPUS,
} as const;

/** Whether a transport stream can carry a track so that players know it. */
export function fitsTransportStream({ format }: Track): boolean {
  return Object.hasOwn(CODECS, format.codec);
}

/** One frame or picture, with its times in 90 kHz ticks. */
export interface OutputPacket {
  /** Place of its track among those of `open`. */
  readonly stream: number;
  readonly pts: number;
  readonly dts: number;
  readonly keyframe: boolean;
  readonly data: Buffer;
}

/**
 * MPEG-TS that FFmpeg writes to an address (`srt://`, `udp://`), the timestamps as they are. One owner; every call
 * awaited before the next. Calls may block for as long as the network does.
 */
export class TransportStreamOutput {
  readonly #context: FormatContext;
  readonly #signal: AbortSignal;
  readonly #abort: () => void;
  #headed = false;

  private constructor(context: FormatContext, signal: AbortSignal, abort: () => void) {
    this.#context = context;
    this.#signal = signal;
    this.#abort = abort;
  }

  /** Connects and writes what stands in front. Rejects with an {@link AvError}, or the signal's reason. */
  static async open(
    url: string,
    tracks: readonly Track[],
    signal: AbortSignal,
  ): Promise<TransportStreamOutput> {
    signal.throwIfAborted();
    const context = new FormatContext();
    check(context.allocOutputContext2(null, 'mpegts', url), 'preparing MPEG-TS');
    const abort = () => context.interrupt();
    signal.addEventListener('abort', abort, { once: true });
    const output = new TransportStreamOutput(context, signal, abort);
    try {
      for (const track of tracks) addStream(context, track);
      // Without it FFmpeg gathers before it sends, and viewers wait.
      context.setFlags(AVFMT_FLAG_FLUSH_PACKETS);
      check(await context.openOutput(), 'connecting');
      signal.throwIfAborted();
      // By default all times are moved, so that they begin a little above zero.
      const options = { mpegts_copyts: 1, avoid_negative_ts: 'disabled' };
      check(
        await withOptions(options, (dictionary) => context.writeHeader(dictionary)),
        'writing the header',
      );
      output.#headed = true;
      return output;
    } catch (error) {
      await output.close();
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** Bytes that were written. */
  get bytes(): number {
    return Number(this.#context.pbBytes);
  }

  /** Rejects with an {@link AvError}, or the signal's reason. */
  async write({ stream, pts, dts, keyframe, data }: OutputPacket): Promise<void> {
    this.#signal.throwIfAborted();
    const packet = new Packet();
    packet.alloc();
    try {
      // Setting the data resets everything else.
      packet.data = data;
      packet.streamIndex = stream;
      packet.pts = BigInt(pts);
      packet.dts = BigInt(dts);
      packet.isKeyframe = keyframe;
      packet.timeBase = { num: 1, den: TS_CLOCK };
      // Not interleaved by FFmpeg, which would wait for the other track: units come in the order of their time.
      const result = await this.#context.writeFrame(packet);
      this.#signal.throwIfAborted();
      check(result, 'writing');
    } finally {
      packet.free();
    }
  }

  /** Closes the connection. The owner must have awaited its last call. */
  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort);
    // What is wrong with the connection by now was said before.
    if (this.#headed && !this.#signal.aborted) await this.#context.writeTrailer();
    await this.#context.closeOutput();
    this.#context.freeContext();
  }
}

function addStream(context: FormatContext, track: Track): void {
  const stream = context.newStream(null);
  const { codecpar } = stream;
  stream.timeBase = new Rational(1, TS_CLOCK);
  codecpar.codecId = CODECS[track.format.codec as keyof typeof CODECS];
  if (isVideo(track)) {
    const { width, height, parameterSets } = track.format;
    codecpar.codecType = AVMEDIA_TYPE_VIDEO;
    codecpar.width = width;
    codecpar.height = height;
    codecpar.format = AV_PIX_FMT_YUV420P;
    if (parameterSets.length > 0) codecpar.extradata = joinAnnexB(parameterSets);
  } else if (isAudio(track)) {
    const { codec, sampleRate, channels, config } = track.format;
    codecpar.codecType = AVMEDIA_TYPE_AUDIO;
    codecpar.sampleRate = sampleRate;
    codecpar.channelLayout = {
      nbChannels: channels,
      order: AV_CHANNEL_ORDER_NATIVE,
      mask: (1n << BigInt(channels)) - 1n,
    };
    // The configuration of AAC, from which FFmpeg makes the headers of each frame.
    if (codec === 'aac' && config.length > 0) codecpar.extradata = config;
  }
}
