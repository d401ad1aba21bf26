import { rescale } from '#media/timestamps.ts';
import type { FileUnit } from './file-reader.ts';

/**
 * Lays files one behind the other: each is moved by one constant, so that its first picture follows when the last one of
 * the file before is over (without pictures: its first sound). Sound that would lie over that of the file before is left
 * out.
 */
export class PlaylistTimes {
  /** Where the next file begins, in ticks of `#rate`; 0 for the first, which keeps its timestamps. */
  #next: number | undefined;
  #rate = 90_000;
  /** What is added to timestamps of this file, in ticks of its first track; undefined before its first unit. */
  #shift: number | undefined;
  #lead: { readonly pts: number; readonly dts: number; readonly step: number } | undefined;
  readonly #lastDts = new Map<number, number>();

  /** The units that follow are those of the next file. */
  nextFile(): void {
    if (this.#lead) this.#next = this.#lead.pts + this.#lead.step;
    this.#shift = undefined;
    this.#lead = undefined;
  }

  /**
   * The unit at its place; undefined where it would lie over what was there before.
   * @param startSeconds where the first picture of its file stands in the file's own time
   */
  place(unit: FileUnit, startSeconds: number): FileUnit | undefined {
    const { id, clockRate } = unit.track;
    if (this.#shift === undefined) this.#begin(startSeconds);
    const shift = rescale(this.#shift ?? 0, this.#rate, clockRate);
    const dts = unit.dts + shift;
    const pts = unit.pts + shift;
    const last = this.#lastDts.get(id);
    if (last !== undefined && dts <= last) return undefined;
    this.#lastDts.set(id, dts);
    if (id === 0) {
      const at = rescale(pts, clockRate, this.#rate);
      const decoded = rescale(dts, clockRate, this.#rate);
      const before = this.#lead;
      // Pictures that are shown in another order than they come: the last one shown counts.
      this.#lead = {
        pts: Math.max(at, before?.pts ?? at),
        dts: decoded,
        step: before ? decoded - before.dts : 0,
      };
    }
    return { ...unit, pts, dts };
  }

  /** Other tracks than before: their decoding times have nothing to do with those before. */
  forgetTracks(): void {
    this.#lastDts.clear();
  }

  #begin(startSeconds: number): void {
    const start = Math.round(startSeconds * this.#rate);
    this.#shift = this.#next === undefined ? 0 : this.#next - start;
  }
}
