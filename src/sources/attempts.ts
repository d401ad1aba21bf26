import type { Publishing } from '#hub/publication.ts';
import { Backoff } from '#util/backoff.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import type { SourceTask } from './contract.ts';

/** After so many milliseconds of media an attempt counts as a success. */
const HEALTHY_MS = 30_000;

/** One connection to a server, from its beginning to its end. */
export interface Attempt {
  /** Resolves when nothing of it is left. Idempotent. */
  close(reason: string): Promise<void>;
}

/** What an attempt tells; of no effect once it is over. Never called before `open` has returned. */
export interface AttemptEvents {
  /** The stream is there. */
  published(): void;
  /** It is over. `atOnce`: the next one, which goes another way, need not wait. */
  failed(error: NamedError, atOnce?: boolean): void;
}

export interface AttemptsOptions {
  /** Begins the attempt of this number. @throws NamedError when none can ever succeed, as for an address that is none */
  readonly open: (attempt: number, events: AttemptEvents) => Attempt;
  readonly onState: (status: SourceTask['status']) => void;
  readonly clock?: Clock | undefined;
  /** Random numbers in [0, 1) of the back-off; a test gives its own. */
  readonly random?: (() => number) | undefined;
}

/** What every source that pulls from a server is told. */
export interface PullOptions {
  /** Where it is published. */
  readonly hub: Publishing;
  /** Name of the stream that is published. */
  readonly stream: string;
  /** With credentials where they are needed. */
  readonly url: string;
  /** How the certificate of a server behind TLS is judged. */
  readonly trust?: ServerTrust | undefined;
  /** It may not lead to this machine, its cable or its cloud. */
  readonly restricted?: boolean | undefined;
  readonly onState: (status: SourceTask['status']) => void;
  readonly clock?: Clock;
  /** Random numbers in [0, 1) of the back-off; a test gives its own. */
  readonly random?: () => number;
}

/**
 * Connects to a server for as long as it lives: begins anew when an attempt fails, after waits that grow from 0.5 s to
 * 30 s, also when the server never was there.
 */
export class Attempts implements SourceTask {
  readonly #options: AttemptsOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #status: SourceTask['status'];
  #current: Attempt | undefined;
  #number = 0;
  #stopped = false;
  #cancel = () => {};

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff({ ...(options.random && { random: options.random }) });
    this.#status = { state: 'starting', since: this.#clock.now() };
    try {
      this.#begin();
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      const { message: reason, code } = error;
      this.#status = { state: 'failed', reason, code, final: true, since: this.#clock.now() };
    }
  }

  get status(): SourceTask['status'] {
    return this.#status;
  }

  /** Ends it: readers of the stream are held by the hub. Resolves when the connection is gone. Idempotent. */
  async stop(reason = 'The source was stopped.'): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#release(reason);
  }

  #begin(): void {
    const attempt = ++this.#number;
    const current = () => attempt === this.#number && !this.#stopped;
    this.#current = this.#options.open(attempt, {
      published: () => {
        // A publisher that changes its tracks publishes more than once.
        if (!current() || this.#status.state === 'running') return;
        this.#change({ state: 'running' });
        this.#cancel = this.#clock.after(HEALTHY_MS, () => this.#backoff.reset());
      },
      failed: (error, atOnce) => {
        if (current()) this.#failed(error, atOnce);
      },
    });
  }

  #failed(error: NamedError, atOnce = false): void {
    void this.#release(error.message);
    if (atOnce) return this.#begin();
    const ms = this.#backoff.next();
    const reason = `${error.message} The next attempt is in ${(ms / 1000).toFixed(1)} s.`;
    this.#cancel = this.#clock.after(ms, () => {
      // What was wrong stays to be seen until it is right.
      this.#change({ state: 'starting', reason: error.message, code: error.code });
      this.#begin();
    });
    this.#change({ state: 'waiting', reason, trouble: error.message, code: error.code });
  }

  async #release(reason: string): Promise<void> {
    this.#number++;
    this.#cancel();
    const attempt = this.#current;
    this.#current = undefined;
    await attempt?.close(reason);
  }

  #change(status: Omit<SourceTask['status'], 'since'>): void {
    this.#status = { ...status, since: this.#clock.now() };
    this.#options.onState(this.#status);
  }
}
