import type { AccessUnit } from '#media/access-unit.ts';
import { CommonClock } from '#media/common-clock.ts';
import { SourceWatch } from '#media/source-watch.ts';
import type { Track } from '#media/track.ts';
import type { KnownClock } from '#media/track-clock.ts';
import { Continuity, type PublisherTimes } from './continuity.ts';
import type { ClockOrigin } from './publication.ts';

/**
 * So many ms of units are gathered before a clock is believed: what comes first is often a burst of what the other side
 * had kept, and only its end shows how long the way takes.
 */
const SETTLE = 200;
/** A clock by which the others go and that shows nothing for so many ms is not waited for. */
const SILENT = 2000;
/** A clock that showed something within so many ms is at work. */
const LATELY = 2000;

/** A unit of a part as it came. */
export interface Arrived {
  readonly unit: AccessUnit;
  /** Our clock, ms. */
  readonly came: number;
  /** It came before the part began to read. */
  readonly isKept: boolean;
  /** Capture time by the clock of its origin, and what that adds to what its publisher says, ms. */
  readonly ntp: number;
  readonly originShift: number;
}

/** The clock of one or several parts: those whose streams have the same origin. */
export class PartClock {
  readonly origin: ClockOrigin;
  /** Only for the clocks of the composition, as all that follows. */
  watch: SourceWatch;
  times: PublisherTimes;
  /** Against the reference; undefined: it is the reference itself, or there is none. */
  common: CommonClock | undefined;
  /** As the reference: what is added to the capture times that its publisher says; undefined until its next unit. */
  total: number | undefined;
  /** It has another publisher, of which nothing was placed yet. */
  isAnew = false;
  originShift: number | undefined;
  /** When its first unit since it began (anew) came. */
  began: number | undefined;
  latest = Number.NEGATIVE_INFINITY;
  since: number;
  parts = 0;

  constructor(origin: ClockOrigin, watch: SourceWatch, times: PublisherTimes, since: number) {
    this.origin = origin;
    this.watch = watch;
    this.times = times;
    this.since = since;
  }
}

/**
 * The one clock of a composition (R1). One of its parts' clocks is the reference, and goes on as it is; the others are
 * put beside it by sender reports where both have them, else by arrival (`media/common-clock.ts`). When the reference
 * begins anew, one that went on meanwhile becomes the reference: what goes on is never moved, what comes back is.
 */
export class CompositionClocks {
  /** Everything is of one stream: there is nothing to be aligned. */
  readonly #isAlone: boolean;
  readonly #sameMs: number;
  readonly #continuity = new Continuity();
  readonly #clocks = new Map<ClockOrigin, PartClock>();
  #reference: PartClock | undefined;
  #isFirst = true;

  /** @param sameMs how far clocks that are known by sender reports may be apart and count as one, ms */
  constructor(options: { readonly isAlone: boolean; readonly sameMs: number }) {
    this.#isAlone = options.isAlone;
    this.#sameMs = options.sameMs;
  }

