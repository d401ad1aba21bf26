/** Samples of input on either side of an output sample that take part in it, where the rate is raised. */
const HALF = 16;
/** Positions of output samples between two of input: 44.1 to 48 kHz has 160 of them. */
const MAX_PHASES = 640;

/**
 * Changes the sample rate by a ratio of whole numbers: a windowed-sinc filter in polyphase form (Kaiser window, stop band
 * below -80 dB). Both rates count from the same zero, and the filter is symmetric, so nothing is shifted or rounded:
 * output sample n stands at the time n / `to`, input sample n at n / `from`.
 */
export class Resampler {
  /** Input samples that it looks ahead, by which its output comes late (not shifted). */
  readonly lookahead: number;
  /** Number of the next output sample, counted from time zero. */
  next = 0;
  readonly #up: number;
  readonly #down: number;
  /** For each phase the weights of 2 × `lookahead` input samples. */
  readonly #phases: readonly Float32Array[];
  /** Input that is still needed, and the number of its first sample. */
  #line = new Float32Array(0);
  #start = 0;

  /** True for rates that it can change in good time and little memory. */
  static canDo(from: number, to: number): boolean {
    return from > 0 && to > 0 && to / divisor(from, to) <= MAX_PHASES && from / to <= 8;
  }

  constructor(from: number, to: number) {
    const common = divisor(from, to);
    this.#up = to / common;
    this.#down = from / common;
    const cutoff = Math.min(1, to / from);
    this.lookahead = Math.ceil(HALF / cutoff);
    this.#phases = Array.from({ length: this.#up }, (_, phase) =>
      weights(phase / this.#up, this.lookahead, cutoff),
    );
    this.begin(0);
  }

  /**
   * Forgets everything and begins with input sample number `first`. Output begins `lookahead` input samples before it,
   * silence as far as there was nothing.
   */
  begin(first: number): void {
    this.#line = new Float32Array(2 * this.lookahead);
    this.#start = first - 2 * this.lookahead;
    this.next = Math.ceil(((first - this.lookahead) * this.#up) / this.#down);
  }

  /** The output that can be made with the samples that follow, the first of which has the number {@link next}. */
  process(input: Float32Array): Float32Array {
    const line = new Float32Array(this.#line.length + input.length);
    line.set(this.#line);
    line.set(input, this.#line.length);
    const taps = 2 * this.lookahead;
    // The input sample before the next output sample, and how far behind it that one stands.
    let before = Math.floor((this.next * this.#down) / this.#up);
    let phase = this.next * this.#down - before * this.#up;
    const output: number[] = [];
    for (;;) {
      const at = before - this.lookahead + 1 - this.#start;
      if (at + taps > line.length) break;
      const filter = this.#phases[phase]!;
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) sum += filter[tap]! * line[at + tap]!;
      output.push(sum);
      phase += this.#down;
      before += Math.floor(phase / this.#up);
      phase %= this.#up;
    }
    this.next += output.length;
    const done = Math.min(Math.max(0, before - this.lookahead + 1 - this.#start), line.length);
    this.#line = line.slice(done);
    this.#start += done;
    return Float32Array.from(output);
  }
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** Weights for an output sample that stands `shift` (0..1) of an input sample after the tap number `half` - 1. */
function weights(shift: number, half: number, cutoff: number): Float32Array {
  const taps = Array.from({ length: 2 * half }, (_, tap) => {
    const distance = tap - (half - 1) - shift;
    return sinc(distance * cutoff) * kaiser(distance / half);
  });
  // At zero frequency every phase has to weigh 1, or a hum at the input's rate is heard.
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return Float32Array.from(taps, (tap) => tap / sum);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Kaiser window with beta 8; x in -1..1. */
function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(8 * Math.sqrt(1 - x * x)) / bessel(8);
}

/** Modified Bessel function of the first kind, order 0. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
