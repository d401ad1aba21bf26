/**
 * Plays media time at the speed of the clock. A caller who fell behind may catch up by sending at once, but never more
 * than a bounded burst: what it is later than that, it stays later for good.
 */
export class Pacer {
  readonly #maxBurstMs: number;
  #anchor: number | undefined;

  constructor(maxBurstMs = 200) {
    this.#maxBurstMs = maxBurstMs;
  }

  /**
   * Milliseconds to wait before something of this media time is due; 0 when it is due or late. The first call sets
   * the beginning.
   *
   * @param mediaMs media time, milliseconds from any origin
   * @param nowMs a monotonic clock
   */
  wait(mediaMs: number, nowMs: number): number {
    this.#anchor ??= nowMs - mediaMs;
    const late = nowMs - (this.#anchor + mediaMs);
    if (late > this.#maxBurstMs) this.#anchor += late - this.#maxBurstMs;
    return Math.max(0, -late);
  }
}
