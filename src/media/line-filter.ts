import { type SlewedLine, STEP } from './slewed-line.ts';

/** Largest skew believed without further ado: ten times what a bad crystal has. */
const MAX_SKEW = 0.0005;
/** The same share of a speed that is no crystal's. */
const MAX_SHARE = 0.2;
/** Observations before the skew is believed: from fewer, jitter of 1 ms looks like hundreds of ppm. */
const SKEW_FROM = 4;
/** Ms of media between two observations from which they say something about the skew. */
const SKEW_INTERVAL = 1000;

export interface FilterOptions {
  /** Memory in observations: what is older fades. */
  readonly memory: number;
  /** Errors below this many ms are what exact observations differ by; following them would only move the line. */
  readonly hold: number;
}

/**
 * A least-squares line over observations (alpha-beta filter with growing, then fading memory): jitter of single ones is
 * averaged, and a constant skew of the clock, which no source is free of, leaves no error behind.
 */
export class LineFilter {
  readonly #line: SlewedLine;
  #observations = 0;
  #lastTicks = 0;

  constructor(line: SlewedLine) {
    this.#line = line;
  }

  /** Position of the last observation. */
  get lastTicks(): number {
    return this.#lastTicks;
  }

  /** The line was set by other means, at `ticks`, and is worth so many observations. */
  restart(ticks: number, observations: number): void {
    this.#observations = observations;
    this.#lastTicks = ticks;
  }

  /** Nothing is observed, but time goes on. */
  skip(ticks: number): void {
    this.#lastTicks = ticks;
  }

  /** The capture clock showed `ntp` at `ticks`: the line follows. */
  take(ticks: number, ntp: number, { memory, hold }: FilterOptions): void {
    const line = this.#line;
    const predicted = line.estimate(ticks);
    const error = ntp - predicted;
    const elapsed = line.ms(ticks - this.#lastTicks);
    this.#lastTicks = ticks;
    if (Math.abs(error) >= STEP) {
      line.move(ticks, ntp, line.skew);
      this.#observations = 1;
      return;
    }
    const k = Math.min(++this.#observations, memory);
    if (Math.abs(error) < hold) return;
    const alpha = (2 * (2 * k - 1)) / (k * (k + 1));
    const isSkew = k >= SKEW_FROM && (elapsed >= SKEW_INTERVAL || line.gross !== 0);
    const skew = line.skew + (isSkew && elapsed > 0 ? ((6 / (k * (k + 1))) * error) / elapsed : 0);
    const limit = MAX_SKEW + Math.abs(line.gross) * MAX_SHARE;
    line.move(
      ticks,
      predicted + alpha * error,
      Math.max(line.gross - limit, Math.min(skew, line.gross + limit)),
    );
  }
}
