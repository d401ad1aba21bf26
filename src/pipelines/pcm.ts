/** Sound without a codec, as devices give it. */

/** FFmpeg's names of those that can be read, with the bytes of one sample. */
const SAMPLES = { pcm_s16le: 2, pcm_s32le: 4, pcm_f32le: 4 } as const;

export type PcmCodec = keyof typeof SAMPLES;

export function isPcm(codec: string): codec is PcmCodec {
  return Object.hasOwn(SAMPLES, codec);
}

/** Interleaved samples as one list a channel, -1..1; what does not fill a sample of each channel is left out. */
export function decodePcm(codec: PcmCodec, bytes: Buffer, channels: number): Float32Array[] {
  const width = SAMPLES[codec];
  const count = Math.floor(bytes.length / (width * channels));
  const read = readerOf(codec, bytes);
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: count }, (_, n) => read((n * channels + channel) * width)),
  );
}

function readerOf(codec: PcmCodec, bytes: Buffer): (at: number) => number {
  switch (codec) {
    case 'pcm_s16le':
      return (at) => bytes.readInt16LE(at) / 2 ** 15;
    case 'pcm_s32le':
      return (at) => bytes.readInt32LE(at) / 2 ** 31;
    case 'pcm_f32le':
      return (at) => bytes.readFloatLE(at);
  }
}
