import { aacFormat } from '#codecs/aac.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { AudioTrack } from '#media/track.ts';
import { frameLengthOf, SoundEncoder } from './av/sound-encoder.ts';
import { decodePcm, type PcmCodec } from './pcm.ts';
import { Resampler } from './resampler.ts';
import { atMostStereo, type SoundFrame, SoundFramer } from './sound-framer.ts';

/** Samples a second of what is made; what AAC can have stays as it is. */
const RATE = 48_000;
/** Bits per second and channel. */
const BIT_RATE = 64_000;
/**
 * So far may the samples, counted, be from when they were captured before they are set right: two clocks, that of the
 * sound and that of the machine, go apart by seconds a day, and the times that are told of blocks tremble.
 */
const SLACK_SECONDS = 0.03;
/** How much of a new difference between both clocks is taken up at once. */
const SMOOTHING = 1 / 64;

/** Makes the samples of a device AAC, whose timestamps count them and whose capture times are the machine's. */
export class CapturedSound {
  readonly track: AudioTrack;
  readonly #from: { readonly codec: PcmCodec; readonly sampleRate: number; readonly channels: number };
  readonly #framer: SoundFramer;
  #encoder: SoundEncoder;
  #isUsed = false;
  /** The number of the next sample; undefined before the first. */
  #next: number | undefined;
  /** Capture time less counted time, ms. */
  #drift = 0;

  private constructor(
    id: number,
    from: { readonly codec: PcmCodec; readonly sampleRate: number; readonly channels: number },
    encoder: SoundEncoder,
  ) {
    this.#from = from;
    this.#encoder = encoder;
    this.track = { id, clockRate: RATE, format: aacFormat(encoder.config) };
    this.#framer = new SoundFramer({
      sampleRate: from.sampleRate,
      channels: madeChannels(from.channels),
      frameLength: frameLengthOf('aac', RATE),
      frameRate: RATE,
    });
  }

  /** Whether sound of this rate can be taken. */
  static canTake(sampleRate: number): boolean {
    return Resampler.canDo(sampleRate, RATE);
  }

  static async open(
    id: number,
    from: { readonly codec: PcmCodec; readonly sampleRate: number; readonly channels: number },
  ): Promise<CapturedSound> {
    return new CapturedSound(id, from, await openEncoder(from.channels));
  }

  /**
   * @param ms when its first sample was captured, since the beginning of the stream
   * @param origin when the stream began, ms since 1970
   */
  async take(bytes: Buffer, ms: number, origin: number): Promise<AccessUnit[]> {
    const { codec, sampleRate, channels } = this.#from;
    const planes = atMostStereo(decodePcm(codec, bytes, channels));
    const pts = this.#count((ms * sampleRate) / 1000, planes[0]?.length ?? 0);
    const units: AccessUnit[] = [];
    for (const frame of this.#framer.push({ pts, planes }))
      units.push(...(await this.#encode(frame, origin)));
    return units;
  }

  close(): void {
    this.#encoder.close();
  }

  /** The number of the first of these samples, which were captured at the time of number `captured`. */
  #count(captured: number, samples: number): number {
    const { sampleRate } = this.#from;
    const next = this.#next ?? Math.round(captured);
    const off = captured - next;
    const isWrong = Math.abs(off) > SLACK_SECONDS * sampleRate;
    const pts = isWrong ? Math.round(captured) : next;
    const drift = ((captured - pts) / sampleRate) * 1000;
    this.#drift = isWrong ? 0 : this.#drift + (drift - this.#drift) * SMOOTHING;
    this.#next = pts + samples;
    return pts;
  }

  async #encode(frame: SoundFrame, origin: number): Promise<AccessUnit[]> {
    if (frame.restart && this.#isUsed) {
      this.#encoder.close();
      this.#encoder = await openEncoder(this.#from.channels);
    }
    this.#isUsed = true;
    const packets = await this.#encoder.encode(frame.planes, frame.pts);
    return packets
      .filter(({ pts }) => pts >= 0)
      .map(({ pts, data }) => {
        const ntp = origin + (pts / RATE) * 1000 + this.#drift;
        return { track: this.track, pts, dts: pts, keyframe: true, ntp, payload: [data] };
      });
  }
}

function madeChannels(channels: number): 1 | 2 {
  return channels === 1 ? 1 : 2;
}

function openEncoder(channels: number): Promise<SoundEncoder> {
  const made = madeChannels(channels);
  return SoundEncoder.open({ codec: 'aac', sampleRate: RATE, channels: made, bitRate: made * BIT_RATE });
}
