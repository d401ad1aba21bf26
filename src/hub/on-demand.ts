import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { Stream } from './stream.ts';

/** What brings one stream when somebody wants it, and lets it go again: the stream's source. */
export interface Summoner {
  /** Begins to bring the stream; it goes on trying by itself until `dismiss`. */
  summon(): void;
  /** Nobody wants the stream any more. */
  dismiss(reason: string): void;
  /** Why the stream is not there, in a sentence; `final` when it never will be. Undefined while nothing is wrong. */
  readonly trouble: { readonly reason: string; readonly final: boolean } | undefined;
  /** True while more of the stream is about to come than is there: who asks waits for that, too (see `completed`). */
  readonly partial?: boolean;
}

/** Who brings streams that nobody offered by name: those of a pattern. */
export interface Offering {
  /** Whether there could be a stream of that name. */
  has(name: string): boolean;
  /** Offers it by `OnDemand.add`; or says why that cannot be done now. Does nothing for a name that it does not have. */
  offer(name: string): NamedError | undefined;
}

export interface OnDemandLimits {
  /** How long somebody who wants the stream is held, ms. */
  readonly startMs: number;
  /** How long the stream outlives its last reader, ms. */
  readonly closeMs: number;
}

const DEFAULT_LIMITS: OnDemandLimits = { startMs: 10_000, closeMs: 10_000 };

export interface OnDemandOptions {
  readonly clock: Clock;
  readonly get: (name: string) => Stream | undefined;
}

interface Entry {
  readonly name: string;
  readonly summoner: Summoner;
  readonly limits: OnDemandLimits;
  summoned: boolean;
  cancelClose: () => void;
}

/**
 * Streams that come when they are wanted (DESIGN section 5): a source is begun for the first who wants its stream,
 * whoever asks is held until the stream is there, and the source ends a while after the last reader and the last claim.
 */
export class OnDemand {
  readonly #options: OnDemandOptions;
  readonly #entries = new Map<string, Entry>();
  /** How many want a stream without reading it (those who wait for it, pages, runs), whoever brings it. */
  readonly #claims = new Map<string, number>();
  readonly #waiting = new Map<string, Set<(stream: Stream) => void>>();
  /** Asked in this order about names that nobody offered; the first who has one offers it. */
  readonly offerings = new Set<Offering>();

  constructor(options: OnDemandOptions) {
    this.#options = options;
  }

