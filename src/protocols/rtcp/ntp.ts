/** Seconds from 1900 (NTP) to 1970. */
const EPOCH = 2_208_988_800;

/** A 64-bit NTP timestamp as two 32-bit halves. */
export interface NtpTime {
  readonly seconds: number;
  readonly fraction: number;
}

/**
 * NTP time of a wall clock in ms since 1970, fractions included. Whole seconds and the rest are split before scaling,
 * so nothing is lost beyond what the number itself holds (0.24 µs in this century).
 */
export function toNtp(ms: number): NtpTime {
  let seconds = Math.floor(ms / 1000);
  let fraction = Math.round(((ms - seconds * 1000) * 2 ** 32) / 1000);
  if (fraction >= 2 ** 32) {
    fraction = 0;
    seconds++;
  }
  return { seconds: (((seconds + EPOCH) % 2 ** 32) + 2 ** 32) % 2 ** 32, fraction };
}

/** Wall clock in ms since 1970; times whose top bit is clear belong to the era that begins in 2036 (RFC 4330). */
export function fromNtp({ seconds, fraction }: NtpTime): number {
  const era = seconds >= 2 ** 31 ? 0 : 2 ** 32;
  return (seconds + era - EPOCH) * 1000 + (fraction * 1000) / 2 ** 32;
}
