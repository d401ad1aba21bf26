import type { AccessUnit } from '#media/access-unit.ts';
import { rescale } from '#media/timestamps.ts';
import { isVideo, type Track } from '#media/track.ts';

/** A publisher clock that is off by more than this against the one before it is moved onto it. */
const CLOCK_TOLERANCE_MS = 1000;

/** Timestamps that step back by more than this are those of a source that began anew. */
const RESTART_SECONDS = 1;

/**
 * Where a publisher's clock is known, what it sends first may be older than what was sent already by so many ms: what it
 * or a server kept for who joins. Older units are of a clock that is wrong.
 */
const KEPT_MS = 15_000;

/** A longer distance of two units is no step but a pause. */
const LONGEST_STEP_SECONDS = 0.5;

interface Last {
  readonly pts: number;
  readonly dts: number;
  readonly ntp: number;
  /** Distance of the last two units in ticks. */
  readonly step: number;
  /** Ticks per second. */
  readonly clockRate: number;
}

/** What a stream's units were so far, whoever published them. */
interface Past {
  readonly last: Map<number, Last>;
  /** The latest unit of each kind of media, whichever track it was of: what a track that joins goes on from. */
  readonly lastOfKind: Map<string, Last>;
  lastArrival: number;
}

/**
 * Keeps a stream's timestamps going on over a change of publisher. Units that do not go forward are refused here, so
 * everything behind the hub can rely on strictly increasing `dts`.
 */
export class Continuity {
  readonly #past: Past = { last: new Map(), lastOfKind: new Map(), lastArrival: 0 };

  /** Whether a capture time may follow those that were: it is as far behind them as time went on, but for what ways take. */
  goesOn(ntp: number, now: number): boolean {
    const { last, lastArrival } = this.#past;
    const latest = Math.max(...[...last.values()].map((one) => one.ntp));
    return Math.abs(ntp - latest - (now - lastArrival)) < KEPT_MS;
  }

  /** Another publisher, whose first unit of each track is joined on to what was there. */
  join(): PublisherTimes {
    return new PublisherTimes(this.#past);
  }
}

/**
 * The times of one publisher of a stream: each of its tracks is shifted by one constant, so that its first unit lies as
 * far behind the last one before as the wall clock says (R1).
 */
export class PublisherTimes {
  readonly #past: Past;
  /** Per track: what is added to pts and dts. Nothing with the first publisher. */
  #shifts = new Map<number, number>();
  /** Added to every `ntp` of the publisher; undefined until its first unit came. */
  #ntpShift: number | undefined;
  /** Video tracks whose first units were old: they go on with a keyframe. */
  readonly #needsKeyframe = new Set<number>();
  /** Nobody published before. */
  #first: boolean;

  constructor(past: Past) {
    this.#past = past;
    this.#first = past.last.size === 0;
    this.#ntpShift = this.#first ? 0 : undefined;
  }

  /** Ms that are added to the publisher's capture times. */
  get ntpShift(): number {
    return this.#ntpShift ?? 0;
  }

  /** The same, decided by this unit where none came before. */
  ntpShiftFor(unit: AccessUnit, now: number): number {
    this.#ntpShift ??= this.#joinClock(unit, now);
    return this.#ntpShift;
  }

