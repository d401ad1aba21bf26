import { stat } from 'node:fs/promises';
import {
  AV_CHANNEL_ORDER_NATIVE,
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
  AV_PIX_FMT_YUV420P,
  type AVCodecID,
  AVFMT_FLAG_FLUSH_PACKETS,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
} from 'node-av/constants';
import { FormatContext, Packet, Rational, type Stream } from 'node-av/lib';
import { joinAnnexB } from '#codecs/nal.ts';
import { opusHead } from '#codecs/opus.ts';
import type { FileKind } from '#media/outputs.ts';
import {
  type AudioCodec,
  type AudioFormat,
  isAudio,
  isVideo,
  type Track,
  type VideoCodec,
} from '#media/track.ts';
import { check, withOptions } from './library.ts';

const CODECS: Readonly<Record<Exclude<VideoCodec, 'mjpeg'> | AudioCodec, AVCodecID>> = {
  h264: AV_CODEC_ID_H264,
  h265: AV_CODEC_ID_HEVC,
  av1: AV_CODEC_ID_AV1,
  vp9: AV_CODEC_ID_VP9,
  vp8: AV_CODEC_ID_VP8,
  mpeg4: AV_CODEC_ID_MPEG4,
  aac: AV_CODEC_ID_AAC,
  ac3: AV_CODEC_ID_AC3,
  mp3: AV_CODEC_ID_MP3,
  opus: AV_CODEC_ID_OPUS,
  pcma: AV_CODEC_ID_PCM_ALAW,
  pcmu: AV_CODEC_ID_PCM_MULAW,
};

interface Muxer {
  /** FFmpeg's name. */
  readonly name: string;
  readonly options?: Readonly<Record<string, string | number>>;
}

/**
 * A fragment a second while it is written, so that what is there can be played whatever happens; an ordinary file with
 * one index at the end.
 */
const MP4 = { movflags: '+hybrid_fragmented+frag_keyframe+delay_moov', frag_duration: 1_000_000 } as const;

/** How a file of each kind is written. */
const FILES: Readonly<Record<FileKind, Muxer>> = {
  mp4: { name: 'mp4', options: MP4 },
  mov: { name: 'mov', options: MP4 },
  m4a: { name: 'ipod', options: MP4 },
  // A cluster is written as a whole: what is not there yet is lost where the program is killed.
  mkv: { name: 'matroska', options: { cluster_time_limit: 1000 } },
  webm: { name: 'webm', options: { cluster_time_limit: 1000 } },
  ts: { name: 'mpegts' },
  flv: { name: 'flv' },
  mp3: { name: 'mp3' },
  aac: { name: 'adts' },
  ogg: { name: 'ogg' },
  wav: { name: 'wav' },
};

/** Where media go, and how they are packed. */
export type OutputTarget =
  /** An address (`srt://`, `udp://`), as MPEG-TS with the timestamps as they are. */
  | { readonly kind: 'network'; readonly url: string }
  /** A file that is there already and may be written over. */
  | { readonly kind: FileKind; readonly path: string };

/** One frame or picture, with its times in ticks of its track. */
export interface OutputPacket {
  /** Place of its track among those of `open`. */
  readonly stream: number;
  readonly pts: number;
  readonly dts: number;
  readonly keyframe: boolean;
  readonly data: Buffer;
}

interface Lane {
  readonly clockRate: number;
  /** Ticks per second of the muxer. */
  readonly rate: number;
  last: number;
  /** From the last unit to the one before. */
  step: number;
}

/**
 * Media that FFmpeg packs and writes. One owner; every call awaited before the next. Calls may block for as long as the
 * network or the disk does.
 */
export class MediaOutput {
  readonly #context: FormatContext;
  readonly #signal: AbortSignal;
  readonly #abort: () => void;
  readonly #interleave: boolean;
  /** Of a file. */
  readonly #path: string | undefined;
  #lanes: Lane[] = [];
  #headed = false;
  #bytes = 0;

  private constructor(
    context: FormatContext,
    signal: AbortSignal,
    abort: () => void,
    { path, interleave }: { readonly path: string | undefined; readonly interleave: boolean },
  ) {
    this.#path = path;
    this.#context = context;
    this.#signal = signal;
    this.#abort = abort;
    this.#interleave = interleave;
  }

