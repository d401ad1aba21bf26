import { isDeepStrictEqual } from 'node:util';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { BurnIn, DefaultWish, RunInfo } from './contract.ts';
import { type RunManager, runId } from './runs.ts';

/** The stream of a run's results drawn into the pictures. */
export interface BurnedInView {
  /** `<stream>/<algorithm>` */
  readonly name: string;
  readonly stream: string;
  readonly run: string;
  readonly burnIn: BurnIn;
}

/** What brings a stream when somebody wants to read it, as `hub/on-demand.ts` has it. */
export interface ViewSummoner {
  summon(): void;
  dismiss(reason: string): void;
  readonly trouble: { readonly reason: string; readonly final: boolean } | undefined;
}

/** A view at work. */
export interface ViewMaker {
  /** Why there is nothing to see, in a sentence. */
  readonly trouble: { readonly reason: string; readonly final: boolean } | undefined;
  close(reason: string): void;
}

export interface BurnedInViewsOptions {
  readonly runs: Pick<RunManager, 'shareDefault' | 'release' | 'get' | 'events'>;
  /** Offers a stream that comes when it is wanted; returns what takes the offer back, and ends it with the reason. */
  readonly offer: (name: string, summoner: ViewSummoner) => (reason: string) => void;
  /** Begins to make a view. */
  readonly make: (view: BurnedInView) => ViewMaker;
}

interface Asked extends BurnedInView {
  readonly wish: DefaultWish;
}

/** A view that somebody wants to read, or read until lately. */
interface Entry {
  readonly asked: Asked;
  readonly work: ViewWork;
  readonly withdraw: (reason: string) => void;
}

/**
 * Streams with the results of a run drawn into their pictures. There may be one where the configuration or the API says so of
 * an algorithm on a stream; there is one from its first reader to a while after its last, and as long as its run is at work.
 */
export class BurnedInViews {
  readonly #options: BurnedInViewsOptions;
  readonly #ignore: () => void;
  /** What runs on a stream by the configuration. */
  #defaultsOf: (stream: string) => readonly DefaultWish[] = () => [];
  /** Asked for over the API, by name. */
  readonly #asked = new Map<string, Asked>();
  readonly #entries = new Map<string, Entry>();

  constructor(options: BurnedInViewsOptions) {
    this.#options = options;
    this.#ignore = options.runs.events.on('leaseEnded', ({ id, run, holder }, reason) => {
      // Its run was stopped: pictures would wait for results that do not come, and nobody would hold the next run.
      if (holder.kind === 'view') {
        for (const { work } of this.#entries.values()) if (work.lease === id) this.#forget(work, reason);
      }
      // Whoever asked for it over the API asked for it with the lease.
      if (holder.kind !== 'api') return;
      for (const [name, asked] of this.#asked) if (asked.run === run) this.#asked.delete(name);
      this.#review(reason);
    });
  }

  /** The view of a run, where there may be one. */
  nameOf({ stream, algorithm }: Pick<RunInfo, 'stream' | 'algorithm'>): string | undefined {
    return this.#find(viewName(stream, algorithm))?.name;
  }

  /** Only of a run that the API holds: there may be a view of it as long as that is so. */
  ask({ id: run, stream, algorithm }: Pick<RunInfo, 'id' | 'stream' | 'algorithm'>, burnIn: BurnIn): void {
    const name = viewName(stream, algorithm);
    this.#asked.set(name, { name, stream, run, burnIn, wish: { algorithm } });
    this.#review('It was asked for otherwise.');
  }

  /** Goes on with what the configuration says; views that are not wanted any more, or otherwise, end. */
  configure(defaultsOf: (stream: string) => readonly DefaultWish[]): void {
    this.#defaultsOf = defaultsOf;
    this.#review('The configuration does not want it so any more.');
  }

  has(name: string): boolean {
    return !this.#entries.has(name) && this.#find(name) !== undefined;
  }

  /** Somebody wants the stream of that name: offers it, if it is a view. */
  offer(name: string): undefined {
    const asked = this.#entries.has(name) ? undefined : this.#find(name);
    if (!asked) return;
    const work: ViewWork = new ViewWork(asked, this.#options, (reason) => this.#forget(work, reason));
    // It is known before it is offered: who waits for it summons it at once.
    const entry = { asked, work, withdraw: (reason: string) => withdraw(reason) };
    this.#entries.set(name, entry);
    const withdraw = this.#options.offer(name, work);
  }

  /** Ends all views. Idempotent. */
  close(): void {
    this.#ignore();
    this.#asked.clear();
    this.configure(() => []);
  }

  #find(name: string): Asked | undefined {
    const asked = this.#asked.get(name);
    if (asked) return asked;
    const at = name.lastIndexOf('/');
    if (at < 1) return undefined;
    const [stream, algorithm] = [name.slice(0, at), name.slice(at + 1)];
    const wish = this.#defaultsOf(stream).find((one) => one.algorithm === algorithm);
    if (!wish?.burnIn) return undefined;
    return { name, stream, run: runId(stream, algorithm), burnIn: wish.burnIn, wish };
  }

  #review(reason: string): void {
    for (const { asked, work } of this.#entries.values()) {
      const found = this.#find(asked.name);
      if (!found || !isDeepStrictEqual(found.burnIn, asked.burnIn)) this.#forget(work, reason);
    }
  }

  /** Of a view nothing stays behind: the next who wants it begins anew. */
  #forget(work: ViewWork, reason: string): void {
    const { name } = work.asked;
    const entry = this.#entries.get(name);
    // While the former one ended, whoever still wants it may have begun the next.
    if (entry?.work !== work) return;
    this.#entries.delete(name);
    entry.withdraw(reason);
  }
}

/** The name of the stream with an algorithm's results drawn into it. */
export function viewName(stream: string, algorithm: string): string {
  return `${stream}/${algorithm}`;
}

let summoned = 0;

/** Makes one view while it is wanted, and holds its run. */
class ViewWork implements ViewSummoner {
  readonly asked: Asked;
  readonly #options: BurnedInViewsOptions;
  readonly #onDismissed: (reason: string) => void;
  /** Its claim on the run. */
  lease: string | undefined;
  #maker: ViewMaker | undefined;
  #refusal: string | undefined;

  constructor(asked: Asked, options: BurnedInViewsOptions, onDismissed: (reason: string) => void) {
    this.asked = asked;
    this.#options = options;
    this.#onDismissed = onDismissed;
  }

  get trouble(): ViewSummoner['trouble'] {
    if (this.#refusal !== undefined) return { reason: this.#refusal, final: true };
    return this.#maker?.trouble;
  }

  summon(): void {
    const { name, stream, wish } = this.asked;
    // Not that of the former view of this name, which may still be on its way out and gives its own lease back.
    const holder = { kind: 'view', id: `view:${name}#${++summoned}`, reason: `"${name}" is read` } as const;
    this.#refusal = undefined;
    try {
      this.lease = this.#options.runs.shareDefault(stream, wish, holder);
      this.#maker = this.#options.make(this.asked);
    } catch (error) {
      // Such as an algorithm that is not there any more.
      if (!(error instanceof NamedError)) throw error;
      this.#refusal = messageOf(error);
    }
  }

  dismiss(reason: string): void {
    this.#maker?.close(reason);
    this.#maker = undefined;
    const { lease } = this;
    this.lease = undefined;
    if (lease !== undefined) this.#options.runs.release(lease);
    this.#onDismissed(reason);
  }
}
