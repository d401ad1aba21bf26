import { type Clock, systemClock } from '#util/clock.ts';
import type { Logger } from './logger.ts';

/** How often a trouble that goes on is written again. */
const REMINDER_MS = 10 * 60_000;

/** Readers choose the names of pattern streams, so there is no end of names. */
const MOST = 4096;

const PARTS = { fill: 'second source', standby: 'stand-by' } as const;

/** How a source, a forward or a job stands. */
type LoggedStatus = LoggedState & ({ readonly stream: string } | { readonly job: string });

interface LoggedState {
  /** Where a forward goes; a stream may have several. */
  readonly url?: string;
  /** What goes with a source. */
  readonly part?: keyof typeof PARTS;
  readonly state: 'idle' | 'starting' | 'running' | 'waiting' | 'failed' | 'done' | 'stopped';
  readonly reason?: string;
  /** The reason without what differs from attempt to attempt. */
  readonly trouble?: string;
}

/** What keeps one from working. */
interface Trouble {
  readonly what: string;
  /** When it was last written, and how often it was met since. */
  written: number;
  count: number;
}

/**
 * Writes the states of sources, of forwards, or of jobs to the log. A camera that is off is tried again every few seconds, for
 * days: its trouble is written once, and then every ten minutes with a count. Another trouble, or the end of it, is
 * written at once.
 */
export class TroubleLog {
  readonly #log: Logger;
  readonly #what: 'source' | 'forward' | 'job';
  readonly #clock: Clock;
  readonly #troubles = new Map<string, Trouble>();

  constructor(log: Logger, what: 'source' | 'forward' | 'job', clock: Clock = systemClock) {
    this.#log = log;
    this.#what = what;
    this.#clock = clock;
  }

  /** One of them has another state. */
  state({ url, part, state, reason, trouble = '', ...named }: LoggedStatus): void {
    const name = 'job' in named ? { job: named.job } : { stream: named.stream };
    const who = url === undefined ? name : { ...name, url };
    const what = part ? PARTS[part] : this.#what;
    const key = `${Object.values(name).join()} ${url ?? part ?? ''}`;
    if (state === 'failed' || state === 'waiting') {
      const count = this.#met(key, trouble);
      if (count === undefined) return;
      const often = count > 1 ? ` This is failure ${count} since the line before.` : '';
      if (state === 'failed') this.#log.error(who, `${what} failed: ${reason}${often}`);
      else this.#log.warn(who, `${what} waits: ${reason}${often}`);
      return;
    }
    // It is tried again, or nobody wants it for now: neither says that the trouble is over.
    if (this.#troubles.has(key) && (state === 'starting' || state === 'idle')) return;
    this.#troubles.delete(key);
    this.#log.info({ ...who, reason }, `${what} ${state}`);
  }

  /** The configuration is another one: whatever happens now is news. */
  forget(): void {
    this.#troubles.clear();
  }

  /** How often the trouble was met since it was last written; undefined while that need not be said. */
  #met(key: string, trouble: string): number | undefined {
    const now = this.#clock.now();
    const known = this.#troubles.get(key);
    if (known?.what !== trouble) {
      this.#troubles.delete(key);
      this.#troubles.set(key, { what: trouble, written: now, count: 0 });
      const [oldest] = this.#troubles.keys();
      if (this.#troubles.size > MOST && oldest !== undefined) this.#troubles.delete(oldest);
      return 1;
    }
    known.count++;
    if (now - known.written < REMINDER_MS) return undefined;
    const { count } = known;
    known.written = now;
    known.count = 0;
    return count;
  }
}
