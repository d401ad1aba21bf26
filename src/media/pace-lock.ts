import type { LineFilter } from './line-filter.ts';
import type { Bin, Pace } from './pace-watch.ts';
import type { SlewedLine } from './slewed-line.ts';

/** Memory in bins (3 s): publishers that cannot keep up are slower at one time than at another. */
const MEMORY = { memory: 20, hold: 0 } as const;
/** A unit that is off by more ms has come by another way, or after a pause. */
const OTHER_WAY = 300;
/** Speeds below this are none, when so many bins (4 s) show them. */
const NONE = { skew: 0.01, bins: 27 } as const;

/** Ms by which a unit of another track is later than its own line says. */
type LateOf = (reference: Bin) => number;

/**
 * Keeps a track in step by its arrival, bin by bin, because its timestamps are not the time: it stays as late, against
 * what else arrives, as it was when it began to get later.
 */
export class PaceLock {
  readonly #line: SlewedLine;
  readonly #filter: LineFilter;
  /** How late units are, against the others, where the track is in step. */
  #base: number;
  #reference = 0;
  #calm = 0;
  #isAlone: boolean;

  constructor(line: SlewedLine, filter: LineFilter, pace: Pace, lateOf: LateOf) {
    this.#line = line;
    this.#filter = filter;
    const { from, fromReference, off, slope, bins } = pace;
    this.#isAlone = !fromReference;
    this.#reference = fromReference ? lateOf(fromReference) : 0;
    const estimate = line.estimate(from.ticks);
    this.#base = from.now - off - estimate - this.#reference;
    line.gross = 1 / (1 - slope) - 1;
    line.move(from.ticks, estimate, line.gross);
    filter.restart(from.ticks, bins);
  }

  /** The next bin of the track, and that of another; false when its timestamps are the time again. */
  keep(bin: Bin, reference: Bin | undefined, lateOf: LateOf): boolean {
    if (reference) this.#reference = lateOf(reference);
    this.#isAlone = !reference;
    const ntp = bin.now - this.#reference - this.#base;
    const error = ntp - this.#line.estimate(bin.ticks);
    if (Math.abs(error) > OTHER_WAY) {
      this.#base += error;
      this.#filter.skip(bin.ticks);
    } else {
      this.#filter.take(bin.ticks, ntp, MEMORY);
      this.#line.gross = this.#line.skew;
    }
    this.#calm = Math.abs(this.#line.skew) < NONE.skew ? this.#calm + 1 : 0;
    return this.#calm < NONE.bins;
  }

  /** Whether nothing else arrived that it could be held against. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** The line was moved by `ms`: from now on units are as much less late against it. */
  moved(ms: number): void {
    this.#base -= ms;
  }
}
