import type { AudioFormat, AudioTrack } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';

/** Samples in every frame of AC-3. */
export const AC3_FRAME_SAMPLES = 1536;

const SAMPLE_RATES = [48_000, 44_100, 32_000];
/** Nominal bit rates in kbit/s; frmsizecod counts each twice (ATSC A/52 table 5.18). */
const BIT_RATES = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
const CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];
/** bsid up to which a stream is plain AC-3; from 11 on it is E-AC-3. */
const PLAIN = 8;

/** What syncinfo() and bsi() of a frame say (ATSC A/52 sections 5.3.1 and 5.3.2). */
export interface Ac3FrameInfo {
  readonly sampleRate: number;
  /** The low-frequency channel included. */
  readonly channels: number;
  /** Bytes of the frame. */
  readonly size: number;
  /** Body of `dac3` (ETSI TS 102 366 annex F.4), which has the same fields. */
  readonly configuration: Buffer;
}

/** Reads the beginning of a frame; undefined where it is broken, or E-AC-3. Never throws. */
export function parseAc3Frame(frame: Buffer): Ac3FrameInfo | undefined {
  if (frame.length < 8 || frame.readUInt16BE(0) !== 0x0b77) return undefined;
  const bits = new BitReader(frame.subarray(4, 16));
  const rateCode = bits.read(2);
  const sizeCode = bits.read(6);
  const bsid = bits.read(5);
  const mode = bits.read(3);
  const acmod = bits.read(3);
  if ((acmod & 1) !== 0 && acmod !== 1) bits.skip(2); // cmixlev
  if ((acmod & 4) !== 0) bits.skip(2); // surmixlev
  if (acmod === 2) bits.skip(2); // dsurmod
  const lfe = bits.read(1);
  const sampleRate = SAMPLE_RATES[rateCode];
  const bitRate = BIT_RATES[sizeCode >> 1];
  if (sampleRate === undefined || bitRate === undefined || bsid > PLAIN) return undefined;
  const words = Math.floor((bitRate * 1000 * AC3_FRAME_SAMPLES) / sampleRate / 16);
  // At 44.1 kHz frames of two lengths take turns.
  const odd = sampleRate === 44_100 ? sizeCode & 1 : 0;
  const configuration = Buffer.alloc(3);
  const fields = (rateCode << 22) | (bsid << 17) | (mode << 14) | (acmod << 11) | (lfe << 10);
  configuration.writeUIntBE(fields | ((sizeCode >> 1) << 5), 0, 3);
  return { sampleRate, channels: (CHANNELS[acmod] ?? 2) + lfe, size: 2 * (words + odd), configuration };
}

/** The format of an AC-3 track; its configuration stays empty until the first frame was seen. */
export function ac3Format(info: {
  readonly sampleRate: number;
  readonly channels: number;
  readonly configuration?: Buffer;
}): AudioFormat {
  const { sampleRate, channels, configuration = Buffer.alloc(0) } = info;
  return { kind: 'audio', codec: 'ac3', sampleRate, channels, config: configuration, codecString: 'ac-3' };
}

/** The track as this frame shows it: the same object where nothing changed, or nothing can be read. */
export function ac3TrackOf(track: AudioTrack, frame: Buffer | undefined): AudioTrack {
  const info = frame && parseAc3Frame(frame);
  const { format, clockRate } = track;
  // Another sample rate would be another clock, which a track cannot change to.
  if (!info || info.sampleRate !== clockRate) return track;
  if (info.channels === format.channels && info.configuration.equals(format.config)) return track;
  return { ...track, format: ac3Format(info) };
}
