import type { VideoFormat } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';

/** What the uncompressed header of a frame says (VP9 bitstream specification section 6.2). */
export interface Vp9FrameInfo {
  readonly keyframe: boolean;
  readonly profile: number;
  /** Of keyframes alone. */
  readonly sequence?: Vp9SequenceInfo;
}

export interface Vp9SequenceInfo {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  /** color_space (table in section 7.2.2). */
  readonly colourSpace: number;
  readonly fullRange: boolean;
  readonly subsamplingX: number;
  readonly subsamplingY: number;
}

const SYNC_CODE = 0x498342;
const RGB = 7;

/**
 * Reads the header of a frame, or of the first one in a superframe; undefined when it is broken. Never throws.
 */
export function parseVp9Frame(frame: Buffer): Vp9FrameInfo | undefined {
  const bits = new BitReader(frame.subarray(0, 20));
  if (bits.read(2) !== 2) return undefined;
  const low = bits.read(1);
  const profile = low + 2 * bits.read(1);
  if (profile === 3) bits.skip(1);
  // A frame that was decoded before is shown now.
  if (bits.flag()) return bits.overrun ? undefined : { keyframe: false, profile };
  const keyframe = bits.read(1) === 0;
  bits.skip(2); // show_frame, error_resilient_mode
  if (bits.overrun) return undefined;
  if (!keyframe) return { keyframe, profile };
  if (bits.read(24) !== SYNC_CODE) return undefined;
  const bitDepth = profile >= 2 ? (bits.flag() ? 12 : 10) : 8;
  const colourSpace = bits.read(3);
  const fullRange = colourSpace === RGB || bits.flag();
  const saysSubsampling = profile === 1 || profile === 3;
  const isRgb = colourSpace === RGB;
  const subsamplingX = saysSubsampling ? (isRgb ? 0 : bits.read(1)) : 1;
  const subsamplingY = saysSubsampling ? (isRgb ? 0 : bits.read(1)) : 1;
  if (saysSubsampling) bits.skip(1);
  const width = bits.read(16) + 1;
  const height = bits.read(16) + 1;
  if (bits.overrun || width > 65_535 || height > 65_535) return undefined;
  const sequence = { width, height, bitDepth, colourSpace, fullRange, subsamplingX, subsamplingY };
  return { keyframe, profile, sequence };
}

/** The format of a VP9 track; unknown until its first keyframe. */
export function vp9Format(info?: Vp9FrameInfo): VideoFormat {
  const { width = 0, height = 0 } = info?.sequence ?? {};
  const codecString = info?.sequence ? codecStringOf(info.profile, info.sequence) : '';
  return { kind: 'video', codec: 'vp9', parameterSets: [], width, height, codecString };
}

/** Largest picture of each level in pixels, and most of them in a second (VP9 levels, as the WebM project has them). */
const LEVELS: readonly (readonly [level: number, pixels: number, rate: number])[] = [
  [10, 36_864, 829_440],
  [11, 73_728, 2_764_800],
  [20, 122_880, 4_608_000],
  [21, 245_760, 9_216_000],
  [30, 552_960, 20_736_000],
  [31, 983_040, 36_864_000],
  [40, 2_228_224, 83_558_400],
  [41, 2_228_224, 160_432_128],
  [50, 8_912_896, 311_951_360],
  [51, 8_912_896, 588_251_136],
  [52, 8_912_896, 1_176_502_272],
  [60, 35_651_584, 1_176_502_272],
  [61, 35_651_584, 2_353_004_544],
];
const HIGHEST_LEVEL = 62;
/** Pictures a second that the level is computed for: VP9 does not say how many there are. */
const USUAL_FPS = 30;

/** Primaries, transfer and matrix of ITU-T H.273 for each color_space. */
const COLOURS: readonly (readonly [number, number, number])[] = [
  [2, 2, 2],
  [6, 6, 6],
  [1, 1, 1],
  [6, 6, 6],
  [7, 7, 7],
  [9, 14, 9],
  [2, 2, 2],
  [1, 13, 0],
];

/** As "VP Codec ISO Media File Format Binding" writes it, all of its fields: `vp09.00.31.08.01.02.02.02.00`. */
function codecStringOf(profile: number, sequence: Vp9SequenceInfo): string {
  const pixels = sequence.width * sequence.height;
  const fits = LEVELS.find(([, most, rate]) => pixels <= most && pixels * USUAL_FPS <= rate);
  // 4:2:0 with its chroma at the place of the luma, 4:2:2, 4:4:0, 4:4:4.
  const chroma = [3, 2, 4, 1][sequence.subsamplingX + 2 * sequence.subsamplingY] ?? 1;
  const fields = [
    profile,
    fits?.[0] ?? HIGHEST_LEVEL,
    sequence.bitDepth,
    chroma,
    ...(COLOURS[sequence.colourSpace] ?? [2, 2, 2]),
    sequence.fullRange ? 1 : 0,
  ];
  return ['vp09', ...fields.map((field) => String(field).padStart(2, '0'))].join('.');
}

/**
 * VPCodecConfigurationRecord of VP9 or VP8 ("VP Codec ISO Media File Format Binding" section 2.2), the body of `vpcC`
 * without version and flags: what the codec string says, in bytes. Throws a RangeError for a VP9 format that is unknown.
 */
export function vpConfiguration(format: VideoFormat): Buffer {
  // VP8 has one profile in the sense of the record, no levels, 8 bits and 4:2:0.
  const codecString = format.codec === 'vp8' ? 'vp08.00.00.08.01.02.02.02.00' : format.codecString;
  const fields = codecString.split('.').slice(1).map(Number);
  const [profile, level, bitDepth, chroma, primaries, transfer, matrix, fullRange] = fields;
  if (fullRange === undefined) throw new RangeError('vpcC needs a known format.');
  const packed = (bitDepth! << 4) | (chroma! << 1) | fullRange;
  return Buffer.from([profile!, level!, packed, primaries!, transfer!, matrix!, 0, 0]);
}

/** The profile that the codec string of a VP9 format names; undefined while it is unknown. */
export function vp9Profile(format: VideoFormat): number | undefined {
  const profile = /^vp09\.(\d\d)\./.exec(format.codecString)?.[1];
  return profile === undefined ? undefined : Number(profile);
}