  /**
   * The unit with the stream's timestamps and the stream's track, or undefined when it does not go forward.
   * @param now arrival, wall clock in ms
   * @param ntpShift what is added to its `ntp`, where that is known by other means: then its place is known as well, and
   *   what was captured before the last unit of the track is not used
   */
  place(unit: AccessUnit, track: Track, now: number, ntpShift?: number): AccessUnit | undefined {
    const past = this.#past;
    const last = this.#lastOf(track);
    if (ntpShift !== undefined) this.#ntpShift = ntpShift;
    const clockShift = this.ntpShiftFor(unit, now);
    let shift = this.#shifts.get(track.id);
    if (shift === undefined) {
      if (ntpShift !== undefined && this.#isOld(unit, track, ntpShift)) return undefined;
      shift = this.#first ? 0 : this.#join(unit, track, clockShift);
      this.#shifts.set(track.id, shift);
    }
    const dts = unit.dts + shift;
    if (last && dts <= last.dts) {
      // A little back is a unit too much; far back means that the source began anew, which is joined on like a new one.
      if (last.dts - dts < track.clockRate * RESTART_SECONDS) return undefined;
      this.#restart();
      return this.place(unit, track, now, ntpShift);
    }
    const pts = unit.pts + shift;
    const ntp = unit.ntp + clockShift;
    const placed = { pts, dts, ntp, step: last ? dts - last.dts : 0, clockRate: track.clockRate };
    past.last.set(track.id, placed);
    past.lastOfKind.set(track.format.kind, placed);
    past.lastArrival = now;
    if (shift === 0 && clockShift === 0 && track === unit.track) return unit;
    return { track, pts, dts, keyframe: unit.keyframe, ntp, payload: unit.payload };
  }

  /** By the clock that the track has now: what changes its format in mid-stream may change that too. */
  #lastOf({ id, clockRate: rate }: Track): Last | undefined {
    const last = this.#past.last.get(id);
    if (!last || last.clockRate === rate) return last;
    this.#shifts.delete(id);
    const ticks = (time: number) => rescale(time, last.clockRate, rate);
    const { pts, dts, ntp, step } = last;
    return { pts: ticks(pts), dts: ticks(dts), ntp, step: ticks(step), clockRate: rate };
  }

  /** It was there already, or hangs on pictures that were; of a track that begins at a known place. */
  #isOld({ ntp, keyframe }: AccessUnit, track: Track, ntpShift: number): boolean {
    const last = this.#past.last.get(track.id);
    const behind = last ? last.ntp - (ntp + ntpShift) : -1;
    const isKept = !this.#first && behind >= 0 && behind < KEPT_MS;
    if (!isVideo(track)) return isKept;
    if (isKept) this.#needsKeyframe.add(track.id);
    else if (keyframe) this.#needsKeyframe.delete(track.id);
    return this.#needsKeyframe.has(track.id);
  }

  #restart(): void {
    this.#shifts = new Map();
    this.#first = false;
    this.#ntpShift = undefined;
  }

  /** How far the new publisher's clock is moved, so that capture time goes on as the wall clock did. */
  #joinClock(unit: AccessUnit, now: number): number {
    const lastNtp = Math.max(...[...this.#past.last.values()].map(({ ntp }) => ntp));
    const elapsed = now - this.#past.lastArrival;
    const claimed = unit.ntp - lastNtp;
    // A publisher that begins with pictures of before (since its keyframe) must not take capture time back.
    const goesOn = claimed > 0 && Math.abs(claimed - elapsed) < CLOCK_TOLERANCE_MS;
    return goesOn ? 0 : elapsed - claimed;
  }

  /**
   * What is added to the timestamps of a track of a later publisher, so that it goes on where it stood itself (another
   * track of its kind may count from elsewhere), else where the same kind of media stood in another codec. A kind that
   * the stream did not have goes on where the picture stands.
   */
  #join(unit: AccessUnit, track: Track, ntpShift: number): number {
    const { lastOfKind } = this.#past;
    const same = this.#lastOf(track) ?? lastOfKind.get(track.format.kind);
    const from = same ?? lastOfKind.get('video') ?? [...lastOfKind.values()][0];
    if (!from) return 0;
    const rate = track.clockRate;
    const elapsed = Math.round(((unit.ntp + ntpShift - from.ntp) / 1000) * rate);
    const shift = rescale(from.pts, from.clockRate, rate) + elapsed - unit.pts;
    if (!same) return shift;
    // Never back: at least one step behind the last unit, whatever the clocks say.
    const step = Math.min(Math.max(same.step, 1), same.clockRate * LONGEST_STEP_SECONDS);
    const least = rescale(same.dts + step, same.clockRate, rate);
    return Math.max(shift, least - unit.dts);
  }
}
