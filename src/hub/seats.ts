import { isVideo, type Track } from '#media/track.ts';
import type { PublisherTimes } from './continuity.ts';
import type { Publication } from './publication.ts';

/** A publisher, and how its times become the stream's. */
export interface Seat {
  readonly publication: Publication;
  readonly times: PublisherTimes;
  /** By its own ids. */
  tracks: readonly Track[];
}

/** Who brings a stream: at most one in each place. Who has to make room for another learns why. */
export class Seats {
  #main: Seat | undefined;
  #coming: Seat | undefined;
  #standby: Seat | undefined;
  #latest: Seat | undefined;

  /** The publisher. */
  get main(): Seat | undefined {
    return this.#main;
  }

  /** A publisher that has come while something stood in, and takes over with its first keyframe. */
  get coming(): Seat | undefined {
    return this.#coming;
  }

  /** What is shown while the publisher is gone. */
  get standby(): Seat | undefined {
    return this.#standby;
  }

  /** Whose media are the stream's. */
  get shown(): Seat | undefined {
    return this.#main ?? this.#standby;
  }

  /** Whose media were the stream's last. */
  get latest(): Seat | undefined {
    return this.#latest;
  }

  /** Who publishes, shown or not yet. */
  get taker(): Seat | undefined {
    return this.#coming ?? this.#main;
  }

  of(publication: object): Seat | undefined {
    return [this.#main, this.#coming, this.#standby].find((seat) => seat?.publication === publication);
  }

  /** A publisher has come. True: it waits, because something stands in; false: it is to `take` the stream at once. */
  come(seat: Seat): boolean {
    this.#coming?.publication.terminate('Another publisher took over.');
    this.#coming = undefined;
    if (!this.#standby || !seat.tracks.some(isVideo)) return false;
    this.#coming = seat;
    return true;
  }

  /** It is the publisher from now on. */
  take(seat: Seat): void {
    this.#main?.publication.terminate('Another publisher took over.');
    this.#standby?.publication.terminate('The stream is back.');
    this.#standby = undefined;
    this.#coming = undefined;
    this.#main = seat;
    this.#latest = seat;
  }

  standIn(seat: Seat): void {
    this.#standby?.publication.terminate('Another one stands in.');
    this.#standby = seat;
    this.#latest = seat;
  }

  /** It has left by itself; gives the place that is empty now. */
  leave(publication: object): 'main' | 'coming' | 'standby' | undefined {
    switch (publication) {
      case this.#main?.publication:
        this.#main = undefined;
        return 'main';
      case this.#coming?.publication:
        this.#coming = undefined;
        return 'coming';
      case this.#standby?.publication:
        this.#standby = undefined;
        return 'standby';
      default:
        return undefined;
    }
  }

  /** All have to go. */
  clear(reason: string): void {
    for (const seat of [this.#main, this.#coming, this.#standby]) seat?.publication.terminate(reason);
    this.#main = undefined;
    this.#coming = undefined;
    this.#standby = undefined;
  }
}
