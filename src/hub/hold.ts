import type { Clock } from '#util/clock.ts';

/** How readers are kept while nobody brings their stream: since when, why, and for how long. */
export class Hold {
  readonly #clock: Clock;
  readonly #onOver: (reason: string) => void;
  #ms: number;
  #held: { readonly since: number; readonly reason: string } | undefined;
  #cancel = () => {};

  /** @param onOver nobody came back in time, and why that matters, in sentences */
  constructor(clock: Clock, ms: number, onOver: (reason: string) => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#onOver = onOver;
  }

  /** How long readers are held, ms. */
  get ms(): number {
    return this.#ms;
  }

  /** Undefined while somebody brings the stream. */
  get state(): { readonly since: number; readonly ms: number } | undefined {
    return this.#held && { since: this.#held.since, ms: this.#ms };
  }

  begin(reason: string): void {
    this.#held = { since: this.#clock.now(), reason };
    this.set(this.#ms);
  }

  /** Another time, also for those who are held now. */
  set(ms: number): void {
    this.#ms = ms;
    if (!this.#held) return;
    const { since, reason } = this.#held;
    this.#cancel();
    this.#cancel = this.#clock.after(Math.max(0, since + ms - this.#clock.now()), () =>
      this.#onOver(`${reason} No publisher came back within ${ms / 1000} s.`),
    );
  }

  /** Somebody brings the stream, or it has ended. */
  end(): void {
    this.#cancel();
    this.#held = undefined;
  }
}
