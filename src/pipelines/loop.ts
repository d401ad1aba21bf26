import { type Rational, toTicks } from './rational.ts';

/**
 * Where the passes over a looped file stand in time. The length of one pass is that of the picture track, from its
 * first picture to the end of its last one (without video: of the sound), as a whole number of its own ticks; so pass
 * k begins exactly k lengths later, and no error adds up.
 */
export class LoopClock {
  readonly #base: Rational;
  #start: bigint | undefined;
  #end: bigint | undefined;
  #length: bigint | undefined;
  #pass = 0n;

  /** @param base time base of the track that sets the length */
  constructor(base: Rational) {
    this.#base = base;
  }

  get pass(): number {
    return Number(this.#pass);
  }

  /** A packet of the leading track in the first pass; times in its ticks. */
  observe(pts: bigint, duration: bigint): void {
    if (this.#length !== undefined) return;
    if (this.#start === undefined || pts < this.#start) this.#start = pts;
    if (this.#end === undefined || pts + duration > this.#end) this.#end = pts + duration;
  }

  /** The input is at its end: the next packet belongs to the next pass. False when there was nothing to repeat. */
  next(): boolean {
    this.#length ??= (this.#end ?? 0n) - (this.#start ?? 0n);
    this.#pass += 1n;
    return this.#length > 0n;
  }

  /** What to add to times of a pass (by default the current one), in ticks of a track with this clock rate. */
  offset(rate: number, pass = this.pass): number {
    return Number(toTicks(BigInt(pass) * (this.#length ?? 0n), this.#base, rate));
  }

  /** Where the first picture stands in every pass, in ticks of a track with this clock rate and without offset. */
  start(rate: number): number {
    return Number(toTicks(this.#start ?? 0n, this.#base, rate));
  }

  /** Where the last picture ends, as {@link start}; infinite until the first pass is over. */
  end(rate: number): number {
    if (this.#length === undefined) return Number.POSITIVE_INFINITY;
    return Number(toTicks(this.#end ?? 0n, this.#base, rate));
  }
}
