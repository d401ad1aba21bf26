import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';

/**
 * Starts what makes the rendition (a worker's task) and keeps it going until the returned function ends it. Each attempt
 * that fails is told; `retried` is false where there will be no other. Injected: the hub knows no workers.
 */
export type RenditionStarter = (
  request: { readonly stream: string; readonly track: number; readonly codec: 'aac' },
  onFailure: (reason: string, more: { readonly retried: boolean }) => void,
) => () => void;

/** One holder's claim on a rendition. */
export interface Rendition {
  /**
   * The rendition's track, once its maker announced it, be it after attempts that failed; rejected when nothing will
   * come of it any more. Its units then come through the stream's fan-out.
   */
  readonly track: Promise<Track>;
  /** Why the first attempt failed; settles only if it does. */
  readonly trouble: Promise<string>;
  /** Gives the claim back; the last one ends the rendition. Idempotent. */
  release(): void;
}

interface Entry {
  readonly of: number;
  holders: number;
  readonly stop: () => void;
  made?: Track;
  readonly ready: PromiseWithResolvers<Track>;
  readonly trouble: PromiseWithResolvers<string>;
}

/** The renditions of one stream: made once however many hold them, and only while somebody does (R2). */
export class RenditionSet {
  readonly #stream: string;
  readonly #fanOut: (unit: AccessUnit) => void;
  readonly #start: RenditionStarter | undefined;
  readonly #entries = new Map<string, Entry>();

  /** @param fanOut where the renditions' units go */
  constructor(stream: string, fanOut: (unit: AccessUnit) => void, start: RenditionStarter | undefined) {
    this.#stream = stream;
    this.#fanOut = fanOut;
    this.#start = start;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Those that are made by now. */
  get tracks(): Track[] {
    return [...this.#entries.values()].flatMap(({ made }) => made ?? []);
  }

  acquire(trackId: number, codec: 'aac'): Rendition {
    const key = `${trackId}:${codec}`;
    const entry = this.#entries.get(key) ?? this.#begin(key, trackId, codec);
    entry.holders++;
    let held = true;
    return {
      track: entry.ready.promise,
      trouble: entry.trouble.promise,
      release: () => {
        if (!held) return;
        held = false;
        if (--entry.holders === 0) this.#end(key, entry, 'Nobody listens any more.');
      },
    };
  }

  /** Only for who brings the maker's units in: announces the track of a rendition, and again when its format changed. */
  announce(of: number, track: Track): void {
    for (const entry of this.#entries.values()) {
      if (entry.of !== of) continue;
      entry.made = track;
      entry.ready.resolve(track);
    }
  }

  /** Only for who brings the maker's units in. */
  write(unit: AccessUnit): void {
    this.#fanOut(unit);
  }

  /** Ends the renditions of tracks that are no longer there. */
  keepOnly(tracks: ReadonlyMap<number, Track>): void {
    for (const [key, entry] of [...this.#entries]) {
      if (!tracks.has(entry.of)) this.#end(key, entry, 'Its track is gone.');
    }
  }

  close(): void {
    for (const [key, entry] of [...this.#entries]) this.#end(key, entry, 'The stream has ended.');
  }

  #begin(key: string, of: number, codec: 'aac'): Entry {
    const ready = Promise.withResolvers<Track>();
    // Whoever holds it looks at the promise; nobody may be there yet when it fails.
    ready.promise.catch(() => {});
    const trouble = Promise.withResolvers<string>();
    let stop = () => {};
    const fail = (cause: string, { retried }: { readonly retried: boolean }) => {
      const reason = `The sound cannot be turned into ${codec.toUpperCase()}: ${cause}`;
      trouble.resolve(reason);
      if (retried) return;
      ready.reject(new NamedError('RENDITION_FAILED', reason, 503));
      stop();
      stop = () => {};
    };
    if (this.#start) stop = this.#start({ stream: this.#stream, track: of, codec }, fail);
    else fail('this server has no worker for it.', { retried: false });
    const entry: Entry = { of, holders: 0, stop: () => stop(), ready, trouble };
    this.#entries.set(key, entry);
    return entry;
  }

  #end(key: string, entry: Entry, reason: string): void {
    if (!this.#entries.delete(key)) return;
    entry.ready.reject(new NamedError('RENDITION_FAILED', reason, 503));
    entry.stop();
  }
}
