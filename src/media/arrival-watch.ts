/** Ms of media in which the earliest unit is looked for: long enough to hold one that nothing delayed. */
const WINDOW = 10_000;
/** The same for a clock that runs at quite another speed than it says, which must be noticed at once. */
const SHORT_WINDOW = 1000;
/** A clock that seems faster than this is a buffer that empties. */
const FASTEST = -0.3;
/** A clock may be this much slower: pictures stamped as 25 a second, of which 10 are sent. */
const SLOWEST = 1.5;
/** How much the speeds of two windows may differ: this much in all, or this share. */
const ALIKE = { least: 0.02, share: 0.3 } as const;

/** The unit of a window that took the shortest way. */
export interface EarlyArrival {
  readonly ticks: number;
  readonly now: number;
}

/**
 * Watches when the units of one track arrive. What the network adds is never negative, so the earliest units of each
 * window show how the source's clock runs against ours, whatever delays the others.
 */
export class ArrivalWatch {
  readonly #rate: number;
  #long: Window | undefined;
  /** Shortest delay of the window before. */
  #floor = Number.POSITIVE_INFINITY;
  #short: Window | undefined;
  /** Earliest arrival of the last short windows, as arrival minus media time. */
  #delays: number[] = [];

  /** @param rate ticks per second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /**
   * A unit at `ticks` arrived at `now`. At the end of a window `early` is its earliest unit.
   * `speed` is there when arrivals agree by which share the clock is slower than it says (negative: faster).
   */
  observe(ticks: number, now: number): { early?: EarlyArrival; speed?: number } {
    const media = (ticks * 1000) / this.#rate;
    const delay = now - media;
    if (this.#long && media - this.#long.start >= WINDOW) this.#floor = this.#long.delay;
    const early = this.#long && media - this.#long.start >= WINDOW ? this.#long.earliest : undefined;
    this.#long = next(this.#long, WINDOW, media, { ticks, now }, delay);
    const done = this.#short && media - this.#short.start >= SHORT_WINDOW ? this.#short.delay : undefined;
    this.#short = next(this.#short, SHORT_WINDOW, media, { ticks, now }, delay);
    const speed = done === undefined ? undefined : this.#speed(done);
    return { ...(early && { early }), ...(speed !== undefined && { speed }) };
  }

  /** Whether a unit comes earlier by more than `ms` than any in the last window could. */
  isEarlier(ticks: number, now: number, ms: number): boolean {
    const delay = now - (ticks * 1000) / this.#rate;
    return this.#long !== undefined && delay < Math.min(this.#long.delay, this.#floor) - ms;
  }

  /** Timestamps or arrival have jumped: what came before says nothing any more. */
  restart(): void {
    this.#long = undefined;
    this.#floor = Number.POSITIVE_INFINITY;
    this.#short = undefined;
    this.#delays = [];
  }

  #speed(delay: number): number | undefined {
    this.#delays.push(delay);
    if (this.#delays.length > 3) this.#delays.shift();
    const [a, b, c] = this.#delays;
    if (a === undefined || b === undefined || c === undefined) return undefined;
    const [first, second] = [(b - a) / SHORT_WINDOW, (c - b) / SHORT_WINDOW];
    const speed = (first + second) / 2;
    const alike = Math.max(ALIKE.share * Math.abs(speed), ALIKE.least);
    return speed < FASTEST || speed > SLOWEST || Math.abs(first - second) > alike ? undefined : speed;
  }
}

interface Window {
  readonly start: number;
  readonly earliest: EarlyArrival;
  readonly delay: number;
}

function next(
  window: Window | undefined,
  length: number,
  media: number,
  at: EarlyArrival,
  delay: number,
): Window {
  if (!window || media - window.start >= length || media < window.start - length) {
    return { start: media, earliest: at, delay };
  }
  return delay < window.delay ? { start: window.start, earliest: at, delay } : window;
}
