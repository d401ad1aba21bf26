import type { Clock } from '#util/clock.ts';

export interface SilenceWatchOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Bytes that the client's system has taken so far; while they grow, it is alive. */
  readonly progress: () => number;
  readonly onSilent: (reason: string) => void;
}

/** Notices that a client showed no sign of life for too long: neither said anything nor took anything. */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #lastSign: number;
  #lastProgress = 0;
  #cancel: () => void;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
    this.#lastSign = options.clock.now();
    this.#cancel = options.clock.after(options.timeoutMs, () => this.#check());
  }

  /** The client gave a sign of life. */
  touch(): void {
    this.#lastSign = this.#options.clock.now();
  }

  /** Idempotent. */
  close(): void {
    this.#cancel();
  }

  #check(): void {
    const { clock, timeoutMs, onSilent } = this.#options;
    const progress = this.#options.progress();
    if (progress !== this.#lastProgress) this.touch();
    this.#lastProgress = progress;
    const left = this.#lastSign + timeoutMs - clock.now();
    if (left > 0) this.#cancel = clock.after(left, () => this.#check());
    else onSilent(`The client gave no sign of life for ${Math.round(timeoutMs / 1000)} s.`);
  }
}
