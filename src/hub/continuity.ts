import type { AccessUnit } from '#media/access-unit.ts';
import { rescale } from '#media/timestamps.ts';
import type { Track } from '#media/track.ts';

/** A publisher clock that is off by more than this against the one before it is moved onto it. */
const CLOCK_TOLERANCE_MS = 1000;

/** Timestamps that step back by more than this are those of a source that began anew. */
const RESTART_SECONDS = 1;

interface Last {
  readonly pts: number;
  readonly dts: number;
  readonly ntp: number;
  /** Distance of the last two units in ticks. */
  readonly step: number;
}

/**
 * Keeps a stream's timestamps going on over a change of publisher: each track of the new publisher is shifted by one
 * constant, so that its first unit lies as far behind the last one before as the wall clock says (R1). Units that do
 * not go forward are refused here, so everything behind the hub can rely on strictly increasing `dts`.
 */
export class Continuity {
  readonly #last = new Map<number, Last>();
  /** The latest unit of each kind of media, whichever track it was of: what a track that joins goes on from. */
  readonly #lastOfKind = new Map<string, Last & { readonly clockRate: number }>();
  /** Per track: what is added to pts and dts. Empty with the first publisher. */
  #shifts = new Map<number, number>();
  /** Added to every `ntp` of the publisher; undefined until its first unit came. */
  #ntpShift: number | undefined = 0;
  #lastArrival = 0;
  /** The first publisher is still there. */
  #first = true;

  /** A new publisher takes over: its first unit of each track is joined on. */
  restart(): void {
    this.#shifts = new Map();
    this.#first = this.#last.size === 0;
    this.#ntpShift = this.#first ? 0 : undefined;
  }

  /**
   * The unit with the stream's timestamps and the stream's track, or undefined when it does not go forward.
   * @param now arrival, wall clock in ms
   */
  place(unit: AccessUnit, track: Track, now: number): AccessUnit | undefined {
    const last = this.#last.get(track.id);
    if (this.#ntpShift === undefined) this.#ntpShift = this.#joinClock(unit, now);
    let shift = this.#shifts.get(track.id);
    if (shift === undefined) {
      shift = this.#first ? 0 : this.#join(unit, track, this.#ntpShift);
      this.#shifts.set(track.id, shift);
    }
    const dts = unit.dts + shift;
    if (last && dts <= last.dts) {
      // A little back is a unit too much; far back means that the source began anew, which is joined on like a new one.
      if (last.dts - dts < track.clockRate * RESTART_SECONDS) return undefined;
      this.restart();
      return this.place(unit, track, now);
    }
    const pts = unit.pts + shift;
    const ntp = unit.ntp + this.#ntpShift;
    const placed = { pts, dts, ntp, step: last ? dts - last.dts : 0 };
    this.#last.set(track.id, placed);
    this.#lastOfKind.set(track.format.kind, { ...placed, clockRate: track.clockRate });
    this.#lastArrival = now;
    if (shift === 0 && this.#ntpShift === 0 && track === unit.track) return unit;
    return { track, pts, dts, keyframe: unit.keyframe, ntp, payload: unit.payload };
  }

  /** How far the new publisher's clock is moved, so that capture time goes on as the wall clock did. */
  #joinClock(unit: AccessUnit, now: number): number {
    const lastNtp = Math.max(...[...this.#last.values()].map(({ ntp }) => ntp));
    const elapsed = now - this.#lastArrival;
    const claimed = unit.ntp - lastNtp;
    return Math.abs(claimed - elapsed) < CLOCK_TOLERANCE_MS ? 0 : elapsed - claimed;
  }

  /**
   * What is added to the timestamps of a track of a later publisher, so that it goes on where the same kind of media
   * stood, in this or another codec. A kind that the stream did not have goes on where the picture stands.
   */
  #join(unit: AccessUnit, track: Track, ntpShift: number): number {
    const same = this.#lastOfKind.get(track.format.kind);
    const from = same ?? this.#lastOfKind.get('video') ?? [...this.#lastOfKind.values()][0];
    if (!from) return 0;
    const rate = track.clockRate;
    const elapsed = Math.round(((unit.ntp + ntpShift - from.ntp) / 1000) * rate);
    const shift = rescale(from.pts, from.clockRate, rate) + elapsed - unit.pts;
    if (!same) return shift;
    // Never back: at least one step behind the last unit, whatever the clocks say.
    const least = rescale(same.dts + Math.max(same.step, 1), same.clockRate, rate);
    return Math.max(shift, least - unit.dts);
  }
}
