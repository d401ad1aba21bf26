import type { Rational } from './rational.ts';

/**
 * Unwraps timestamps of live streams that run for days: those of MPEG-TS (and of HLS, which carries it) have 33 bits of
 * 90 kHz (ISO/IEC 13818-1 section 2.4.3.7) and begin anew after 26.5 hours, those of FLV 32 bits of milliseconds. Other
 * time bases are left as they are.
 */
export class WrappedTicks {
  readonly #range: bigint | undefined;
  #last: bigint | undefined;
  #base = 0n;

  /** @param timeBase seconds per tick of the packets */
  constructor({ num, den }: Rational) {
    this.#range =
      num !== 1n ? undefined : den === 90_000n ? 1n << 33n : den === 1000n ? 1n << 32n : undefined;
  }

  /** Decoding time of the next packet. A step back of more than half the range is a wrap; a smaller one stays. */
  unwrap(ticks: bigint): bigint {
    const last = this.#last;
    this.#last = ticks;
    if (this.#range !== undefined && last !== undefined && last - ticks > this.#range / 2n)
      this.#base += this.#range;
    return this.#base + ticks;
  }

  /** Another time of the packet that was unwrapped last, near its decoding time. */
  beside(ticks: bigint): bigint {
    const wrapped =
      this.#range !== undefined && this.#last !== undefined && this.#last - ticks > this.#range / 2n;
    return this.#base + ticks + (wrapped ? this.#range : 0n);
  }
}
