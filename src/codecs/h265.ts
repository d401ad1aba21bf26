import type { VideoFormat } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';
import { type SequenceInfo, toRbsp } from './nal.ts';

/** nal_unit_type of H.265 (ITU-T H.265 table 7-1), those we look at. */
export const H265 = {
  blaFirst: 16,
  idrWithRadl: 19,
  idr: 20,
  cra: 21,
  irapLast: 23,
  vps: 32,
  sps: 33,
  pps: 34,
  aud: 35,
  filler: 38,
  sei: 39,
} as const;

export function h265NalType(nal: Buffer): number {
  return ((nal[0] ?? 0) >> 1) & 0x3f;
}

/** True when decoding can start at these NAL units: BLA, IDR or CRA. */
export function isH265Keyframe(nals: readonly Buffer[]): boolean {
  return nals.some((nal) => {
    const type = h265NalType(nal);
    return type >= H265.blaFirst && type <= H265.irapLast;
  });
}

/** What an H.265 sequence parameter set says, with the raw general profile, tier and level (12 bytes). */
export interface H265SequenceInfo extends SequenceInfo {
  readonly profileTierLevel: Buffer;
  readonly maxSubLayers: number;
  readonly temporalIdNesting: boolean;
}

/** Reads a sequence parameter set (section 7.3.2.2); undefined when it is broken. Never throws. */
export function parseH265Sps(nal: Buffer): H265SequenceInfo | undefined {
  if (nal.length < 16 || h265NalType(nal) !== H265.sps) return undefined;
  const rbsp = toRbsp(nal);
  if (rbsp.length < 16) return undefined;
  const bits = new BitReader(rbsp);
  bits.skip(16 + 4);
  const maxSubLayers = bits.read(3) + 1;
  const temporalIdNesting = bits.flag();
  const profileTierLevel = Buffer.from(rbsp.subarray(3, 15));
  bits.skip(96);
  skipSubLayers(bits, maxSubLayers);
  bits.ue(); // sps_seq_parameter_set_id
  const chromaFormat = bits.ue();
  if (chromaFormat > 3) return undefined;
  const separatePlanes = chromaFormat === 3 && bits.flag();
  const codedWidth = bits.ue();
  const codedHeight = bits.ue();
  const [left = 0, right = 0, top = 0, bottom = 0] = bits.flag()
    ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()]
    : [];
  const bitDepthLuma = bits.ue() + 8;
  const bitDepthChroma = bits.ue() + 8;
  bits.ue(); // log2_max_pic_order_cnt_lsb_minus4
  let reorder = 0;
  const subLayerOrdering = bits.flag();
  for (let i = subLayerOrdering ? 0 : maxSubLayers - 1; i < maxSubLayers; i++) {
    bits.ue();
    reorder = bits.ue();
    bits.ue();
  }
  if (bits.overrun || bitDepthLuma > 16 || bitDepthChroma > 16) return undefined;
  const planes = separatePlanes ? 0 : chromaFormat;
  const width = codedWidth - (left + right) * (planes === 1 || planes === 2 ? 2 : 1);
  const height = codedHeight - (top + bottom) * (planes === 1 ? 2 : 1);
  if (width <= 0 || height <= 0 || width > 65_535 || height > 65_535) return undefined;
  return {
    width,
    height,
    profile: (profileTierLevel[0] ?? 0) & 0x1f,
    level: profileTierLevel[11] ?? 0,
    chromaFormat,
    bitDepthLuma,
    bitDepthChroma,
    maxReorderFrames: reorder <= 16 ? reorder : undefined,
    fps: undefined,
    profileTierLevel,
    maxSubLayers,
    temporalIdNesting,
  };
}

/** sub_layer part of profile_tier_level() (section 7.3.3). */
function skipSubLayers(bits: BitReader, maxSubLayers: number): void {
  if (maxSubLayers <= 1) return;
  const present: [boolean, boolean][] = [];
  for (let i = 0; i < maxSubLayers - 1; i++) present.push([bits.flag(), bits.flag()]);
  bits.skip((8 - (maxSubLayers - 1)) * 2);
  for (const [profile, level] of present) bits.skip((profile ? 88 : 0) + (level ? 8 : 0));
}

/**
 * The format of a stream with these parameter sets (VPS, SPS, PPS; any order, duplicates allowed); whatever is no
 * parameter set is left out. Width, height and codec string stay unknown without a readable SPS.
 */
export function h265Format(parameterSets: readonly Buffer[]): VideoFormat {
  const ofType = (type: number) => parameterSets.filter((nal) => h265NalType(nal) === type && nal.length > 2);
  const spss = ofType(H265.sps);
  const info = spss[0] && parseH265Sps(spss[0]);
  return {
    kind: 'video',
    codec: 'h265',
    parameterSets: [...ofType(H265.vps), ...spss, ...ofType(H265.pps)],
    width: info?.width ?? 0,
    height: info?.height ?? 0,
    codecString: info ? h265CodecString(info.profileTierLevel) : '',
  };
}

/** RFC 6381 string from the general profile, tier and level (ISO/IEC 14496-15 annex E.3), e.g. `hvc1.1.6.L93.B0`. */
export function h265CodecString(profileTierLevel: Buffer): string {
  const first = profileTierLevel[0] ?? 0;
  const space = ['', 'A', 'B', 'C'][first >> 6] ?? '';
  const tier = first & 0x20 ? 'H' : 'L';
  let flags = profileTierLevel.readUInt32BE(1);
  let reversed = 0;
  for (let i = 0; i < 32; i++, flags >>>= 1) reversed = reversed * 2 + (flags & 1);
  let constraints = profileTierLevel.subarray(5, 11);
  while (constraints.length > 0 && constraints[constraints.length - 1] === 0)
    constraints = constraints.subarray(0, -1);
  const parts = [
    `hvc1.${space}${first & 0x1f}`,
    reversed.toString(16).toUpperCase(),
    `${tier}${profileTierLevel[11] ?? 0}`,
  ];
  for (const byte of constraints) parts.push(byte.toString(16).toUpperCase());
  return parts.join('.');
}

/**
 * HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1), the body of `hvcC`, with 4-byte NAL lengths.
 * The format must have a readable SPS; throws a RangeError without one.
 */
export function hevcConfiguration(format: VideoFormat): Buffer {
  const sps = format.parameterSets.find((nal) => h265NalType(nal) === H265.sps);
  const info = sps && parseH265Sps(sps);
  if (!info) throw new RangeError('hvcC needs a readable sequence parameter set.');
  const arrays = [H265.vps, H265.sps, H265.pps]
    .map((type) => ({ type, nals: format.parameterSets.filter((nal) => h265NalType(nal) === type) }))
    .filter(({ nals }) => nals.length > 0);
  const tail = Buffer.from([
    0xf0, // min_spatial_segmentation_idc 0
    0,
    0xfc, // parallelismType unknown
    0xfc | info.chromaFormat,
    0xf8 | (info.bitDepthLuma - 8),
    0xf8 | (info.bitDepthChroma - 8),
    0, // avgFrameRate unspecified
    0,
    (info.maxSubLayers << 3) | (info.temporalIdNesting ? 4 : 0) | 3,
    arrays.length,
  ]);
  const parts = [Buffer.from([1]), info.profileTierLevel, tail];
  for (const { type, nals } of arrays) {
    parts.push(Buffer.from([0x80 | type, nals.length >> 8, nals.length & 0xff]));
    for (const nal of nals) parts.push(Buffer.from([nal.length >> 8, nal.length & 0xff]), nal);
  }
  return Buffer.concat(parts);
}
