import {
  AV_CODEC_ID_AAC,
  AV_CODEC_ID_AC3,
  AV_CODEC_ID_MP3,
  AV_CODEC_ID_OPUS,
  AV_SAMPLE_FMT_FLTP,
  AVERROR_INVALIDDATA,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet, Rational } from 'node-av/lib';
import type { AudioFormat } from '#media/track.ts';
import { check, isAgain, isEnd } from './library.ts';

const DECODERS = {
  aac: AV_CODEC_ID_AAC,
  ac3: AV_CODEC_ID_AC3,
  mp3: AV_CODEC_ID_MP3,
  opus: AV_CODEC_ID_OPUS,
} as const;

export interface DecodedSound {
  /** Of the access unit it was decoded from, in its ticks. */
  readonly pts: number;
  /** As it came out: with spectral band replication twice what the format says. */
  readonly sampleRate: number;
  /** One per channel, -1..1. */
  readonly planes: readonly Float32Array[];
}

/** True when {@link SoundDecoder} can decode it. */
export function canDecodeSound(codec: string): codec is keyof typeof DECODERS {
  return codec in DECODERS;
}

/** Decodes access units of sound. One owner; every call awaited before the next. */
export class SoundDecoder {
  readonly #context: CodecContext;
  readonly #packet = new Packet();

  private constructor(context: CodecContext) {
    this.#context = context;
  }

  static async open(
    codec: keyof typeof DECODERS,
    format: AudioFormat,
    clockRate: number,
  ): Promise<SoundDecoder> {
    const context = new CodecContext();
    const decoder = Codec.findDecoder(DECODERS[codec]);
    context.allocContext3(decoder);
    try {
      context.sampleRate = format.sampleRate;
      context.pktTimebase = new Rational(1, clockRate);
      if (format.config.length > 0) context.extraData = format.config;
      check(await context.open2(decoder, null), `opening a decoder for ${codec}`);
    } catch (error) {
      context.freeContext();
      throw error;
    }
    return new SoundDecoder(context);
  }

  /** The sound of one access unit; undefined when the data is broken, and decoding goes on with the next. */
  async decode(data: Buffer, pts: number): Promise<DecodedSound[] | undefined> {
    const packet = this.#packet;
    packet.alloc();
    // Setting the data resets the rest of the packet: it comes first.
    packet.data = data;
    packet.pts = BigInt(pts);
    try {
      // Frames stand alone: whatever is wrong with one, the next may be right.
      if ((await this.#context.sendPacket(packet)) < 0) return undefined;
    } finally {
      packet.free();
    }
    return this.#receive();
  }

  close(): void {
    this.#context.freeContext();
  }

  #receive(): DecodedSound[] | undefined {
    const sounds: DecodedSound[] = [];
    const frame = new Frame();
    frame.alloc();
    try {
      for (;;) {
        const result = this.#context.receiveFrameSync(frame);
        if (isAgain(result) || isEnd(result)) return sounds;
        if (result === AVERROR_INVALIDDATA) return undefined;
        check(result, 'decoding sound');
        sounds.push({ pts: Number(frame.pts), sampleRate: frame.sampleRate, planes: planesOf(frame) });
        frame.unref();
      }
    } finally {
      frame.free();
    }
  }
}

/** Copies of the samples: the frame's own memory goes with it. */
function planesOf(frame: Frame): Float32Array[] {
  if (frame.format !== AV_SAMPLE_FMT_FLTP) throw new Error('The decoder gives samples in another form.');
  return Array.from({ length: frame.channels }, (_, channel) => {
    const plane = new Float32Array(frame.nbSamples);
    const bytes = frame.data?.[channel] ?? frame.extendedData?.[channel];
    if (bytes) new Uint8Array(plane.buffer).set(bytes.subarray(0, plane.byteLength));
    return plane;
  });
}
