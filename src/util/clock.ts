/** Where time comes from: the system, or a test that moves it by hand. */
export interface Clock {
  /** Wall clock, milliseconds since 1970, with fractions; never steps back while the process lives. */
  now(): number;
  /** Calls once after `ms`; the returned function cancels. Never keeps the process alive. */
  after(ms: number, callback: () => void): () => void;
}

/** Timers of the system's clock that are waiting; held so that a leak of them can be seen. */
const waiting = new Set<NodeJS.Timeout>();

export const systemClock: Clock & { readonly pending: number } = {
  now: () => performance.timeOrigin + performance.now(),
  after(ms, callback) {
    const timer = setTimeout(() => {
      waiting.delete(timer);
      callback();
    }, ms);
    timer.unref();
    waiting.add(timer);
    return () => {
      waiting.delete(timer);
      clearTimeout(timer);
    };
  },
  get pending() {
    return waiting.size;
  },
};

/** A clock for tests: time passes only in `advance`. */
export class VirtualClock implements Clock {
  #now: number;
  #timers: { at: number; callback: () => void }[] = [];

  constructor(start = 1_700_000_000_000) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  }

  /** Timers that are still waiting. */
  get pending(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((t) => t !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
}
