import type { Track } from '#media/track.ts';

/** Ids of tracks have 16 bits on the link. This is the first of those that renditions have; publishers' are below. */
export const FIRST_MADE_ID = 0x8000;
export const MADE_IDS = 0x8000;

/** The tracks of one stream, and all that it ever had: one that returns has its old id. */
export class TrackTable {
  readonly #tracks = new Map<number, Track>();
  readonly #known = new Map<number, Track>();

  get list(): readonly Track[] {
    return [...this.#tracks.values()];
  }

  get ids(): readonly number[] {
    return [...this.#tracks.keys()];
  }

  get(id: number): Track | undefined {
    return this.#tracks.get(id);
  }

  has(id: number): boolean {
    return this.#tracks.has(id);
  }

  /** A track that the stream has, or had. */
  known(id: number): Track | undefined {
    return this.#known.get(id);
  }

  /** The track is there, or has another format. */
  set(track: Track): void {
    this.#tracks.set(track.id, track);
    this.#known.set(track.id, track);
  }

  delete(ids: Iterable<number>): void {
    for (const id of ids) this.#tracks.delete(id);
  }

  /** Takes a publisher's tracks instead of those there are; gives the publisher's ids → the stream's. */
  replace(tracks: readonly Track[]): Map<number, number> {
    this.#tracks.clear();
    return this.add(tracks);
  }

  /** Takes tracks beside those there are; a kind, codec and clock rate that was there before keeps its id. */
  add(tracks: readonly Track[]): Map<number, number> {
    const free = [...this.#known.values()].filter(({ id }) => !this.#tracks.has(id));
    const ids = new Map<number, number>();
    for (const track of tracks) {
      const same = free.find((known) => isSame(known, track));
      if (same) free.splice(free.indexOf(same), 1);
      const isFree = track.id < FIRST_MADE_ID && !this.#known.has(track.id);
      const id = same?.id ?? (isFree ? track.id : Math.max(-1, ...this.#known.keys()) + 1);
      ids.set(track.id, id);
      this.set(withId(track, id));
    }
    return ids;
  }
}

/** The publisher's track under the id that the stream has for it. */
export function withId(track: Track, id: number): Track {
  return id === track.id ? track : { ...track, id };
}

function isSame(a: Track, b: Track): boolean {
  return a.format.kind === b.format.kind && a.format.codec === b.format.codec && a.clockRate === b.clockRate;
}
