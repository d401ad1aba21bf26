import type { AccessUnit } from '#media/access-unit.ts';
import type { Feed } from './feed.ts';
import type { TrackTable } from './track-table.ts';

/** The feeds of one stream, by key. */
export class FeedSet {
  readonly #feeds = new Map<string, Feed>();

  get all(): readonly Feed[] {
    return [...this.#feeds.values()];
  }

  get readerCount(): number {
    let count = 0;
    for (const feed of this.#feeds.values()) count += feed.readers.size;
    return count;
  }

  get(key: string): Feed | undefined {
    return this.#feeds.get(key);
  }

  add(feed: Feed): void {
    this.#feeds.set(feed.key, feed);
  }

  delete(feed: Feed): void {
    if (this.#feeds.get(feed.key) === feed) this.#feeds.delete(feed.key);
  }

  /** Gives a unit to every feed that carries its track. */
  write(unit: AccessUnit): void {
    for (const feed of this.#feeds.values()) if (feed.tracks.has(unit.track.id)) feed.write(unit);
  }

  /** Closes those that lost a kind of media which now comes in another codec: their readers cannot go on. */
  closeLosers(table: TrackTable): void {
    for (const feed of this.all) {
      const gone = [...feed.tracks].flatMap((id) => (table.has(id) ? [] : (table.known(id) ?? [])));
      for (const { format } of gone) {
        const now = table.list.find(
          (track) => track.format.kind === format.kind && !feed.tracks.has(track.id),
        );
        if (!now) continue;
        feed.close(
          `The ${format.kind} is now ${now.format.codec} instead of ${format.codec}: connect again.`,
        );
        break;
      }
    }
  }

  close(reason: string): void {
    for (const feed of this.all) feed.close(reason);
    this.#feeds.clear();
  }
}
