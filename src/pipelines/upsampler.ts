/** Samples of input on either side of an output sample that take part in it. */
const HALF = 16;

/**
 * Raises the sample rate by a whole factor: a windowed-sinc filter in polyphase form (Kaiser window, stop band below
 * -80 dB). It is symmetric, so nothing is shifted: output sample `factor × n` stands at the time of input sample n.
 * It looks {@link Upsampler.lookahead} input samples ahead, by which its output comes late (not shifted).
 */
export class Upsampler {
  static readonly lookahead = HALF;
  readonly #factor: number;
  /** For each phase the weights of 2 × HALF input samples. */
  readonly #phases: readonly Float32Array[];
  /** The last 2 × HALF - 1 input samples. */
  #history = new Float32Array(2 * HALF - 1);

  constructor(factor: number) {
    this.#factor = factor;
    this.#phases = Array.from({ length: factor }, (_, phase) => weights(phase / factor));
  }

  /**
   * Filters samples; the output belongs to the input {@link lookahead} samples before: the first call gives what
   * stands `lookahead` input samples before its first one, silence as far as there was nothing.
   */
  process(input: Float32Array): Float32Array {
    const taps = 2 * HALF;
    const line = new Float32Array(this.#history.length + input.length);
    line.set(this.#history);
    line.set(input, this.#history.length);
    const output = new Float32Array(input.length * this.#factor);
    let at = 0;
    for (let n = 0; n < input.length; n++) {
      for (const phase of this.#phases) {
        let sum = 0;
        for (let tap = 0; tap < taps; tap++) sum += phase[tap]! * line[n + tap]!;
        output[at++] = sum;
      }
    }
    this.#history = line.slice(line.length - this.#history.length);
    return output;
  }
}

/** Weights for an output sample that stands `shift` (0..1) of an input sample after the tap number HALF - 1. */
function weights(shift: number): Float32Array {
  const taps = Array.from({ length: 2 * HALF }, (_, tap) => {
    const distance = tap - (HALF - 1) - shift;
    return sinc(distance) * kaiser(distance / HALF);
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
