import type { SourceStatus } from '#sources/configured.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import type { Logger } from './logger.ts';

/** How often a trouble that goes on is written again. */
const REMINDER_MS = 10 * 60_000;

/** Readers choose the names of pattern streams, so there is no end of names. */
const MOST = 4096;

/** What keeps a source from working. */
interface Trouble {
  readonly what: string;
  /** When it was last written, and how often it was met since. */
  written: number;
  count: number;
}

/**
 * Writes the states of sources to the log. A camera that is off is tried again every few seconds, for days: its trouble
 * is written once, and then every ten minutes with a count. Another trouble, or the end of it, is written at once.
 */
export class SourceLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #troubles = new Map<string, Trouble>();

  constructor(log: Logger, clock: Clock = systemClock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** A source has another state. */
  state({ stream, state, reason, trouble = '' }: SourceStatus): void {
    if (state === 'failed' || state === 'waiting') {
      const count = this.#met(stream, trouble);
      if (count === undefined) return;
      const often = count > 1 ? ` This is failure ${count} since the line before.` : '';
      if (state === 'failed') this.#log.error({ stream }, `source failed: ${reason}${often}`);
      else this.#log.warn({ stream }, `source waits: ${reason}${often}`);
      return;
    }
    // It is tried again, or nobody wants it for now: neither says that the trouble is over.
    if (this.#troubles.has(stream) && (state === 'starting' || state === 'idle')) return;
    this.#troubles.delete(stream);
    this.#log.info({ stream, reason }, `source ${state}`);
  }

  /** The configuration is another one: whatever happens now is news. */
  forget(): void {
    this.#troubles.clear();
  }

  /** How often the trouble was met since it was last written; undefined while that need not be said. */
  #met(stream: string, trouble: string): number | undefined {
    const now = this.#clock.now();
    const known = this.#troubles.get(stream);
    if (known?.what !== trouble) {
      this.#troubles.delete(stream);
      this.#troubles.set(stream, { what: trouble, written: now, count: 0 });
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
