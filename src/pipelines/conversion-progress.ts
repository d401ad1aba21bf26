import type { ConversionStatistics } from '#link/client.ts';

/** From one report to the next, ms. */
const REPORT_MS = 500;

/** How far a conversion is, and how fast. */
export class ConversionProgress {
  readonly #durationMs: number | undefined;
  #timeMs = 0;
  #units = 0;
  #pictures = 0;
  #began: number | undefined;
  #last: { readonly at: number; readonly pictures: number } | undefined;

  /** @param durationMs of the whole input, where it is known */
  constructor(durationMs: number | undefined) {
    this.#durationMs = durationMs;
  }

  /** Nothing was written. */
  get isEmpty(): boolean {
    return this.#units === 0;
  }

  /** A unit of this media time was written. */
  note(timeMs: number, isPicture: boolean): void {
    this.#units++;
    if (isPicture) this.#pictures++;
    this.#timeMs = Math.max(this.#timeMs, timeMs);
  }

  /**
   * What is to be reported now; undefined where that is too early.
   * @param now ms of a clock that only goes forward
   */
  statistics(now: number, bytes: () => number, isLast: boolean): ConversionStatistics | undefined {
    this.#began ??= now;
    const last = (this.#last ??= { at: now, pictures: this.#pictures });
    if (!isLast && now - last.at < REPORT_MS) return undefined;
    this.#last = { at: now, pictures: this.#pictures };
    const bytesSent = bytes();
    const passed = now - this.#began;
    const since = now - last.at;
    return {
      timeMs: Math.round(this.#timeMs),
      ...(this.#durationMs === undefined ? {} : { durationMs: Math.round(this.#durationMs) }),
      speed: passed > 0 ? this.#timeMs / passed : 0,
      fps: since > 0 ? ((this.#pictures - last.pictures) * 1000) / since : 0,
      bitRate: this.#timeMs > 0 ? Math.round((bytesSent * 8000) / this.#timeMs) : 0,
      bytesSent,
    };
  }
}
