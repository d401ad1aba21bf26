import type { AudioFormat } from '#media/track.ts';
import { BitReader, BitWriter } from '#util/bits.ts';

const SAMPLE_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8];

/** What an AudioSpecificConfig says (ISO/IEC 14496-3 section 1.6.2.1). */
export interface AacConfig {
  /** Audio object type of the core codec, e.g. 2 for LC. */
  readonly objectType: number;
  /** Sample rate of the core codec in Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples of the core codec in one frame: 1024 or 960. */
  readonly frameLength: number;
  /** Sample rate after spectral band replication, where it is signalled. */
  readonly extensionSampleRate?: number;
  /** True where parametric stereo is signalled. */
  readonly parametricStereo?: boolean;
}

/** Reads an AudioSpecificConfig; undefined when it is broken. Never throws. */
export function parseAacConfig(bytes: Uint8Array): AacConfig | undefined {
  const bits = new BitReader(bytes);
  let objectType = readObjectType(bits);
  const sampleRate = readSampleRate(bits);
  const channels = CHANNELS[bits.read(4)] ?? 0;
  let extensionSampleRate: number | undefined;
  let parametricStereo = false;
  if (objectType === 5 || objectType === 29) {
    parametricStereo = objectType === 29;
    extensionSampleRate = readSampleRate(bits);
    objectType = readObjectType(bits);
  }
  const frameLength = bits.flag() ? 960 : 1024;
  if (bits.overrun || sampleRate === 0 || objectType === 0) return undefined;
  if (bits.flag()) bits.skip(14); // dependsOnCoreCoder
  bits.skip(1); // extensionFlag
  if (extensionSampleRate === undefined && bits.remaining >= 16 && bits.read(11) === 0x2b7) {
    if (readObjectType(bits) === 5 && bits.flag()) {
      extensionSampleRate = readSampleRate(bits);
      if (bits.remaining >= 12 && bits.read(11) === 0x548) parametricStereo = bits.flag();
    }
  }
  return {
    objectType,
    sampleRate,
    channels: channels === 0 ? 2 : channels,
    frameLength,
    ...(extensionSampleRate ? { extensionSampleRate } : {}),
    ...(parametricStereo ? { parametricStereo } : {}),
  };
}

function readObjectType(bits: BitReader): number {
  const type = bits.read(5);
  return type === 31 ? 32 + bits.read(6) : type;
}

function readSampleRate(bits: BitReader): number {
  const index = bits.read(4);
  return index === 15 ? bits.read(24) : (SAMPLE_RATES[index] ?? 0);
}

/** Builds the AudioSpecificConfig of plain AAC (no extension), e.g. LC with 1024 samples a frame. */
export function buildAacConfig(config: {
  objectType?: number;
  sampleRate: number;
  channels: number;
}): Buffer {
  const bits = new BitWriter().write(5, config.objectType ?? 2);
  const index = SAMPLE_RATES.indexOf(config.sampleRate);
  if (index >= 0) bits.write(4, index);
  else bits.write(4, 15).write(24, config.sampleRate);
  return bits
    .write(4, Math.max(CHANNELS.indexOf(config.channels), 0))
    .write(3, 0)
    .toBuffer();
}

/**
 * The format of an AAC track. `sampleRate` is the core's, as in the RTP clock and in `mp4a`; a decoder doubles it where
 * spectral band replication is signalled. Falls back to 48 kHz stereo for an unreadable configuration.
 */
export function aacFormat(config: Buffer): AudioFormat {
  const info = parseAacConfig(config);
  return {
    kind: 'audio',
    codec: 'aac',
    sampleRate: info?.sampleRate ?? 48_000,
    channels: info?.channels ?? 2,
    config,
    codecString: `mp4a.40.${info?.objectType ?? 2}`,
  };
}

/** Ticks of `clockRate` that one frame lasts: a clock at the extension rate counts twice as many. */
export function aacFrameDuration(format: AudioFormat, clockRate: number): number {
  const info = parseAacConfig(format.config);
  return Math.round(((info?.frameLength ?? 1024) * clockRate) / (info?.sampleRate ?? clockRate));
}
