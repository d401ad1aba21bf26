import type { AccessUnit } from '#media/access-unit.ts';
import { isVideo } from '#media/track.ts';
import type { FeedLimits } from './feed.ts';

/** The units since the last video keyframe, for feeds that begin; empty while there is none, or where they are too many. */
export class RecentUnits {
  readonly #limits: FeedLimits;
  #units: AccessUnit[] = [];
  #bytes = 0;

  constructor(limits: FeedLimits) {
    this.#limits = limits;
  }

  get all(): readonly AccessUnit[] {
    return this.#units;
  }

  /** @param size bytes of the unit's payload */
  add(unit: AccessUnit, size: number): void {
    if (isVideo(unit.track)) {
      if (unit.keyframe) this.clear();
      else if (this.#units.length === 0) return;
    } else if (this.#units.length === 0) {
      return;
    }
    this.#units.push(unit);
    this.#bytes += size;
    const { gopBytes, gopUnits } = this.#limits;
    // Units of all tracks count here, three for every picture where there is sound.
    if (this.#bytes > gopBytes || this.#units.length > 3 * gopUnits) this.clear();
  }

  clear(): void {
    this.#units = [];
    this.#bytes = 0;
  }
}
