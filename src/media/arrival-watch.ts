/** Ms in which the earliest unit is looked for: long enough to hold one that nothing delayed. */
const WINDOW = 10_000;

/** A unit as it came: its timestamp, and our clock in ms. */
export interface Arrival {
  readonly ticks: number;
  readonly now: number;
}

/**
 * Watches when the units of one track arrive. What the network adds is never negative, so the earliest units of each
 * window show how the source's clock runs against ours, whatever delays the others.
 *
 * The windows of all tracks of a stream are the same ones of our clock: what makes the way longer for some time then
 * makes it longer for all of them, and parts no tracks.
 */
export class ArrivalWatch {
  readonly #rate: number;
  #window: Window | undefined;
  #before: Window | undefined;

  /** @param rate ticks per second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** The unit that took the shortest way lately. */
  get earliest(): Arrival | undefined {
    const [window, before] = [this.#window, this.#before];
    return before && window && before.delay < window.delay ? before.earliest : window?.earliest;
  }

  /**
   * A unit arrived; gives the earliest of a window when it is over.
   * @param began when the stream's first unit came: windows are counted from there
   */
  observe(unit: Arrival, began: number): Arrival | undefined {
    const index = Math.floor((unit.now - began) / WINDOW);
    const delay = this.#delay(unit);
    const window = this.#window;
    if (window?.index === index) {
      if (delay < window.delay) Object.assign(window, { earliest: unit, delay });
      return undefined;
    }
    this.#before = window;
    this.#window = { index, earliest: unit, delay };
    return window?.earliest;
  }

  /** Whether a unit comes earlier by more than `ms` than any lately. */
  isEarlier(unit: Arrival, ms: number): boolean {
    const { earliest } = this;
    return earliest !== undefined && this.#delay(unit) < this.#delay(earliest) - ms;
  }

  /** Timestamps or arrival have jumped: what came before says nothing any more. */
  restart(): void {
    this.#window = undefined;
    this.#before = undefined;
  }

  #delay({ ticks, now }: Arrival): number {
    return now - (ticks * 1000) / this.#rate;
  }
}

interface Window {
  readonly index: number;
  earliest: Arrival;
  /** Of the earliest: arrival minus media time, ms. */
  delay: number;
}
