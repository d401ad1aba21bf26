import type { Result } from '../contract.ts';

/** Seconds of results kept behind the newest one. */
const KEEP_TICKS = 60 * 90_000;
const KEEP_COUNT = 4_000;
/** What rounding to microseconds and to ticks may do to a timestamp. */
const ROUNDING_TICKS = 2;

/** The results of one algorithm on one stream, by the timestamp of their frame; bounded. */
export class ResultTrack {
  /** Ascending by pts; one result per pts. */
  readonly #results: Result[] = [];

  get size(): number {
    return this.#results.length;
  }

  /** The result with the highest pts. */
  get newest(): Result | undefined {
    return this.#results.at(-1);
  }

  add(result: Result): void {
    const list = this.#results;
    const last = list.at(-1);
    // A timeline that starts again: what was known belongs to pictures that will not come back.
    if (last && last.pts - result.pts > KEEP_TICKS) list.length = 0;
    const index = this.#after(result.pts);
    if (list[index - 1]?.pts === result.pts) list[index - 1] = result;
    else list.splice(index, 0, result);
    this.#trim();
  }

  /** The result that was computed from exactly this frame. */
  at(pts: number): Result | undefined {
    const found = this.#results[this.#after(pts) - 1];
    return found?.pts === pts ? found : undefined;
  }

  /** The nearest results around a frame: up to two at or before it, newest first, and the first one after it. */
  around(pts: number): {
    before: Result | undefined;
    earlier: Result | undefined;
    after: Result | undefined;
  } {
    const index = this.#after(pts);
    return {
      before: this.#results[index - 1],
      earlier: this.#results[index - 2],
      after: this.#results[index],
    };
  }

  /** Index of the first result whose pts is greater. */
  #after(pts: number): number {
    let low = 0;
    let high = this.#results.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#results[middle] as Result).pts <= pts) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #trim(): void {
    const list = this.#results;
    const newest = (list.at(-1) as Result).pts;
    let drop = Math.max(0, list.length - KEEP_COUNT);
    while (drop < list.length && newest - (list[drop] as Result).pts > KEEP_TICKS) drop++;
    // In portions, so that a full list is not moved for every result.
    if (drop > 64 || list.length > KEEP_COUNT + 64) list.splice(0, drop);
  }
}

/** All results of one stream, one track per algorithm. */
export class ResultStore {
  readonly #tracks = new Map<string, ResultTrack>();

  get tracks(): IterableIterator<ResultTrack> {
    return this.#tracks.values();
  }

  add(result: Result): void {
    let track = this.#tracks.get(result.algorithm);
    if (!track) this.#tracks.set(result.algorithm, (track = new ResultTrack()));
    track.add(result);
  }

  /**
   * The timestamp of a frame as results have it: some browsers and players give it back rounded, and no two frames are as
   * near to each other.
   */
  exact(pts: number): number {
    for (const track of this.#tracks.values()) {
      const { before, after } = track.around(pts);
      for (const near of [before, after])
        if (near && Math.abs(near.pts - pts) <= ROUNDING_TICKS) return near.pts;
    }
    return pts;
  }

  /** Forgets algorithms that no longer run, so that no box outlives its run. */
  keepOnly(algorithms: ReadonlySet<string>): void {
    for (const algorithm of this.#tracks.keys()) {
      if (!algorithms.has(algorithm)) this.#tracks.delete(algorithm);
    }
  }

  clear(): void {
    this.#tracks.clear();
  }
}
