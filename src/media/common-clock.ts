import { SourceWatch, type TimedUnit } from './source-watch.ts';
import type { KnownClock } from './track-clock.ts';

/**
 * Ms that two clocks which are both known by sender reports may differ by, against ours, and count as one: what the two
 * networks and encoders take differs by less, and clocks that nobody sets differ by more. Once they count as one, they
 * may come apart by half as much again before they do not.
 */
const SAME = 1000;
const SAME_STILL = 1.5;
/** So many ms after the first unit that is moved it may still be put at once to where it belongs. */
const SETTLE = 500;
/** An error of this many ms would be slewed for minutes: it goes at once. */
const STEP = 2000;
/** Ms of error that go in each ms, as in `slewed-line.ts`: nobody hears that. */
const SLEW = 0.0095;
/** By arrival: errors below this many ms are what the earliest arrivals differ by each time. */
const HOLD = 5;
/** The clocks are looked at once in so many ms. */
const LOOK = 200;

/**
 * One clock for two sources of one stream (DESIGN rule R1): what is added to the capture times of the second so that they
 * are of the first one's clock.
 *
 * Where both clocks are known by sender reports and have the same name, or show the same time, they are one clock, and
 * nothing is added: the tracks are as far apart as they were captured. Else they are joined by arrival: what took the shortest way lately came
 * at the same time. Corrections are slewed.
 *
 * Programs on this machine have our clock, and some make reports that cannot be true on it: ffmpeg counts from when its
 * connection stood, for each connection anew, and what it sends was captured after it came. Such reports count as none.
 */
export class CommonClock {
  readonly #sameMs: number;
  #first: SourceWatch;
  #second: SourceWatch;
  #same = false;
  #shift: number | undefined;
  #began = Number.NEGATIVE_INFINITY;
  #moved: number | undefined;
  #target = 0;
  #looked = Number.NEGATIVE_INFINITY;

  /**
   * @param options.sameMs how far clocks that are known by sender reports may be apart and count as one, ms
   * @param options.shift what was added so far, where both went on beside each other: it is moved on from there
   */
  constructor(
    options: {
      readonly first?: SourceWatch;
      readonly second?: SourceWatch;
      readonly sameMs?: number;
      readonly shift?: number | undefined;
    } = {},
  ) {
    const { first = new SourceWatch(false), second = new SourceWatch(false), sameMs = SAME, shift } = options;
    this.#first = first;
    this.#second = second;
    this.#sameMs = sameMs;
    this.#shift = shift;
  }

  /** What was added last; undefined before anything was. */
  get shift(): number | undefined {
    return this.#shift;
  }

  /** Both show the same time by reports. */
  get isSame(): boolean {
    return this.#same;
  }

  /** The first source is another one from now on; `isOurs`: it has our own clock. */
  restartFirst(isOurs: boolean): void {
    this.#first = new SourceWatch(isOurs);
    this.#looked = Number.NEGATIVE_INFINITY;
  }

  /** The second source is another one from now on. */
  restartSecond(isOurs: boolean): void {
    this.#second = new SourceWatch(isOurs);
    this.#same = false;
    this.#shift = undefined;
    this.#looked = Number.NEGATIVE_INFINITY;
  }

  /** A unit of the first source came. `known` says how its clock is known, and is asked now and then. */
  observeFirst(unit: TimedUnit, known: () => KnownClock): void {
    this.#first.observe(unit, known);
  }

  /** A unit of the second source came. */
  observeSecond(unit: TimedUnit, known: () => KnownClock): void {
    this.#second.observe(unit, known);
  }

  /** Ms to be added to the capture times of the second source at `now`; undefined before both sent something. */
  shiftAt(now: number): number | undefined {
    if (now - this.#looked >= LOOK) {
      const target = this.#look();
      if (target === undefined) return undefined;
      this.#looked = now;
      this.#target = target;
    }
    if (this.#shift === undefined) {
      this.#began = now;
      this.#shift = this.#target;
    }
    const error = this.#target - this.#shift;
    const hold = this.#same ? 0 : HOLD;
    if (now - this.#began < SETTLE || Math.abs(error) >= STEP) this.#shift = this.#target;
    else if (Math.abs(error) > hold) {
      const most = Math.max(0, now - (this.#moved ?? now)) * SLEW;
      this.#shift += Math.max(-most, Math.min(error, most));
    }
    this.#moved = now;
    return this.#shift;
  }

  #look(): number | undefined {
    const [first, second] = [this.#first, this.#second];
    if (first.lead === undefined || second.lead === undefined) return undefined;
    const apart = first.lead - second.lead;
    const isNamed = first.name !== undefined && first.name === second.name;
    const reported = first.isReported && second.isReported;
    this.#same = isNamed || (reported && Math.abs(apart) < this.#sameMs * (this.#same ? SAME_STILL : 1));
    if (this.#same) return 0;
    // Both are our own clock, each by its own earliest arrivals.
    if (first.isArrival && second.isArrival && Math.abs(apart) < SAME) return 0;
    return apart;
  }
}
