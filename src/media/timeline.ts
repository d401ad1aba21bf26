import type { AccessUnit } from './access-unit.ts';
import { isVideo, type Track } from './track.ts';

/**
 * Puts the tracks of one stream on one timeline, for containers that have only one (fMP4, FLV, clips).
 *
 * The lead track (the first video track, else the first track) keeps its own timestamps untouched: they are the key
 * that joins pictures, results and sound. Every other track is shifted by the offset that its capture clock (`ntp`)
 * has against the lead's. The offset is held while the clocks agree to half a millisecond, so that rounding never makes
 * neighbouring audio frames overlap, and follows them where they drift.
 */
export class Timeline {
  readonly lead: Track;
  #leadRef: { pts: number; ntp: number } | undefined;
  readonly #offsets = new Map<number, number>();

  constructor(tracks: readonly Track[]) {
    const lead = tracks.find(isVideo) ?? tracks[0];
    if (!lead) throw new RangeError('A timeline needs at least one track.');
    this.lead = lead;
  }

  /**
   * Position of the unit on the shared timeline, in ticks of its own track; undefined while the lead track has not
   * shown where the timeline stands.
   */
  place(unit: AccessUnit): { pts: number; dts: number } | undefined {
    if (unit.track.id === this.lead.id) {
      this.#leadRef = { pts: unit.pts, ntp: unit.ntp };
      return { pts: unit.pts, dts: unit.dts };
    }
    const ref = this.#leadRef;
    if (!ref) return undefined;
    const rate = unit.track.clockRate;
    const target = (ref.pts / this.lead.clockRate + (unit.ntp - ref.ntp) / 1000) * rate;
    const wanted = target - unit.pts;
    let offset = this.#offsets.get(unit.track.id);
    if (offset === undefined || Math.abs(wanted - offset) > rate * 0.0005) {
      offset = Math.round(wanted);
      this.#offsets.set(unit.track.id, offset);
    }
    return { pts: unit.pts + offset, dts: unit.dts + offset };
  }
}
