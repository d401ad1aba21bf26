/** Media that has to be seen before its rate is believed, s. */
const ENOUGH_SECONDS = 0.5;
/** What is looked back at, s. */
const WINDOW_SECONDS = 5;
const DEFAULT_FPS = 25;
/** Bits per pixel of a picture of a stream that has shown nothing yet. */
const BITS_PER_PIXEL = 0.1;
/** The same picture without B-frames and in baseline takes so much more. */
const SURCHARGE = 1.25;
const LEAST_BITS = 200_000;
const MOST_BITS = 20_000_000;

/** How many pictures and bits a source has in a second, by the last five of them. */
export class SourceRate {
  readonly #clockRate: number;
  #units: { readonly dts: number; readonly bytes: number }[] = [];

  constructor(clockRate: number) {
    this.#clockRate = clockRate;
  }

  note(dts: number, bytes: number): void {
    const last = this.#units.at(-1);
    if (last && dts <= last.dts) this.#units = [];
    this.#units.push({ dts, bytes });
    while (dts - this.#units[0]!.dts > WINDOW_SECONDS * this.#clockRate) this.#units.shift();
  }

  /** Pictures per second, 1 to 120. */
  get fps(): number {
    const seconds = this.#seconds;
    if (seconds === undefined) return DEFAULT_FPS;
    return Math.min(120, Math.max(1, (this.#units.length - 1) / seconds));
  }

  /** Bits per second for an encoder that is to be about as good as the source. */
  bitRate(width: number, height: number): number {
    const seconds = this.#seconds;
    // The last unit lasts as well, but begins where the time that is looked at ends.
    const bytes = this.#units.slice(0, -1).reduce((sum, unit) => sum + unit.bytes, 0);
    const bits = seconds ? (bytes * 8) / seconds : width * height * this.fps * BITS_PER_PIXEL;
    return Math.round(Math.min(MOST_BITS, Math.max(LEAST_BITS, bits * SURCHARGE)));
  }

  /** Undefined while too little was seen. */
  get #seconds(): number | undefined {
    const [first] = this.#units;
    const last = this.#units.at(-1);
    if (!first || !last) return undefined;
    const seconds = (last.dts - first.dts) / this.#clockRate;
    return seconds >= ENOUGH_SECONDS ? seconds : undefined;
  }
}
