import type { AccessUnit } from '#media/access-unit.ts';
import { PacketWindow } from '#media/packet-window.ts';
import type { Passage } from './framing.ts';
import type { Want } from './messages.ts';

/** A unit that may go now. */
export interface Released {
  readonly unit: AccessUnit;
  readonly passage: Passage;
}

interface Held extends AccessUnit {
  /** When it came, ms. */
  readonly at: number;
  readonly keyframeInterval: number;
}

/**
 * So few pictures are given out even though a keyframe came behind them, where they are reordered: those that wait in
 * the decoder for their turn would be lost with the jump.
 */
const SHORT_BACKLOG = 4;
/** Timestamps that step back by so many seconds began anew: what was wanted of the old ones will never come. */
const RESTART_SECONDS = 1;

/**
 * The units of a video track that wait until a worker wants a picture. An algorithm that looks at five pictures a
 * second needs the other twenty only to decode those five: they go together, in one write and one wake-up, when the
 * picture that is wanted has come; and what stands before a keyframe by then does not go at all.
 */
export class HeldUnits {
  readonly #window = new PacketWindow<Held>();
  #want: Want | undefined;
  /** Pictures are shown in another order than they are decoded. */
  #reordered = false;
  #newestPts = Number.NEGATIVE_INFINITY;
  #lastKeyframe: number | undefined;
  /** How many of the dropped units the worker was told of. */
  #told = 0;

  /** Everything goes as it comes; else something only when the worker asks for it. */
  get flows(): boolean {
    return this.#want?.all === true;
  }

  /**
   * A unit came at `now` (ms of any steady clock).
   * @returns what may go to the worker, in order; empty while nobody wants it
   */
  push(unit: AccessUnit, now: number): Released[] {
    if (unit.pts !== unit.dts) this.#reordered = true;
    this.#window.push({ ...unit, at: now, keyframeInterval: unit.keyframe ? this.#interval(unit.pts) : 0 });
    const mayJump = !this.#want?.all && (!this.#reordered || this.#window.length > SHORT_BACKLOG);
    if (unit.keyframe && mayJump) this.#window.skipToKeyframe();
    const beganAnew = unit.pts < this.#newestPts - RESTART_SECONDS * unit.track.clockRate;
    this.#newestPts = beganAnew ? unit.pts : Math.max(this.#newestPts, unit.pts);
    return beganAnew && this.#want ? this.#release(now) : this.#meet(now);
  }

  /** The worker wants something; what was wanted before counts no more. Returns what may go at once. */
  want(want: Want, now: number): Released[] {
    this.#want = want;
    return this.#meet(now);
  }

  #meet(now: number): Released[] {
    const { newestPts } = this.#window;
    if (!this.#want || newestPts === undefined) return [];
    const { all, keyframe, pts = Number.NEGATIVE_INFINITY } = this.#want;
    if (all) return this.#release(now);
    if (!keyframe) return newestPts >= pts ? this.#release(now) : [];
    this.#window.skipToKeyframe();
    const first = this.#window.first!;
    return first.keyframe && first.pts >= pts ? this.#release(now, this.#reordered ? undefined : 1) : [];
  }

  /** Gives out so many of the units that are there, or all; what is wanted is met. */
  #release(now: number, count = this.#window.length): Released[] {
    if (!this.#want?.all) this.#want = undefined;
    const released: Released[] = [];
    for (let left = count; left > 0; left--) {
      const taken = this.#window.take()!;
      const { at, keyframeInterval, ...unit } = taken.unit;
      const leftOut = taken.fresh ? this.#window.dropped - this.#told : 0;
      this.#told += leftOut;
      released.push({ unit, passage: { heldMs: now - at, leftOut, keyframeInterval, more: left > 1 } });
    }
    return released;
  }

  #interval(pts: number): number {
    const interval = this.#lastKeyframe === undefined ? 0 : Math.max(0, pts - this.#lastKeyframe);
    this.#lastKeyframe = pts;
    return interval;
  }
}