  /**
   * Says who brings the stream of that name; the returned function takes it back, and dismisses the source with the
   * reason. One that is at work already has to be wanted like any other.
   */
  add(name: string, summoner: Summoner, limits = DEFAULT_LIMITS, atWork = false): (reason?: string) => void {
    const entry: Entry = {
      name,
      summoner,
      limits,
      summoned: atWork,
      cancelClose: () => {},
    };
    this.#entries.set(name, entry);
    if (this.#claims.has(name)) this.#summon(entry);
    else this.#expire(entry);
    return (reason = 'The source was taken out of the configuration.') => {
      if (this.#entries.get(name) !== entry) return;
      this.#entries.delete(name);
      this.#dismiss(entry, reason);
    };
  }

  has(name: string): boolean {
    return this.#entries.has(name) || this.offerings.values().some((offering) => offering.has(name));
  }

  /** Why the stream that somebody wants is not there; undefined while nothing is wrong. */
  trouble(name: string): string | undefined {
    const refusal = this.#claims.has(name) ? this.#offer(name) : undefined;
    return this.#entries.get(name)?.summoner.trouble?.reason ?? refusal?.message;
  }

  /**
   * Wants a stream until the returned function is called, without reading it: its source is kept at work, also while it
   * fails. Where nobody brings the stream on demand, the wish waits for somebody who does.
   */
  claim(name: string): () => void {
    this.#claims.set(name, (this.#claims.get(name) ?? 0) + 1);
    this.#offer(name);
    const entry = this.#entries.get(name);
    if (entry) this.#summon(entry);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.#claims.get(name) ?? 1) - 1;
      if (left > 0) this.#claims.set(name, left);
      else this.#claims.delete(name);
      this.left(name);
    };
  }

  /**
   * The stream of that name: at once where it is there, else as soon as its source has brought it.
   * @throws NamedError STREAM_NOT_FOUND, SOURCE_NOT_READY, SOURCE_LIMIT
   */
  async wanted(name: string, signal?: AbortSignal): Promise<Stream> {
    const refusal = this.#offer(name);
    if (refusal) throw refusal;
    const entry = this.#entries.get(name);
    const present = this.#options.get(name);
    if (!entry) {
      if (present) return present;
      throw new NamedError(
        'STREAM_NOT_FOUND',
        `There is no stream "${name}". Publish it first, or check the name.`,
        404,
      );
    }
    const release = this.claim(name);
    try {
      if (present && !entry.summoner.partial) return present;
      return await this.#arrival(entry, signal);
    } finally {
      release();
    }
  }

  /** Only for the hub: a stream has come. */
  arrived(stream: Stream): void {
    if (this.#entries.get(stream.name)?.summoner.partial) return;
    for (const tell of this.#waiting.get(stream.name) ?? []) tell(stream);
  }

  /** Nothing more comes of a stream that was partial. */
  completed(name: string): void {
    const stream = this.#options.get(name);
    if (stream) this.arrived(stream);
  }

  /** Only for the hub: a stream may have lost its last reader. */
  left(name: string): void {
    const entry = this.#entries.get(name);
    if (entry) this.#expire(entry);
  }

  /** Has a stream offered that nobody brings or publishes now. */
  #offer(name: string): NamedError | undefined {
    if (this.#entries.has(name) || this.#options.get(name)?.state === 'live') return undefined;
    return this.offerings
      .values()
      .find((offering) => offering.has(name))
      ?.offer(name);
  }

  #arrival(entry: Entry, signal: AbortSignal | undefined): Promise<Stream> {
    const { clock } = this.#options;
    const waiting = this.#waiting.get(entry.name) ?? new Set();
    this.#waiting.set(entry.name, waiting);
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        cancel();
        waiting.delete(arrived);
        if (waiting.size === 0 && this.#waiting.get(entry.name) === waiting) this.#waiting.delete(entry.name);
        signal?.removeEventListener('abort', aborted);
        act();
      };
      const arrived = (stream: Stream) => finish(() => resolve(stream));
      const refuse = () =>
        finish(() => {
          const partial = this.#options.get(entry.name);
          if (partial) resolve(partial);
          else reject(notReady(entry));
        });
      const aborted = () => finish(() => reject(gone(entry.name)));
      const cancel = clock.after(entry.limits.startMs, refuse);
      waiting.add(arrived);
      signal?.addEventListener('abort', aborted);
      if (signal?.aborted) aborted();
      else if (entry.summoner.trouble?.final) refuse();
    });
  }

  #summon(entry: Entry): void {
    entry.cancelClose();
    if (entry.summoned) return;
    entry.summoned = true;
    entry.summoner.summon();
  }

  #expire(entry: Entry): void {
    if (!entry.summoned || this.#claims.has(entry.name)) return;
    entry.cancelClose();
    const { clock, get } = this.#options;
    const { closeMs } = entry.limits;
    entry.cancelClose = clock.after(closeMs, () => {
      // Whoever reads by now gives the next sign when it leaves.
      if (this.#claims.has(entry.name) || (get(entry.name)?.readerCount ?? 0) > 0) return;
      this.#dismiss(entry, `Nobody has read "${entry.name}" for ${closeMs / 1000} s.`);
    });
  }

  #dismiss(entry: Entry, reason: string): void {
    entry.cancelClose();
    if (!entry.summoned) return;
    entry.summoned = false;
    entry.summoner.dismiss(reason);
  }
}

function notReady({ name, summoner, limits }: Entry): NamedError {
  const { trouble } = summoner;
  const time = trouble?.final ? '' : ` within ${limits.startMs / 1000} s`;
  return new NamedError(
    'SOURCE_NOT_READY',
    `The source of "${name}" did not bring the stream${time}. ${trouble?.reason ?? 'It is still connecting.'}`,
    503,
  );
}

function gone(name: string): NamedError {
  return new NamedError('SOURCE_NOT_READY', `Whoever wanted "${name}" did not wait for it.`, 503);
}
