import { Resampler } from './resampler.ts';

/** The clock of the frames, where nothing else is wanted. */
const FRAME_RATE = 48_000;
/** A hole up to this long is filled with silence, an overlap up to this long cut off; beyond it the time begins anew. */
const TOLERANCE_SECONDS = 0.5;

/** Decoded sound that follows, or not, what came before. */
export interface Sound {
  /** Of the first sample, in samples. */
  readonly pts: number;
  /** One per channel, -1..1, all of one length. */
  readonly planes: readonly Float32Array[];
}

/** Samples for one frame of an encoder. */
export interface SoundFrame {
  /** Of the first sample, at the frames' rate. */
  readonly pts: number;
  /** One per channel, all of the frame's length. */
  readonly planes: readonly Float32Array[];
  /** The time did not go on from the frame before: the encoder has to begin anew. */
  readonly restart: boolean;
}

export interface SoundFramerOptions {
  /** Samples per second of what comes in; see {@link Resampler.canDo}. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples in a frame, at the frames' rate. */
  readonly frameLength: number;
  /** Samples per second of the frames; default 48 kHz. */
  readonly frameRate?: number;
  /** Samples by which sound may stand beside its place without being moved: its timestamps are rounded. */
  readonly slack?: number;
}

/**
 * Cuts decoded sound into frames for an encoder, at its rate. The time of every sample stays that of its source to the
 * sample; a hole is silence, and where the source's time jumps, the frames begin anew.
 */
export class SoundFramer {
  readonly #options: SoundFramerOptions;
  #resamplers: readonly Resampler[] = [];
  /** Samples at the frames' rate that do not fill a frame yet, one list per channel. */
  #pending: Float32Array[] = [];
  /** Time of the first pending sample, at the frames' rate. */
  #pendingPts = 0;
  /** Time of the source's next sample; undefined before the first. */
  #nextPts: number | undefined;
  #restart = true;

  constructor(options: SoundFramerOptions) {
    this.#options = options;
  }

  push(sound: Sound): SoundFrame[] {
    const { sampleRate, slack = 0 } = this.#options;
    let { planes } = sound;
    const next = this.#nextPts;
    let start = sound.pts;
    let gap = next === undefined ? Number.POSITIVE_INFINITY : start - next;
    if (next !== undefined && Math.abs(gap) <= slack) {
      gap = 0;
      start = next;
    }
    if (Math.abs(gap) > TOLERANCE_SECONDS * sampleRate) {
      this.#begin(start);
    } else if (gap > 0) {
      this.#append(planes.map(() => new Float32Array(gap)));
    } else if (gap < 0) {
      planes = planes.map((plane) => plane.subarray(-gap));
      start -= gap;
    }
    const length = planes[0]?.length ?? 0;
    if (length > 0) {
      this.#append(planes);
      this.#nextPts = start + length;
    }
    return this.#frames();
  }

  /** The rest, with silence behind it where it does not fill a frame; the next sound begins anew. */
  finish(): SoundFrame[] {
    if (this.#nextPts === undefined) return [];
    const ahead = this.#resamplers[0]?.lookahead ?? 0;
    const { frameLength } = this.#options;
    const silence = (length: number) => this.#pending.map(() => new Float32Array(length));
    this.#append(silence(ahead));
    const over = (this.#pending[0]?.length ?? 0) % frameLength;
    if (over > 0) {
      this.#pending = this.#pending.map((plane) => {
        const padded = new Float32Array(plane.length + frameLength - over);
        padded.set(plane);
        return padded;
      });
    }
    const frames = this.#frames();
    this.#nextPts = undefined;
    return frames;
  }

  #begin(pts: number): void {
    const { channels, sampleRate, frameRate = FRAME_RATE } = this.#options;
    this.#resamplers = Array.from({ length: channels }, () => new Resampler(sampleRate, frameRate));
    for (const resampler of this.#resamplers) resampler.begin(pts);
    this.#pending = this.#resamplers.map(() => new Float32Array(0));
    // What the filter gives first stands before the first sample: its look-ahead.
    this.#pendingPts = this.#resamplers[0]?.next ?? 0;
    this.#restart = true;
  }

  #append(planes: readonly Float32Array[]): void {
    for (const [channel, resampler] of this.#resamplers.entries()) {
      const more = resampler.process(planes[channel] ?? planes[0]!);
      const before = this.#pending[channel]!;
      const joined = new Float32Array(before.length + more.length);
      joined.set(before);
      joined.set(more, before.length);
      this.#pending[channel] = joined;
    }
  }

  #frames(): SoundFrame[] {
    const { frameLength } = this.#options;
    const frames: SoundFrame[] = [];
    while ((this.#pending[0]?.length ?? 0) >= frameLength) {
      const planes = this.#pending.map((plane) => plane.slice(0, frameLength));
      this.#pending = this.#pending.map((plane) => plane.subarray(frameLength));
      frames.push({ pts: this.#pendingPts, planes, restart: this.#restart });
      this.#restart = false;
      this.#pendingPts += frameLength;
    }
    return frames;
  }
}

/** One channel of two: their mean. Two of one: the same twice. */
export function withChannels(planes: readonly Float32Array[], channels: 1 | 2): readonly Float32Array[] {
  const [left, right] = planes;
  if (!left || planes.length === channels) return planes;
  if (channels === 2 || !right) return [left, left];
  return [left.map((value, n) => (value + right[n]!) / 2)];
}

/** Two channels of more: the front ones, with the centre and what stands on either side mixed into them. */
export function atMostStereo(planes: readonly Float32Array[]): readonly Float32Array[] {
  if (planes.length <= 2) return planes;
  // FFmpeg's order: left, right, centre, low frequencies (from six channels on), then pairs.
  const [left, right, centre] = planes as [Float32Array, Float32Array, Float32Array];
  const pairs = planes.slice(planes.length >= 6 ? 4 : 3);
  const mix = (front: Float32Array, side: number) =>
    front.map((value, n) => {
      const around = pairs.reduce((sum, plane, i) => (i % 2 === side ? sum + plane[n]! : sum), 0);
      // Scaled so that all at full volume stay within bounds.
      return (value + 0.7 * centre[n]! + 0.7 * around) / (1.7 + 0.7 * Math.ceil(pairs.length / 2));
    });
  return [mix(left, 0), mix(right, 1)];
}
