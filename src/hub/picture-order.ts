import type { AccessUnit } from '#media/access-unit.ts';

/** So many pictures without one that is shown before its predecessor: there will be none. */
const SETTLED = 50;

/** What is known of the order of a track's pictures. */
export interface KnownOrder {
  /** A picture came that is shown before one that came earlier: there are B-frames. */
  readonly reordered: boolean;
  /** Enough pictures came to say that there are none. */
  readonly settled: boolean;
}

const UNKNOWN: KnownOrder = { reordered: false, settled: false };

/**
 * Watches whether the pictures of a track are shown in the order in which they come. What parameter sets say is only
 * how much reordering there may be at most, and many say nothing at all.
 */
export class PictureOrder implements KnownOrder {
  reordered = false;
  #pictures = 0;
  #latest = Number.NEGATIVE_INFINITY;

  get settled(): boolean {
    return this.reordered || this.#pictures >= SETTLED;
  }

  /** Takes the next picture in decoding order; true when more is known than before it. */
  note({ pts }: Pick<AccessUnit, 'pts'>): boolean {
    const before = this.settled;
    this.#pictures++;
    if (pts < this.#latest) {
      const isNews = !this.reordered;
      this.reordered = true;
      return isNews;
    }
    this.#latest = pts;
    return this.settled !== before;
  }
}

/** The same for each video track of a stream, with the parameters that it has now. */
export class PictureOrders {
  /** By the id of the track. */
  readonly #orders = new Map<number, PictureOrder>();

  of(track: number): KnownOrder {
    return this.#orders.get(track) ?? UNKNOWN;
  }

  /** Takes the next picture of a track; true when more is known of that than before. */
  note(picture: AccessUnit): boolean {
    const { id } = picture.track;
    let order = this.#orders.get(id);
    if (!order) this.#orders.set(id, (order = new PictureOrder()));
    return order.note(picture);
  }

  /** The track has other parameters. */
  forget(track: number): void {
    this.#orders.delete(track);
  }

  /** There are other tracks. */
  clear(): void {
    this.#orders.clear();
  }
}
