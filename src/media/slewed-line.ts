/** Lag consumed, in ms per ms of media; with the skew of a crystal together 10 ms per second. */
const SLEW = 0.0095;
/** An error of this many ms is a step: the source has set its clock, and slewing would take minutes. */
export const STEP = 2000;

/**
 * The line that maps one track's ticks to the wall clock of the capture. Two things are kept apart: the *estimate*, the
 * line as it is known, and the *lag*, by which what is handed out still differs from it. Moving the estimate sets the
 * lag so that the outcome is continuous; the lag then shrinks by at most 10 ms for each second of media.
 */
export class SlewedLine {
  readonly #rate: number;
  /** Wall clock `#ntp` at `#ticks`, running `1 + #skew` times as fast as the rate says. */
  #ticks = 0;
  #ntp: number | undefined;
  #skew = 0;
  /** What is handed out is the estimate plus the lag; it was `#lag` at `#lagTicks`. */
  #lag = 0;
  #lagTicks = 0;
  #steps = 0;
  /** The part of the skew that is no crystal's: pictures that are not as many as their timestamps say. */
  gross = 0;
  /** Position up to which it was handed out; undefined while nobody has seen it, and any error may go at once. */
  latest: number | undefined;

  /** @param rate ticks per second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  get isKnown(): boolean {
    return this.#ntp !== undefined;
  }

  get skew(): number {
    return this.#skew;
  }

  /** Errors so far that were too large to be slewed. */
  get steps(): number {
    return this.#steps;
  }

  /** Ms that so many ticks are by the track's own rate. */
  ms(ticks: number): number {
    return (ticks * 1000) / this.#rate;
  }

  /** What is known of the capture at `ticks`. */
  estimate(ticks: number): number {
    return (this.#ntp ?? 0) + this.ms(ticks - this.#ticks) * (1 + this.#skew);
  }

  /** What is handed out for it. */
  at(ticks: number): number {
    return this.estimate(ticks) + this.lagAt(ticks);
  }

  lagAt(ticks: number): number {
    if (this.#lag === 0) return 0;
    const media = Math.max(this.ms(ticks - this.#lagTicks), 0);
    // Where the speed itself is so wrong, sound is cut or stretched by that anyhow.
    const left = Math.max(Math.abs(this.#lag) - media * (SLEW + Math.abs(this.gross) / 2), 0);
    return this.#lag < 0 ? -left : left;
  }

  /** A track that begins beside one that still lags takes over its lag, and both lose it together. */
  begin(ticks: number, lag: number): void {
    this.#lag = lag;
    this.#lagTicks = ticks;
  }

  /** Sets the estimate; what is handed out stays continuous, unless the error is a step or `atOnce`. */
  move(ticks: number, ntp: number, skew: number, atOnce = false): void {
    const at = this.latest;
    const before = at === undefined || this.#ntp === undefined ? undefined : this.at(at);
    this.#ticks = ticks;
    this.#ntp = ntp;
    this.#skew = skew;
    this.#lag = 0;
    if (at === undefined || before === undefined || atOnce) return;
    const lag = before - this.estimate(at);
    if (Math.abs(lag) >= STEP) {
      this.#steps++;
      return;
    }
    this.#lag = lag;
    this.#lagTicks = at;
  }

  /** Adds `ms` to the estimate. */
  shift(ms: number, atOnce = false): void {
    if (this.#ntp !== undefined) this.move(this.#ticks, this.#ntp + ms, this.#skew, atOnce);
  }

  /** The timestamps have leapt by `ticks`, and nothing else has. */
  leap(ticks: number): void {
    this.#ticks += ticks;
    this.#lagTicks += ticks;
  }
}
