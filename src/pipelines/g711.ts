/** G.711 (ITU-T G.711, 1988): 8 bits a sample to linear samples in -1..1, and back. */

/** Full scale of the tables below: 16 bits. */
const FULL_SCALE = 32_768;

/** Linear value of each A-law byte. */
export const A_LAW = table((byte) => {
  // Every second bit is inverted on the line.
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const mantissa = code & 0x0f;
  const magnitude = exponent === 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1);
  return (code & 0x80 ? magnitude : -magnitude) / FULL_SCALE;
});

/** Linear value of each µ-law byte. */
export const MU_LAW = table((byte) => {
  const code = ~byte & 0xff;
  const exponent = (code >> 4) & 7;
  const mantissa = code & 0x0f;
  const magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
  return (code & 0x80 ? -magnitude : magnitude) / FULL_SCALE;
});

/** G.711 samples, interleaved, as one plane per channel. */
export function decodeG711(codec: 'pcma' | 'pcmu', bytes: Buffer, channels: number): Float32Array[] {
  const values = codec === 'pcma' ? A_LAW : MU_LAW;
  const length = Math.floor(bytes.length / channels);
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length }, (_, n) => values[bytes[n * channels + channel]!]!),
  );
}

/** Samples in -1..1, one plane per channel, as G.711, interleaved: each the byte whose value is nearest. */
export function encodeG711(codec: 'pcma' | 'pcmu', planes: readonly Float32Array[]): Buffer {
  const codes = (NEAREST[codec] ??= nearest(codec === 'pcma' ? A_LAW : MU_LAW));
  const length = planes[0]?.length ?? 0;
  const bytes = Buffer.allocUnsafe(length * planes.length);
  for (const [channel, plane] of planes.entries()) {
    for (let n = 0; n < length; n++) {
      const level = Math.round(plane[n]! * LEVELS) + LEVELS;
      bytes[n * planes.length + channel] = codes[Math.min(2 * LEVELS, Math.max(0, level))]!;
    }
  }
  return bytes;
}

/** Levels on one side of zero that are told apart: the laws have 12 and 13 bits next to zero. */
const LEVELS = 8192;
/** By level, the byte whose value is nearest. */
const NEAREST: { pcma?: Uint8Array; pcmu?: Uint8Array } = {};

function nearest(values: Float32Array): Uint8Array {
  const bytes = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const codes = new Uint8Array(2 * LEVELS + 1);
  let at = 0;
  for (let level = 0; level < codes.length; level++) {
    const wanted = (level - LEVELS) / LEVELS;
    const distance = (index: number) => Math.abs(values[bytes[index]!]! - wanted);
    while (at + 1 < bytes.length && distance(at + 1) <= distance(at)) at++;
    codes[level] = bytes[at]!;
  }
  return codes;
}

function table(value: (byte: number) => number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => value(byte));
}
