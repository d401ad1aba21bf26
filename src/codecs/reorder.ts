/**
 * Derives decoding times for a stream that only has presentation times, without looking ahead: the decoding time of a
 * picture is the N-th largest presentation time seen so far, N being the reorder depth. No picture waits for another.
 */
export class DecodingTimes {
  #depth: number;
  readonly #interval: number;
  /** The depth + 1 largest presentation times so far, in order. */
  #recent: number[] = [];
  #last: number | undefined;

  /** `depth`: reorder depth as far as it is known; `interval`: ticks of one picture, to extrapolate before the first. */
  constructor(depth: number, interval: number) {
    this.#depth = depth;
    this.#interval = interval;
  }

  get depth(): number {
    return this.#depth;
  }

  /** A parameter set said something else; what was handed out stays valid, decoding times go on increasing. */
  setDepth(depth: number): void {
    if (depth > this.#depth) this.#grow(depth);
    this.#depth = depth;
  }

  /**
   * Decoding time of the next picture in decoding order: above the last one and not above `pts`. Undefined for a
   * picture for which there is none, because an unknown depth has just shown to be larger: it has to be left out.
   */
  next(pts: number): number | undefined {
    if (this.#recent.length === 0) {
      for (let i = this.#depth; i > 0; i--) this.#recent.push(pts - i * this.#interval);
    }
    const overtaken = this.#recent.filter((earlier) => earlier > pts).length;
    if (overtaken > this.#depth && overtaken <= 16) {
      this.#grow(overtaken);
      this.#depth = overtaken;
    }
    this.#recent.push(pts);
    this.#recent.sort((a, b) => a - b);
    while (this.#recent.length > this.#depth + 1) this.#recent.shift();
    let dts = Math.min(this.#recent[0] ?? pts, pts);
    if (this.#last !== undefined && dts <= this.#last) dts = this.#last + 1;
    if (dts > pts) return undefined;
    this.#last = dts;
    return dts;
  }

  #grow(depth: number): void {
    const oldest = this.#recent[0];
    if (oldest === undefined) return;
    for (let i = this.#depth; i < depth; i++)
      this.#recent.unshift((this.#recent[0] ?? oldest) - this.#interval);
  }
}
