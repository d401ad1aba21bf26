/**
 * Reads bits, most significant first. Reading past the end gives zeros and sets `overrun`, so that a parser of broken
 * input runs to its end without throwing and asks once whether what it read was there.
 */
export class BitReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bits read or skipped so far; may lie beyond the end. */
  get position(): number {
    return this.#position;
  }

  /** Bits left; negative after an overrun. */
  get remaining(): number {
    return this.#bytes.length * 8 - this.#position;
  }

  /** True once more bits were read or skipped than there are. */
  get overrun(): boolean {
    return this.remaining < 0;
  }

  /** The next `count` bits (0 to 32) as an unsigned number. */
  read(count: number): number {
    let value = 0;
    let left = count;
    while (left > 0) {
      const byte = this.#bytes[this.#position >> 3] ?? 0;
      const offset = this.#position & 7;
      const taken = Math.min(8 - offset, left);
      value = value * 2 ** taken + ((byte >> (8 - offset - taken)) & (2 ** taken - 1));
      this.#position += taken;
      left -= taken;
    }
    return value;
  }

  flag(): boolean {
    return this.read(1) === 1;
  }

  skip(count: number): void {
    this.#position += count;
  }

  /** Unsigned Exp-Golomb code, ue(v) of ITU-T H.264 section 9.1. */
  ue(): number {
    let zeros = 0;
    while (this.read(1) === 0) {
      zeros++;
      if (zeros > 32 || this.overrun) {
        this.#position = Math.max(this.#position, this.#bytes.length * 8 + 1);
        return 0;
      }
    }
    return 2 ** zeros - 1 + this.read(zeros);
  }

  /** Signed Exp-Golomb code, se(v). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

/** Writes bits, most significant first. */
export class BitWriter {
  readonly #bits: number[] = [];

  /** Appends the low `count` bits of `value`. */
  write(count: number, value: number): this {
    for (let bit = count - 1; bit >= 0; bit--) this.#bits.push(Math.floor(value / 2 ** bit) & 1);
    return this;
  }

  /** The bytes so far, the last one filled up with zeros. */
  toBuffer(): Buffer {
    const bytes = Buffer.alloc(Math.ceil(this.#bits.length / 8));
    this.#bits.forEach((bit, i) => {
      if (bit) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (0x80 >> (i & 7));
    });
    return bytes;
  }
}
