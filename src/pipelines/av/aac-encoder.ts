import {
  AV_CHANNEL_ORDER_NATIVE,
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_CODEC_ID_AAC,
  AV_PROFILE_AAC_LOW,
  AV_SAMPLE_FMT_FLTP,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, Rational } from 'node-av/lib';
import { AAC_FRAME } from '../aac-framer.ts';
import { check, isAgain, isEnd } from './library.ts';

export interface AacPacket {
  /** In samples; the encoder's delay is already taken off. The first packet stands one frame before the first sample. */
  readonly pts: number;
  readonly data: Buffer;
}

/** Encodes AAC-LC without containers. One owner; every call awaited before the next. */
export class AacEncoder {
  /** AudioSpecificConfig. */
  readonly config: Buffer;
  readonly #context: CodecContext;
  readonly #sampleRate: number;
  readonly #channels: number;

  private constructor(context: CodecContext, config: Buffer, sampleRate: number, channels: number) {
    this.#context = context;
    this.config = config;
    this.#sampleRate = sampleRate;
    this.#channels = channels;
  }

  /** @param channels 1 or 2 */
  static async open(sampleRate: number, channels: number, bitRate: number): Promise<AacEncoder> {
    const codec = Codec.findEncoder(AV_CODEC_ID_AAC);
    const context = new CodecContext();
    context.allocContext3(codec);
    try {
      context.sampleRate = sampleRate;
      context.sampleFormat = AV_SAMPLE_FMT_FLTP;
      context.channelLayout = layout(channels);
      context.bitRate = BigInt(bitRate);
      context.profile = AV_PROFILE_AAC_LOW;
      context.timeBase = new Rational(1, sampleRate);
      // The configuration goes out of band, not as ADTS.
      context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
      check(await context.open2(codec, null), 'opening the AAC encoder');
      const config = context.extraData;
      if (!config || config.length < 2) throw new Error('The AAC encoder gave no configuration.');
      return new AacEncoder(context, Buffer.from(config.subarray(0, 2)), sampleRate, channels);
    } catch (error) {
      context.freeContext();
      throw error;
    }
  }

  /** Encodes one frame: {@link AAC_FRAME} samples per channel, -1..1; `pts` of its first sample, in samples. */
  async encode(planes: readonly Float32Array[], pts: number): Promise<AacPacket[]> {
    const frame = new Frame();
    frame.alloc();
    try {
      frame.format = AV_SAMPLE_FMT_FLTP;
      frame.sampleRate = this.#sampleRate;
      frame.nbSamples = AAC_FRAME;
      frame.channelLayout = layout(this.#channels);
      check(frame.getBuffer(), 'making room for sound');
      for (const [channel, plane] of planes.entries()) {
        const bytes = new Uint8Array(plane.buffer, plane.byteOffset, plane.byteLength);
        frame.data?.[channel]?.set(bytes);
      }
      frame.pts = BigInt(pts);
      check(await this.#context.sendFrame(frame), 'encoding sound');
    } finally {
      frame.free();
    }
    return this.#receive();
  }

  close(): void {
    this.#context.freeContext();
  }

  async #receive(): Promise<AacPacket[]> {
    const packets: AacPacket[] = [];
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

/** Mono is front centre, stereo front left and right, as FFmpeg's native order numbers them. */
function layout(channels: number) {
  return { nbChannels: channels, order: AV_CHANNEL_ORDER_NATIVE, mask: channels === 1 ? 4n : 3n };
}
