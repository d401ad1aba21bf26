import type { Clock } from '#util/clock.ts';

/** A client has so long, in ms, for its first request, and for each one that it began. */
export const REQUEST_MS = 10_000;

/**
 * The time by which a request has to be complete: clients that connect and say nothing, or say it byte by byte, hold
 * what others could use.
 */
export class RequestDeadline {
  readonly #clock: Clock;
  readonly #onLate: () => void;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, onLate: () => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** A request is awaited, or begun; one that is already is not given more time. */
  begin(): void {
    this.#cancel ??= this.#clock.after(REQUEST_MS, () => {
      this.#cancel = undefined;
      this.#onLate();
    });
  }

  /** It came, or is no longer awaited. Idempotent. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
