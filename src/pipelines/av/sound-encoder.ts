import {
  AV_CHANNEL_ORDER_NATIVE,
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_PROFILE_AAC_LOW,
  AV_SAMPLE_FMT_FLT,
  AV_SAMPLE_FMT_FLTP,
  FF_ENCODER_AAC,
  FF_ENCODER_LIBMP3LAME,
  FF_ENCODER_LIBOPUS,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, Rational } from 'node-av/lib';
import { check, isAgain, isEnd, withOptions } from './library.ts';
import { encoderMissing } from './video-encoder.ts';

export interface SoundPacket {
  /**
   * In samples; the encoder's delay is already taken off, so the first packets stand before the first sample: a frame
   * of AAC or MP3, 2.5 ms of Opus.
   */
  readonly pts: number;
  readonly data: Buffer;
}

export interface SoundEncoderOptions {
  readonly codec: keyof typeof ENCODERS;
  readonly sampleRate: number;
  /** 1 or 2. */
  readonly channels: number;
  /** Bits per second. */
  readonly bitRate: number;
}

/** Bits per second and channel below which Opus codes speech by SILK, where it may. */
const LEAN_OPUS = 40_000;

const ENCODERS = {
  aac: { name: FF_ENCODER_AAC, sampleFormat: AV_SAMPLE_FMT_FLTP, settings: {} },
  // What a live stream needs: 20 ms, bounded packets, and half of what the default costs. At our bit rates Opus codes by
  // CELT whatever it hears; to be told so spares it 4 ms of looking ahead.
  opus: {
    name: FF_ENCODER_LIBOPUS,
    sampleFormat: AV_SAMPLE_FMT_FLT,
    settings: { application: 'lowdelay', vbr: 'constrained', frame_duration: '20', compression_level: '5' },
  },
  // Without a reservoir each frame can be decoded alone, which who joins or loses one needs.
  mp3: {
    name: FF_ENCODER_LIBMP3LAME,
    sampleFormat: AV_SAMPLE_FMT_FLTP,
    settings: { reservoir: '0', compression_level: '5' },
  },
} as const;

/** Encodes AAC-LC, Opus or MP3 without containers. One owner; every call awaited before the next. */
export class SoundEncoder {
  /** AAC: the AudioSpecificConfig. Empty for the others. */
  readonly config: Buffer;
  readonly #context: CodecContext;
  readonly #options: SoundEncoderOptions;

  private constructor(context: CodecContext, config: Buffer, options: SoundEncoderOptions) {
    this.#context = context;
    this.config = config;
    this.#options = options;
  }

  /** @throws {NamedError} ENCODER_MISSING */
  static async open(options: SoundEncoderOptions): Promise<SoundEncoder> {
    const { name, sampleFormat, settings } = ENCODERS[options.codec];
    const codec = Codec.findEncoderByName(name);
    if (!codec) throw encoderMissing(name);
    const context = new CodecContext();
    context.allocContext3(codec);
    try {
      context.sampleRate = options.sampleRate;
      context.sampleFormat = sampleFormat;
      context.channelLayout = layout(options.channels);
      context.bitRate = BigInt(options.bitRate);
      context.timeBase = new Rational(1, options.sampleRate);
      if (options.codec === 'aac') {
        context.profile = AV_PROFILE_AAC_LOW;
        // The configuration goes out of band, not as ADTS.
        context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
      }
      // With few bits the other way of coding sounds better, and is worth its delay.
      const isLean = options.codec === 'opus' && options.bitRate / options.channels < LEAN_OPUS;
      const chosen = isLean ? { ...settings, application: 'audio' } : settings;
      const opened = await withOptions(chosen, (dictionary) => context.open2(codec, dictionary));
      check(opened, `opening an encoder for ${options.codec}`);
      const extra = options.codec === 'aac' ? context.extraData : Buffer.alloc(2);
      if (!extra || extra.length < 2) throw new Error('The AAC encoder gave no configuration.');
      const config = options.codec === 'aac' ? Buffer.from(extra.subarray(0, 2)) : Buffer.alloc(0);
      return new SoundEncoder(context, config, options);
    } catch (error) {
      context.freeContext();
      throw error;
    }
  }

  /** Encodes one frame: {@link frameLengthOf} samples per channel, -1..1; `pts` of its first sample, in samples. */
  async encode(planes: readonly Float32Array[], pts: number): Promise<SoundPacket[]> {
    const { codec, sampleRate, channels } = this.#options;
    const frame = new Frame();
    frame.alloc();
    try {
      frame.format = ENCODERS[codec].sampleFormat;
      frame.sampleRate = sampleRate;
      frame.nbSamples = frameLengthOf(codec, sampleRate);
      frame.channelLayout = layout(channels);
      check(frame.getBuffer(), 'making room for sound');
      const parts = codec === 'opus' ? [interleaved(planes)] : planes;
      for (const [index, samples] of parts.entries()) {
        frame.data?.[index]?.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
      }
      frame.pts = BigInt(pts);
      check(await this.#context.sendFrame(frame), 'encoding sound');
    } finally {
      frame.free();
    }
    return this.#receive();
  }

  /** What is still inside; after it the encoder takes nothing but a {@link close}. */
  async drain(): Promise<SoundPacket[]> {
    const sent = await this.#context.sendFrame(null);
    if (!isEnd(sent)) check(sent, 'ending the encoding');
    return this.#receive();
  }

  close(): void {
    this.#context.freeContext();
  }

  async #receive(): Promise<SoundPacket[]> {
    const packets: SoundPacket[] = [];
    const packet = new Packet();
    packet.alloc();
    try {
      for (;;) {
        const result = await this.#context.receivePacket(packet);
        if (isAgain(result) || isEnd(result)) return packets;
        check(result, 'encoding sound');
        const data = packet.data;
        if (data) packets.push({ pts: Number(packet.pts), data });
        packet.unref();
      }
    } finally {
      packet.free();
    }
  }
}

/** Samples in one frame: of AAC-LC and MP3 as their standards say, of Opus 20 ms. */
export function frameLengthOf(codec: keyof typeof ENCODERS, sampleRate: number): number {
  if (codec === 'aac') return 1024;
  if (codec === 'opus') return 960;
  return sampleRate >= 32_000 ? 1152 : 576;
}

function interleaved(planes: readonly Float32Array[]): Float32Array {
  const [first] = planes;
  if (!first || planes.length === 1) return first ?? new Float32Array(0);
  const samples = new Float32Array(first.length * planes.length);
  for (const [channel, plane] of planes.entries()) {
    for (let n = 0; n < plane.length; n++) samples[n * planes.length + channel] = plane[n]!;
  }
  return samples;
}

/** Mono is front centre, stereo front left and right, as FFmpeg's native order numbers them. */
function layout(channels: number) {
  return { nbChannels: channels, order: AV_CHANNEL_ORDER_NATIVE, mask: channels === 1 ? 4n : 3n };
}
