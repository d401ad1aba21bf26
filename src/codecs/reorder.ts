/** Largest reorder depth of H.264 and H.265. */
const MAX_DEPTH = 16;

/**
 * Derives decoding times for a stream that only has presentation times, without looking ahead: the decoding time of a
 * picture is the N-th largest presentation time seen so far, N being the reorder depth. No picture waits for another.
 */
export class DecodingTimes {
  #depth: number;
  readonly #interval: number;
  /** The largest presentation times so far, in order. */
  readonly #recent: number[] = [];
  #last: number | undefined;

  /** `depth`: reorder depth as far as it is known; `interval`: ticks of one picture, to extrapolate before the first. */
  constructor(depth: number, interval: number) {
    this.#depth = Math.min(depth, MAX_DEPTH);
    this.#interval = interval;
  }

  get depth(): number {
    return this.#depth;
  }

  /** A parameter set said something else; decoding times go on increasing. */
  setDepth(depth: number): void {
    this.#depth = Math.min(depth, MAX_DEPTH);
  }

  /**
   * Decoding time of the next picture in decoding order: above the last one and not above `pts`. Undefined for a
   * picture for which there is none, because an unknown depth has just shown to be larger: it has to be left out.
   */
  next(pts: number): number | undefined {
    const recent = this.#recent;
    if (recent.length === 0) for (let i = MAX_DEPTH; i > 0; i--) recent.push(pts - i * this.#interval);
    let at = recent.length;
    while (at > 0 && (recent[at - 1] ?? pts) > pts) at--;
    this.#depth = Math.max(this.#depth, Math.min(recent.length - at, MAX_DEPTH));
    recent.splice(at, 0, pts);
    if (recent.length > MAX_DEPTH + 1) recent.shift();
    let dts = Math.min(recent[recent.length - 1 - this.#depth] ?? pts, pts);
    if (this.#last !== undefined && dts <= this.#last) dts = this.#last + 1;
    if (dts > pts) return undefined;
    this.#last = dts;
    return dts;
  }
}