  /** The origin that all parts have; undefined where they have several, or their times are not as they are there. */
  get origin(): ClockOrigin | undefined {
    const reference = this.#reference;
    if (!reference || this.#clocks.size > 1) return undefined;
    const { total, originShift = 0, origin } = reference;
    const isAsThere = total === undefined ? this.#isFirst : total === originShift;
    return isAsThere ? origin : undefined;
  }

  /** Its clock is none that a part's stream has. */
  get isMoved(): boolean {
    const { total = 0, origin } = this.#reference ?? {};
    return total + (this.#isAlone && origin ? origin.ntpShift : 0) !== 0;
  }

  /** The clock of a part's stream; given back by `leave`. */
  join(origin: ClockOrigin, isOurs: boolean, now: number): PartClock {
    let clock = this.#clocks.get(origin);
    if (!clock) {
      clock = new PartClock(origin, new SourceWatch(isOurs), this.#continuity.join(), now);
      this.#clocks.set(origin, clock);
      this.#oppose(clock);
    }
    clock.parts++;
    return clock;
  }

  leave(clock: PartClock, now: number): void {
    if (--clock.parts > 0) return;
    this.#clocks.delete(clock.origin);
    if (clock !== this.#reference) return;
    const next = this.#working(clock, now) ?? [...this.#clocks.values()][0];
    if (next) this.#promote(next, now);
    else this.#reference = undefined;
  }

  /** This one is the reference, where there is none yet. */
  choose(clock: PartClock): void {
    if (this.#reference) return;
    this.#reference = clock;
    clock.common = undefined;
    for (const other of this.#clocks.values()) this.#oppose(other);
  }

  /** Another publisher brings what has this clock: another clock, and another way. */
  restart(clock: PartClock, isOurs: boolean, now: number): void {
    clock.watch = new SourceWatch(isOurs);
    clock.began = undefined;
    clock.since = now;
    if (this.#isAlone) return;
    clock.times = this.#continuity.join();
    clock.isAnew = true;
    const goesOn = clock === this.#reference ? this.#working(clock, now) : undefined;
    if (goesOn) this.#promote(goesOn, now);
    if (clock !== this.#reference) this.#oppose(clock);
    else for (const other of this.#clocks.values()) this.#oppose(other, other.common?.shift);
  }

  /** A unit came. @param known how its clock is known, asked now and then */
  observe(clock: PartClock, { ntp, originShift, came, isKept }: Arrived, known: () => KnownClock): void {
    if (isKept) return;
    clock.began ??= came;
    clock.latest = came;
    clock.watch.observe({ ntp: ntp - originShift, now: came }, known);
  }

  /** Whether it is known by now where its units belong. */
  isReady(clock: PartClock, now: number): boolean {
    if (this.#isAlone) return this.#reference !== undefined;
    const reference = this.#reference;
    if (!reference || !isSettled(clock, now)) return false;
    if (clock === reference) return true;
    if (reference.began === undefined && now - reference.since >= SILENT) {
      this.#promote(clock, now);
      return true;
    }
    const isKnown = isSettled(reference, now) && reference.total !== undefined;
    return isKnown && clock.common?.shiftAt(now) !== undefined;
  }

  /**
   * The unit as one of the composition; undefined where it is of no use. Only for clocks that are ready.
   * @param track that it has in the composition
   * @param offsetMs what somebody wants to be added to its capture time
   */
  place(clock: PartClock, arrived: Arrived, track: Track, offsetMs: number): AccessUnit | undefined {
    const { unit, came, ntp } = arrived;
    const originShift = this.#isAlone ? 0 : arrived.originShift;
    // Where its stream put timestamps that began anew is not where its own clock puts them.
    if (clock.originShift !== undefined && clock.originShift !== originShift && !clock.isAnew)
      clock.times = this.#continuity.join();
    clock.originShift = originShift;
    const given = ntp === unit.ntp ? unit : { ...unit, ntp };
    if (clock === this.#reference) this.#lead(clock, given, came);
    clock.isAnew = false;
    const total = this.#totalOf(clock, came);
    if (total === undefined) return undefined;
    this.#isFirst = false;
    return clock.times.place(given, track, came, total - originShift + offsetMs);
  }

  /** How its capture times became those of the composition; undefined while nothing came. */
  alignmentOf(clock: PartClock): 'same' | 'arrival' | undefined {
    if (clock === this.#reference || this.#isAlone) return 'same';
    if (clock.common?.shift === undefined) return undefined;
    return clock.common.isSame ? 'same' : 'arrival';
  }

  /** One that is at work beside this one, and in its place. */
  #working(clock: PartClock, now: number): PartClock | undefined {
    const isWorking = (other: PartClock) =>
      now - other.latest < LATELY && isSettled(other, now) && this.#totalOf(other, now) !== undefined;
    return [...this.#clocks.values()].find((other) => other !== clock && isWorking(other));
  }

  /** Decides where the reference stands by its unit, where that is not known, or known no longer. */
  #lead(clock: PartClock, unit: AccessUnit, now: number): void {
    const { originShift = 0, total } = clock;
    if (this.#isFirst) clock.total ??= originShift;
    const isWrong =
      total !== undefined && clock.isAnew && !this.#continuity.goesOn(unit.ntp - originShift + total, now);
    if (clock.total === undefined || isWrong)
      clock.total = this.#continuity.join().ntpShiftFor(unit, now) + originShift;
  }

  /** Ms to be added to the capture times that its publisher says. */
  #totalOf(clock: PartClock, now: number): number | undefined {
    const reference = this.#reference;
    if (!reference || clock === reference) return clock.total;
    const shift = clock.common?.shiftAt(now) ?? clock.common?.shift;
    return shift === undefined || reference.total === undefined ? undefined : shift + reference.total;
  }

  /** The others go by this one from now on, and all of them go on from where they are. */
  #promote(clock: PartClock, now: number): void {
    const all = [...this.#clocks.values()];
    const before = this.#reference;
    if (before && !all.includes(before)) all.push(before);
    const totals = new Map(all.map((one) => [one, this.#totalOf(one, now)]));
    const own = totals.get(clock);
    this.#reference = clock;
    clock.common = undefined;
    clock.total = own;
    for (const other of this.#clocks.values()) {
      const total = totals.get(other);
      const isOn = own !== undefined && total !== undefined && !other.isAnew;
      this.#oppose(other, isOn ? total - own : undefined);
    }
  }

  /** Puts a clock beside the reference. */
  #oppose(clock: PartClock, shift?: number): void {
    const reference = this.#reference;
    if (!reference || clock === reference) return;
    clock.total = undefined;
    const sameMs = this.#sameMs;
    clock.common = new CommonClock({ first: reference.watch, second: clock.watch, sameMs, shift });
  }
}

function isSettled({ began }: PartClock, now: number): boolean {
  return began !== undefined && now - began >= SETTLE;
}
