/** A positive fraction, exact: the time base of a container, say. */
export interface Rational {
  readonly num: bigint;
  readonly den: bigint;
}

/** `ticks × base × rate`, rounded to the nearest integer, halves away from zero: exact however large the numbers are. */
export function toTicks(ticks: bigint, base: Rational, rate: number): bigint {
  const scaled = ticks * base.num * BigInt(rate) * 2n;
  const sign = scaled < 0n ? -1n : 1n;
  return (scaled + sign * base.den) / (2n * base.den);
}

/** Whole nanoseconds of `ticks × base`, rounded towards zero: for ordering and pacing, not for timestamps. */
export function toNanoseconds(ticks: bigint, base: Rational): bigint {
  return (ticks * base.num * 1_000_000_000n) / base.den;
}
