import { ArrivalWatch } from './arrival-watch.ts';
import type { KnownClock } from './track-clock.ts';

/** On our own clock nothing comes before it was captured; so many ms are what clocks and filters are wrong by. */
const IMPOSSIBLE = 10;
/** How its clock is known is asked once in so many ms. */
const LOOK = 200;

/** One unit of a source: its capture time by the source's own clock, and when it came; both in ms since 1970. */
export interface TimedUnit {
  readonly ntp: number;
  readonly now: number;
}

/** How far one source's clock is ahead of ours, by what took the shortest way lately. */
export class SourceWatch {
  /** Capture times are counted in ms, and a window of them as the units of one track. */
  readonly #watch = new ArrivalWatch(1000);
  readonly #isOurs: boolean;
  #began: number | undefined;
  #asked = Number.NEGATIVE_INFINITY;
  #known: KnownClock = { source: 'arrival' };
  #isImpossible = false;

  /** @param isOurs it has our own clock */
  constructor(isOurs: boolean) {
    this.#isOurs = isOurs;
  }

  get lead(): number | undefined {
    const earliest = this.#watch.earliest;
    return earliest && earliest.ticks - earliest.now;
  }

  /** It says in reports when it captured, and they may be true. */
  get isReported(): boolean {
    return this.#known.source === 'sender-report' && !this.#isImpossible;
  }

  get isArrival(): boolean {
    return this.#known.source === 'arrival';
  }

  /** Of its clock, where its reports say that. */
  get name(): string | undefined {
    return this.#known.name;
  }

  observe({ ntp, now }: TimedUnit, known: () => KnownClock): void {
    this.#began ??= now;
    if (now - this.#asked >= LOOK) {
      this.#asked = now;
      this.#known = known();
    }
    this.#watch.observe({ ticks: ntp, now }, this.#began);
    if (this.#isOurs && ntp - now > IMPOSSIBLE) this.#isImpossible = true;
  }
}
