import { Backoff } from '#util/backoff.ts';
import type { Clock } from '#util/clock.ts';
import type { HookEvent, Outcome } from './event.ts';

/** Events that wait for one hook, those that are being delivered included. */
const MAX_WAITING = 1000;
/** Streams whose events are delivered at the same time: one receiver gets no more connections than this. */
const MAX_LANES = 4;
const MAX_ATTEMPTS = 10;
const GIVE_UP_MS = 300_000;

export interface QueueCounters {
  delivered: number;
  failed: number;
  /** Attempts that failed and were made again. */
  retried: number;
  /** Events that were given up because too many waited. */
  dropped: number;
}

export interface LastOutcome {
  readonly event: HookEvent;
  readonly outcome: Outcome;
  readonly attempts: number;
  /** ms since 1970. */
  readonly at: number;
}

/**
 * The events that one hook is to be told of: in order within a stream, several streams side by side, each event again
 * until it is taken or given up. A queue that is full loses its oldest event that is not under way.
 */
export class DeliveryQueue {
  readonly counters: QueueCounters = { delivered: 0, failed: 0, retried: 0, dropped: 0 };
  readonly #deliver: (event: HookEvent, signal: AbortSignal) => Promise<Outcome>;
  readonly #clock: Clock;
  readonly #onOutcome: (last: LastOutcome) => void;
  readonly #random: (() => number) | undefined;
  #waiting: HookEvent[] = [];
  /** Streams that have an event under way. */
  readonly #busy = new Set<string>();
  readonly #abort = new AbortController();
  readonly #cancels = new Set<() => void>();
  readonly #idle = new Set<() => void>();
  #closing = false;
  last: LastOutcome | undefined;

  constructor(options: {
    /** One attempt; never rejects. */
    deliver: (event: HookEvent, signal: AbortSignal) => Promise<Outcome>;
    clock: Clock;
    /** An event is delivered or given up. */
    onOutcome?: (last: LastOutcome) => void;
    random?: () => number;
  }) {
    this.#deliver = options.deliver;
    this.#clock = options.clock;
    this.#onOutcome = options.onOutcome ?? (() => {});
    this.#random = options.random;
  }

  /** Events that wait or are under way. */
  get length(): number {
    return this.#waiting.length + this.#busy.size;
  }

  push(event: HookEvent): void {
    if (this.#closing) return;
    this.#waiting.push(event);
    if (this.length > MAX_WAITING) {
      this.#waiting.shift();
      this.counters.dropped++;
    }
    this.#pump();
  }

  /** Delivers what waits, each event once more at most, for so long; then nothing any more. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    for (const cancel of [...this.#cancels]) cancel();
    if (this.length > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(graceMs, resolve);
        this.#idle.add(() => {
          cancel();
          resolve();
        });
      });
    }
    this.#waiting = [];
    this.#abort.abort();
  }

  #pump(): void {
    while (this.#busy.size < MAX_LANES) {
      const next = this.#waiting.findIndex(({ stream }) => !this.#busy.has(stream));
      if (next < 0) break;
      const [event] = this.#waiting.splice(next, 1);
      this.#busy.add(event!.stream);
      void this.#lead(event!);
    }
    if (this.length === 0) for (const tell of this.#idle) tell();
  }

  /** One event, from its first attempt to its end. */
  async #lead(event: HookEvent): Promise<void> {
    const began = this.#clock.now();
    const backoff = new Backoff({
      minimum: 1000,
      maximum: 60_000,
      ...(this.#random ? { random: this.#random } : {}),
    });
    for (;;) {
      const outcome = await this.#deliver(event, this.#abort.signal);
      const attempts = backoff.attempts + 1;
      const wait = backoff.next();
      const late = this.#clock.now() + wait - began > GIVE_UP_MS;
      if (outcome.ok || !outcome.retry || attempts >= MAX_ATTEMPTS || late || this.#closing) {
        this.counters[outcome.ok ? 'delivered' : 'failed']++;
        this.last = { event, outcome, attempts, at: this.#clock.now() };
        this.#onOutcome(this.last);
        break;
      }
      this.counters.retried++;
      await this.#pause(wait);
    }
    this.#busy.delete(event.stream);
    this.#pump();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#cancels.delete(end);
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      this.#cancels.add(end);
    });
  }
}
