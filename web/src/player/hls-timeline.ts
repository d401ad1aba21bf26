/**
 * From the timeline that hls.js makes for the media element to the timestamps of the stream. hls.js moves each
 * discontinuity to where the playlist has it, and says by how much when it has found that out (`INIT_PTS_FOUND`). It moves
 * by whole ticks of the track it looked at, so that timestamps of the picture come back right to a tick or two.
 */
export class HlsTimeline {
  /** Ascending by `from`. */
  readonly #moves: { readonly from: number; readonly seconds: number }[] = [];

  /**
   * Media from `from` on, on the element's timeline, has timestamps that are `base / timescale` seconds larger.
   */
  moved(from: number, base: number, timescale: number): void {
    const later = this.#moves.findIndex((move) => move.from >= from);
    if (later >= 0) this.#moves.length = later;
    this.#moves.push({ from, seconds: base / timescale });
    if (this.#moves.length > 32) this.#moves.shift();
  }

  /** The stream's timestamp, seconds, of a moment on the element's timeline; undefined where it is not known. */
  seconds(time: number): number | undefined {
    // A frame belongs to what began before it, and its own start may be a rounding before that.
    const move = this.#moves.findLast(({ from }) => from <= time + 0.01);
    return move && time + move.seconds;
  }

  clear(): void {
    this.#moves.length = 0;
  }
}
