import type { AccessUnit } from '#media/access-unit.ts';
import { payloadSize } from '#media/access-unit.ts';

/** Limits of a {@link PacketWindow}. */
export interface WindowLimits {
  readonly maxMs: number;
  readonly maxBytes: number;
}

const DEFAULT_LIMITS: WindowLimits = { maxMs: 8000, maxBytes: 32 << 20 };

/** Why a unit that leaves the window may not simply follow the one before it. */
export interface Taken<Unit extends AccessUnit> {
  readonly unit: Unit;
  /** Units before it were dropped, or another format begins: the decoder has to start anew at this keyframe. */
  readonly fresh: boolean;
}

/**
 * The access units of one video track that nobody has decoded yet. It always begins where decoding can go on: with the
 * unit after the last one taken, or with a keyframe. Bounded in time and bytes: over that, everything is dropped and
 * the next keyframe waited for.
 */
export class PacketWindow<Unit extends AccessUnit = AccessUnit> {
  readonly #limits: WindowLimits;
  #units: Unit[] = [];
  #bytes = 0;
  /** The next unit to be taken does not follow the last one taken. */
  #fresh = true;
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
    let newest: number | undefined;
    for (const { pts } of this.#units) if (newest === undefined || pts > newest) newest = pts;
    return newest;
  }

  /** The unit that is taken next. */
  get first(): Unit | undefined {
    return this.#units[0];
  }

  /** The unit that came in last. */
  get last(): Unit | undefined {
    return this.#units.at(-1);
  }

  push(unit: Unit): void {
    if (this.#units.length === 0 && this.#fresh && !unit.keyframe) {
      this.dropped++;
      return;
    }
    this.#units.push(unit);
    this.#bytes += payloadSize(unit);
    const oldest = this.#units[0]!;
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
      if (!this.#units[at]!.keyframe) continue;
      for (const unit of this.#units.splice(0, at)) this.#bytes -= payloadSize(unit);
      this.dropped += at;
      this.#fresh = true;
      return true;
    }
    return false;
  }

  /** Forgets all; what is taken next will be a keyframe. */
  drop(): void {
    this.dropped += this.#units.length;
    this.#units = [];
    this.#bytes = 0;
    this.#fresh = true;
  }

  /** What was taken last could not be decoded: drops everything up to the next keyframe. */
  resync(): void {
    const at = this.#units.findIndex(({ keyframe }) => keyframe);
    if (at < 0) return this.drop();
    for (const unit of this.#units.splice(0, at)) this.#bytes -= payloadSize(unit);
    this.dropped += at;
    this.#fresh = true;
  }

  take(): Taken<Unit> | undefined {
    const unit = this.#units.shift();
    if (!unit) return undefined;
    this.#bytes -= payloadSize(unit);
    const fresh = this.#fresh;
    this.#fresh = false;
    return { unit, fresh };
  }
}
