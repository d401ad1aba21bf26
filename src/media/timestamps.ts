/** Converts ticks of one clock rate to another, rounded to the nearest tick. */
export function rescale(ticks: number, from: number, to: number): number {
  return from === to ? ticks : Math.round((ticks * to) / from);
}

/** RTP time (32 bits) of unwrapped ticks, which may be negative. */
export function rtpTimestamp(ticks: number): number {
  const wrapped = ticks % 2 ** 32;
  return wrapped < 0 ? wrapped + 2 ** 32 : wrapped;
}

/**
 * Unwraps a 32-bit RTP timestamp into a number that goes on for ever. Steps of up to half the range are taken in
 * either direction, so reordered packets and B-frames before the wrap come out right.
 */
export class TimestampUnwrapper {
  #last: number | undefined;

  unwrap(timestamp: number): number {
    if (this.#last === undefined) {
      this.#last = timestamp;
      return timestamp;
    }
    let step = (timestamp - this.#last) % 2 ** 32;
    if (step >= 2 ** 31) step -= 2 ** 32;
    if (step < -(2 ** 31)) step += 2 ** 32;
    const value = this.#last + step;
    // A step back must not move the reference below zero: the first wrap would then be lost.
    this.#last = Math.max(value, this.#last);
    return value;
  }
}
