import { isDeepStrictEqual } from 'node:util';
import type { DefaultWish } from './contract.ts';

interface ViewersOptions {
  readonly streamExists: (name: string) => boolean;
  /** Takes a lease for a viewer; gives its id. */
  readonly take: (stream: string, viewerId: string, wish: DefaultWish) => string;
  readonly release: (leaseId: string) => void;
  /** The configured parameters of an algorithm changed. */
  readonly adjust: (stream: string, wish: DefaultWish) => void;
}

/** One viewer at one stream. */
interface Watch {
  /** It got the leases of the stream's defaults. */
  served: boolean;
  /** Its leases that it did not ask for, by algorithm. */
  readonly given: Map<string, string>;
}

/** Who watches which stream, and what it gets without asking: the defaults of the stream. */
export class Viewers {
  readonly #options: ViewersOptions;
  /** Of streams by name; they go before those of patterns. */
  readonly #defaults = new Map<string, readonly DefaultWish[]>();
  #ofOthers: (stream: string) => readonly DefaultWish[] = () => [];
  /** By viewer, then by stream. */
  readonly #viewers = new Map<string, Map<string, Watch>>();

  constructor(options: ViewersOptions) {
    this.#options = options;
  }

  /**
   * Changes the defaults of a stream, also for those who watch it: they get what is new, and lose what is gone unless
   * they asked for it themselves. What a viewer gave back stays given back.
   */
  setDefaults(stream: string, wishes: readonly DefaultWish[]): void {
    const before = this.defaultsOf(stream);
    this.#defaults.set(stream, wishes);
    this.#changed(stream, before, wishes);
  }

  /** The same for all streams: `defaults` by name, and `ofOthers` for those that are not there. */
  configure(
    defaults: ReadonlyMap<string, readonly DefaultWish[]>,
    ofOthers: (stream: string) => readonly DefaultWish[],
  ): void {
    const watched = this.#viewers.values().flatMap((streams) => streams.keys());
    const before = new Map(
      [...this.#defaults.keys(), ...defaults.keys(), ...watched].map((stream) => [
        stream,
        this.defaultsOf(stream),
      ]),
    );
    this.#defaults.clear();
    for (const [stream, wishes] of defaults) this.#defaults.set(stream, wishes);
    this.#ofOthers = ofOthers;
    for (const [stream, had] of before) this.#changed(stream, had, this.defaultsOf(stream));
  }

  /** What runs on a stream while somebody watches it. */
  defaultsOf(stream: string): readonly DefaultWish[] {
    return this.#defaults.get(stream) ?? this.#ofOthers(stream);
  }

  /** Streams that have such wishes by their own name. */
  get named(): string[] {
    return [...this.#defaults.keys()];
  }

  #changed(stream: string, before: readonly DefaultWish[], wishes: readonly DefaultWish[]): void {
    const had = new Map(before.map((wish) => [wish.algorithm, wish]));
    const has = new Set(wishes.map(({ algorithm }) => algorithm));
    for (const wish of wishes) {
      const old = had.get(wish.algorithm);
      const same =
        isDeepStrictEqual(old?.parameters ?? {}, wish.parameters ?? {}) &&
        isDeepStrictEqual(old?.frames, wish.frames);
      if (old && !same) {
        this.#options.adjust(stream, wish);
      }
    }
    for (const [viewerId, watched] of this.#viewers) {
      const watch = watched.get(stream);
      if (!watch?.served) continue;
      // What is new comes first: a worker that is at work on the stream then has no reason to stop.
      for (const wish of wishes) if (!had.has(wish.algorithm)) this.#give(stream, viewerId, watch, wish);
      for (const [algorithm, lease] of watch.given) {
        if (has.has(algorithm)) continue;
        watch.given.delete(algorithm);
        this.#options.release(lease);
      }
    }
  }

  /** Somebody watches a stream: it gets the defaults, now or when the stream comes. */
  joined(stream: string, viewerId: string): void {
    const watched = this.#viewers.get(viewerId) ?? new Map<string, Watch>();
    this.#viewers.set(viewerId, watched);
    const watch: Watch = { served: false, given: new Map() };
    watched.set(stream, watch);
    this.#serve(stream, viewerId, watch);
  }

  left(viewerId: string): void {
    this.#viewers.delete(viewerId);
  }

  /** A viewer asked for an algorithm itself: it keeps it, whatever the defaults are. */
  asked(stream: string, viewerId: string, algorithm: string): void {
    this.#viewers.get(viewerId)?.get(stream)?.given.delete(algorithm);
  }

  /** A stream has come: viewers who waited for it get its defaults. */
  streamStarted(stream: string): void {
    for (const [viewerId, watched] of this.#viewers) {
      const watch = watched.get(stream);
      if (watch) this.#serve(stream, viewerId, watch);
    }
  }

  clear(): void {
    this.#viewers.clear();
  }

  #serve(stream: string, viewerId: string, watch: Watch): void {
    if (watch.served || !this.#options.streamExists(stream)) return;
    watch.served = true;
    for (const wish of this.defaultsOf(stream)) this.#give(stream, viewerId, watch, wish);
  }

  #give(stream: string, viewerId: string, watch: Watch, wish: DefaultWish): void {
    watch.given.set(wish.algorithm, this.#options.take(stream, viewerId, wish));
  }
}