  /**
   * Opens it and writes what stands in front. Rejects with an {@link AvError}, or the signal's reason.
   * @param options `interleave`: units do not come in the order of their time, FFmpeg brings them into it
   */
  static async open(
    target: OutputTarget,
    tracks: readonly Track[],
    signal: AbortSignal,
    { interleave = false }: { readonly interleave?: boolean } = {},
  ): Promise<MediaOutput> {
    signal.throwIfAborted();
    const { name, options = {} } = target.kind === 'network' ? FILES.ts : FILES[target.kind];
    const path = target.kind === 'network' ? undefined : target.path;
    const url = target.kind === 'network' ? target.url : `file:${target.path}`;
    const context = new FormatContext();
    check(context.allocOutputContext2(null, name, url), 'preparing the output');
    const abort = () => context.interrupt();
    signal.addEventListener('abort', abort, { once: true });
    const output = new MediaOutput(context, signal, abort, { path, interleave });
    try {
      const streams = tracks.map((track) => addStream(context, track, target));
      // Without it FFmpeg gathers before it sends, and viewers wait.
      context.setFlags(AVFMT_FLAG_FLUSH_PACKETS);
      check(await context.openOutput(), target.kind === 'network' ? 'connecting' : 'opening the file');
      signal.throwIfAborted();
      // By default all times are moved, so that they begin a little above zero.
      const copied = { mpegts_copyts: 1, avoid_negative_ts: 'disabled' };
      const all = { ...options, ...(target.kind === 'network' ? copied : {}) };
      check(await withOptions(all, (dictionary) => context.writeHeader(dictionary)), 'writing the header');
      output.#headed = true;
      output.#lanes = streams.map((stream, at) => laneOf(stream, tracks[at]!));
      return output;
    } catch (error) {
      await output.#release();
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** Bytes that were written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Rejects with an {@link AvError}, or the signal's reason. */
  async write({ stream, keyframe, data, ...times }: OutputPacket): Promise<void> {
    this.#signal.throwIfAborted();
    const lane = this.#lanes[stream]!;
    const ticks = (time: number) => Math.round((time * lane.rate) / lane.clockRate);
    // Where sound is moved onto the picture's clock, rounding may put two frames on one tick.
    const dts = Math.max(ticks(times.dts), lane.last + 1);
    if (Number.isFinite(lane.last)) lane.step = dts - lane.last;
    lane.last = dts;
    const packet = new Packet();
    packet.alloc();
    try {
      // Setting the data resets everything else.
      packet.data = data;
      packet.streamIndex = stream;
      packet.pts = BigInt(Math.max(ticks(times.pts), dts));
      packet.dts = BigInt(dts);
      // What is known of the last one in a fragment; the next one says it exactly.
      packet.duration = BigInt(lane.step);
      packet.isKeyframe = keyframe;
      packet.timeBase = { num: 1, den: lane.rate };
      // Live units come in the order of their time: FFmpeg would wait for the other track.
      const result = this.#interleave
        ? await this.#context.interleavedWriteFrame(packet)
        : await this.#context.writeFrame(packet);
      this.#signal.throwIfAborted();
      check(result, 'writing');
      this.#count();
    } finally {
      packet.free();
    }
  }

  /**
   * Writes what stands at the end, and closes it. The owner must have awaited its last call. Rejects with an
   * {@link AvError} where a file could not be completed; what was written is closed all the same.
   */
  async close(): Promise<void> {
    let result = 0;
    if (this.#headed && !this.#signal.aborted) result = await this.#context.writeTrailer();
    this.#count();
    await this.#release();
    // At the end the beginning of some files is written anew: where the pen stands says nothing then.
    if (this.#path !== undefined) this.#bytes = (await stat(this.#path)).size;
    check(result, 'completing the output');
  }

  #count(): void {
    this.#bytes = Math.max(this.#bytes, Number(this.#context.pbBytes));
  }

  async #release(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort);
    await this.#context.closeOutput();
    this.#context.freeContext();
  }
}

function laneOf(stream: Stream, { clockRate }: Track): Lane {
  const { num, den } = stream.timeBase;
  return { clockRate, rate: den / num, last: Number.NEGATIVE_INFINITY, step: 0 };
}

function addStream(context: FormatContext, track: Track, { kind }: OutputTarget): Stream {
  const stream = context.newStream(null);
  const { codecpar } = stream;
  stream.timeBase = new Rational(1, track.clockRate);
  codecpar.codecId = CODECS[track.format.codec as keyof typeof CODECS];
  if (isVideo(track)) {
    const { codec, width, height, parameterSets } = track.format;
    codecpar.codecType = AVMEDIA_TYPE_VIDEO;
    codecpar.width = width;
    codecpar.height = height;
    codecpar.format = AV_PIX_FMT_YUV420P;
    const isNal = codec === 'h264' || codec === 'h265';
    if (parameterSets.length > 0) {
      codecpar.extradata = isNal ? joinAnnexB(parameterSets) : Buffer.concat(parameterSets);
    }
    // Players of Apple take H.265 under this name alone.
    if (codec === 'h265' && (kind === 'mp4' || kind === 'mov')) codecpar.codecTag = 'hvc1';
  } else if (isAudio(track)) {
    const { sampleRate, channels } = track.format;
    codecpar.codecType = AVMEDIA_TYPE_AUDIO;
    codecpar.sampleRate = sampleRate;
    codecpar.channelLayout = {
      nbChannels: channels,
      order: AV_CHANNEL_ORDER_NATIVE,
      mask: channels === 1 ? 4n : (1n << BigInt(channels)) - 1n,
    };
    describeSound(codecpar, track.format);
  }
  return stream;
}

function describeSound(codecpar: Stream['codecpar'], format: AudioFormat): void {
  const { codec, config } = format;
  // The configuration of AAC, from which FFmpeg makes the headers of each frame.
  if (codec === 'aac' && config.length > 0) codecpar.extradata = config;
  if (codec === 'opus') codecpar.extradata = opusHead(format);
  if (codec === 'aac') codecpar.frameSize = 1024;
  if (codec === 'mp3') codecpar.frameSize = format.sampleRate >= 32_000 ? 1152 : 576;
  if (codec === 'pcma' || codec === 'pcmu') codecpar.bitsPerCodedSample = 8;
}
