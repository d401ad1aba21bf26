/** Decoding of G.711 (ITU-T G.711, 1988): 8 bits to linear samples in -1..1. */

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

function table(value: (byte: number) => number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => value(byte));
}
