import type { AccessUnit } from '#media/access-unit.ts';
import { A_LAW, MU_LAW } from './g711.ts';
import { Upsampler } from './upsampler.ts';

/** Samples in one frame of AAC-LC. */
export const AAC_FRAME = 1024;
/** The clock of the frames. */
export const FRAME_RATE = 48_000;
/** A hole up to this long is filled with silence, an overlap up to this long cut off; beyond it the time begins anew. */
const TOLERANCE_SECONDS = 0.5;

/** Samples for one AAC frame. */
export interface SoundFrame {
  /** Of the first sample, at {@link FRAME_RATE}. */
  readonly pts: number;
  /** One per channel, `AAC_FRAME` samples each. */
  readonly planes: readonly Float32Array[];
  /** The time did not go on from the frame before: the encoder has to begin anew. */
  readonly restart: boolean;
}

/** True for the sample rates that {@link AacFramer} can raise to its own. */
export function canFrame(sampleRate: number): boolean {
  return sampleRate > 0 && FRAME_RATE % sampleRate === 0;
}

/**
 * Turns G.711 access units into frames for an AAC encoder at 48 kHz. The time of every sample stays that of its source
 * to the sample; a hole is silence, and where the source's time jumps, the frames begin anew.
 */
export class AacFramer {
  readonly #table: Float32Array;
  readonly #channels: number;
  readonly #sampleRate: number;
  readonly #factor: number;
  #upsamplers: readonly Upsampler[] = [];
  /** Samples at the frames' rate that do not fill a frame yet, one list per channel. */
  #pending: Float32Array[] = [];
  /** Time of the first pending sample, at the frames' rate. */
  #pendingPts = 0;
  /** Time of the source's next sample; undefined before the first. */
  #nextPts: number | undefined;
  #restart = true;

  constructor(codec: 'pcma' | 'pcmu', sampleRate: number, channels: number) {
    this.#table = codec === 'pcma' ? A_LAW : MU_LAW;
    this.#sampleRate = sampleRate;
    this.#channels = channels;
    this.#factor = FRAME_RATE / sampleRate;
  }

  push({ pts, payload }: Pick<AccessUnit, 'pts' | 'payload'>): SoundFrame[] {
    const bytes = payload.length === 1 ? payload[0]! : Buffer.concat(payload);
    let samples = this.#decode(bytes);
    let start = pts;
    const gap = this.#nextPts === undefined ? Number.POSITIVE_INFINITY : pts - this.#nextPts;
    if (Math.abs(gap) > TOLERANCE_SECONDS * this.#sampleRate) {
      this.#begin(pts);
    } else if (gap > 0) {
      this.#append(samples.map(() => new Float32Array(gap)));
    } else if (gap < 0) {
      samples = samples.map((plane) => plane.subarray(-gap));
      start = pts - gap;
    }
    const length = samples[0]?.length ?? 0;
    if (length > 0) {
      this.#append(samples);
      this.#nextPts = start + length;
    }
    return this.#frames();
  }

  #begin(pts: number): void {
    this.#upsamplers = Array.from({ length: this.#channels }, () => new Upsampler(this.#factor));
    this.#pending = Array.from({ length: this.#channels }, () => new Float32Array(0));
    // What the filter gives first stands before the first sample: its look-ahead.
    this.#pendingPts = (pts - Upsampler.lookahead) * this.#factor;
    this.#restart = true;
  }

  #append(samples: readonly Float32Array[]): void {
    for (const [channel, plane] of samples.entries()) {
      const more = this.#upsamplers[channel]!.process(plane);
      const before = this.#pending[channel]!;
      const joined = new Float32Array(before.length + more.length);
      joined.set(before);
      joined.set(more, before.length);
      this.#pending[channel] = joined;
    }
  }

  #frames(): SoundFrame[] {
    const frames: SoundFrame[] = [];
    while ((this.#pending[0]?.length ?? 0) >= AAC_FRAME) {
      const planes = this.#pending.map((plane) => plane.slice(0, AAC_FRAME));
      this.#pending = this.#pending.map((plane) => plane.subarray(AAC_FRAME));
      frames.push({ pts: this.#pendingPts, planes, restart: this.#restart });
      this.#restart = false;
      this.#pendingPts += AAC_FRAME;
    }
    return frames;
  }

  #decode(bytes: Buffer): Float32Array[] {
    const length = Math.floor(bytes.length / this.#channels);
    return Array.from({ length: this.#channels }, (_, channel) =>
      Float32Array.from({ length }, (_, n) => this.#table[bytes[n * this.#channels + channel]!]!),
    );
  }
}
