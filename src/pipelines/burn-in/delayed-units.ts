import type { AccessUnit } from '#media/access-unit.ts';
import { ArrivalWatch } from '#media/arrival-watch.ts';
import { PacketWindow, type Taken } from '#media/packet-window.ts';
import type { Clock } from '#util/clock.ts';
import type { ResultWait } from './result-wait.ts';

interface Delayed extends AccessUnit {
  readonly arrival: number;
}

/** Encoded pictures of so many bytes wait at most; decoded ones would be a hundred times as large. */
const MAX_BYTES = 64 << 20;
/** Beyond what they wait for results, ms: a machine that is too slow for a while catches up. */
const SLACK_MS = 10_000;
/** While the delay is not known it is looked at again after so long, ms. */
const LOOK_MS = 40;

/**
 * The units of a video track that wait for the results of their pictures, still encoded. They leave in order, each the
 * delay after it came; what the network held back, or what came at once because it was there before, leaves when it would
 * have without that.
 */
export class DelayedUnits {
  readonly #window: PacketWindow<Delayed>;
  readonly #wait: ResultWait;
  readonly #clock: Clock;
  readonly #onDue: () => void;
  /** Capture times, ms, against arrivals. */
  readonly #way = new ArrivalWatch(1000);
  #beganAt: number | undefined;
  #cancel: (() => void) | undefined;

  /** @param onDue something may be taken that could not before */
  constructor(wait: ResultWait, maxDelayMs: number, clock: Clock, onDue: () => void) {
    this.#wait = wait;
    this.#clock = clock;
    this.#onDue = onDue;
    this.#window = new PacketWindow({ maxMs: maxDelayMs + SLACK_MS, maxBytes: MAX_BYTES });
  }

  get dropped(): number {
    return this.#window.dropped;
  }

  /** The latest presentation time of what may leave now; undefined where nothing may. */
  get newestPts(): number | undefined {
    const now = this.#clock.now();
    const delay = this.#wait.delayMs(now);
    return delay === undefined
      ? undefined
      : this.#window.newestPtsOf((unit) => this.#came(unit) + delay <= now);
  }

  push(unit: AccessUnit): void {
    const now = this.#clock.now();
    this.#beganAt ??= now;
    this.#way.observe({ ticks: unit.ntp, now }, this.#beganAt);
    this.#window.push({ ...unit, arrival: now });
  }

  /** The next one, if it may leave; else `onDue` says when it may. */
  take(): Taken<AccessUnit> | undefined {
    const first = this.#window.first;
    if (!first) return undefined;
    const now = this.#clock.now();
    const delay = this.#wait.delayMs(now);
    const left = delay === undefined ? LOOK_MS : this.#came(first) + delay - now;
    if (left > 0) {
      this.#cancel?.();
      this.#cancel = this.#clock.after(left, this.#onDue);
      return undefined;
    }
    return this.#window.take();
  }

  /** When a picture that was captured at `ntp` came, or would have on the shortest way. */
  arrivalOf(ntp: number): number {
    const { earliest } = this.#way;
    return earliest === undefined ? this.#clock.now() : ntp + earliest.now - earliest.ticks;
  }

  close(): void {
    this.#cancel?.();
    this.#window.drop();
  }

  #came({ arrival, ntp }: Delayed): number {
    return Math.min(arrival, this.arrivalOf(ntp));
  }
}
