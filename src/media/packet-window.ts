import { type AccessUnit, payloadSize } from './access-unit.ts';

/** Limits of a {@link PacketWindow}. */
export interface WindowLimits {
  readonly maxMs: number;
  readonly maxBytes: number;
}

const DEFAULT_LIMITS: WindowLimits = { maxMs: 8000, maxBytes: 32 << 20 };

/** A unit that leaves the window. */
export interface Taken<Unit extends AccessUnit> {
  readonly unit: Unit;
  /** Units before it were left out, or another format begins: decoding has to start anew at this keyframe. */
  readonly fresh: boolean;
}

/**
 * The access units of one video track that nobody has decoded yet. It always begins where decoding can go on: with the
 * unit after the last one taken, or with a keyframe. Bounded in time and bytes: over that, everything is dropped and
 * the next keyframe waited for.
 */
export class PacketWindow<Unit extends AccessUnit = AccessUnit> {
  readonly #limits: WindowLimits;
  #units: Taken<Unit>[] = [];
  #bytes = 0;
  /** What comes next does not follow what came last: only a keyframe is of use. */
  #broken = true;
  /** Units that were dropped unseen. */
  dropped = 0;

  constructor(limits: Partial<WindowLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  get length(): number {
    return this.#units.length;
  }

  /** The latest presentation time in the window; undefined when it is empty. */
  get newestPts(): number | undefined {
    return this.newestPtsOf(() => true);
  }

  /** The same of the units at the front that are counted, up to the first one that is not. */
  newestPtsOf(counts: (unit: Unit) => boolean): number | undefined {
    let newest: number | undefined;
    for (const { unit } of this.#units) {
      if (!counts(unit)) break;
      if (newest === undefined || unit.pts > newest) newest = unit.pts;
    }
    return newest;
  }

  /** The unit that is taken next. */
  get first(): Unit | undefined {
    return this.#units[0]?.unit;
  }

  /** The unit that came in last. */
  get last(): Unit | undefined {
    return this.#units.at(-1)?.unit;
  }

  /** @param gap units between this one and the one before were left out on the way here */
  push(unit: Unit, gap = false): void {
    const fresh = this.#broken || gap;
    this.#broken = fresh && !unit.keyframe;
    if (this.#broken) {
      this.dropped++;
      return;
    }
    this.#units.push({ unit, fresh });
    this.#bytes += payloadSize(unit);
    const { unit: oldest } = this.#units[0]!;
    const ms = ((unit.dts - oldest.dts) / unit.track.clockRate) * 1000;
    if (this.#bytes > this.#limits.maxBytes || ms > this.#limits.maxMs) {
      // Prefer what can still be decoded; where there is no keyframe among it, nothing can.
      if (!this.skipToKeyframe(this.#units.length) || this.#bytes > this.#limits.maxBytes) this.drop();
    }
  }

  /**
   * Drops what stands before the last keyframe among the first `within + 1` units; false when there is none beyond
   * the first unit.
   */
  skipToKeyframe(within = this.#units.length): boolean {
    for (let at = Math.min(within, this.#units.length - 1); at > 0; at--) {
      if (!this.#units[at]!.unit.keyframe) continue;
      this.#dropFirst(at);
      return true;
    }
    return false;
  }

  /** Forgets all; what is taken next will be a keyframe. */
  drop(): void {
    this.dropped += this.#units.length;
    this.#units = [];
    this.#bytes = 0;
    this.#broken = true;
  }

  /** What was taken last could not be decoded: drops everything up to the next keyframe. */
  resync(): void {
    const at = this.#units.findIndex(({ unit }) => unit.keyframe);
    if (at < 0) this.drop();
    else this.#dropFirst(at);
  }

  take(): Taken<Unit> | undefined {
    const taken = this.#units.shift();
    if (taken) this.#bytes -= payloadSize(taken.unit);
    return taken;
  }

  /** Drops so many units; the one behind them is a keyframe. */
  #dropFirst(count: number): void {
    for (const { unit } of this.#units.splice(0, count)) this.#bytes -= payloadSize(unit);
    this.dropped += count;
    this.#units[0] = { unit: this.#units[0]!.unit, fresh: true };
  }
}
