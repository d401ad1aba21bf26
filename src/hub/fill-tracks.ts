import type { AccessUnit } from '#media/access-unit.ts';
import type { Continuity, PublisherTimes } from './continuity.ts';
import { type Fill, knownClock } from './fill.ts';
import type { Publication } from './publication.ts';
import type { TrackTable } from './track-table.ts';

/** What a stream takes of its second source: the tracks of kinds that its publisher does not have. */
export class FillTracks {
  readonly fill: Fill;
  readonly #table: TrackTable;
  readonly #continuity: Continuity;
  #times: PublisherTimes;
  /** Whose units `#times` are of. */
  #publication: Publication<Fill> | undefined;
  /** The source's ids → the stream's. */
  #ids = new Map<number, number>();

  constructor(fill: Fill, table: TrackTable, continuity: Continuity) {
    this.fill = fill;
    this.#table = table;
    this.#continuity = continuity;
    this.#times = continuity.join();
  }

  /** Ids of the stream's tracks that come from the second source. */
  get ids(): readonly number[] {
    return [...this.#ids.values()];
  }

  /** Puts its tracks beside those of the publisher; those that were there go on. False where nothing changed by that. */
  add(): boolean {
    const before = this.ids;
    const taken = this.#table.list.filter(({ id }) => !before.includes(id)).map(({ format }) => format.kind);
    const wanted = this.fill.tracks.filter(({ format }) => !taken.includes(format.kind));
    if (before.length === 0 && wanted.length === 0) return false;
    this.#table.delete(before);
    this.#ids = this.#table.add(wanted);
    // Somebody else may have brought such tracks meanwhile: they are joined on to that.
    if (before.join() !== this.ids.join()) this.#publication = undefined;
    return true;
  }

  /** Its tracks are in the stream no longer, because the stream has other tracks altogether. */
  forget(): void {
    this.#ids = new Map();
  }

  /** A unit of the publisher came. */
  observe(unit: AccessUnit, now: number, { hooks }: { readonly hooks: Publication['hooks'] }): void {
    this.fill.clock.observeFirst({ ntp: unit.ntp, now }, () => knownClock(hooks));
  }

  /**
   * The unit with the stream's track and timestamps; undefined where the publisher has that kind itself, or nothing of it
   * came yet that shows where the unit belongs.
   * @param ntpShift what is added to the publisher's capture times
   */
  place(unit: AccessUnit, now: number, ntpShift: number): AccessUnit | undefined | 'discarded' {
    const id = this.#ids.get(unit.track.id);
    const track = id === undefined ? undefined : this.#table.get(id);
    if (!track) return undefined;
    if (this.fill.publication !== this.#publication) {
      this.#publication = this.fill.publication;
      this.#times = this.#continuity.join();
    }
    const shift = this.fill.clock.shiftAt(now);
    if (shift === undefined) return undefined;
    return this.#times.place(unit, track, now, shift + ntpShift) ?? 'discarded';
  }

  /** By the stream's ids, of the tracks that are used. */
  byId<T extends { readonly track: number }>(all: readonly T[] | undefined): T[] {
    return (all ?? []).flatMap((one) => {
      const id = this.#ids.get(one.track);
      return id === undefined ? [] : [{ ...one, track: id }];
    });
  }
}
