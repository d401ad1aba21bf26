import type { VideoFormat } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';
import { type SequenceInfo, toRbsp } from './nal.ts';

/** nal_unit_type of H.264 (ITU-T H.264 table 7-1), those we look at. */
export const H264 = {
  slice: 1,
  idr: 5,
  sei: 6,
  sps: 7,
  pps: 8,
  aud: 9,
  endOfSequence: 10,
  endOfStream: 11,
  filler: 12,
} as const;

const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

export function h264NalType(nal: Buffer): number {
  return (nal[0] ?? 0) & 0x1f;
}

/**
 * True when decoding can start at these NAL units: an IDR picture, or an intra picture with a recovery point of 0
 * frames (section D.2.8), which is all that encoders with open groups of pictures send after their first picture.
 */
export function isH264Keyframe(nals: readonly Buffer[]): boolean {
  let isRecovery = false;
  for (const nal of nals) {
    const type = h264NalType(nal);
    if (type === H264.idr) return true;
    if (type === H264.sei) isRecovery ||= isRecoveryPoint(nal);
    else if (type === H264.slice && !(isRecovery && isIntraSlice(nal))) return false;
  }
  return isRecovery && nals.some((nal) => h264NalType(nal) === H264.slice);
}

/** Looks for a recovery point message with recovery_frame_cnt 0 among the messages of an SEI NAL unit. */
function isRecoveryPoint(sei: Buffer): boolean {
  const rbsp = toRbsp(sei);
  let at = 1;
  const varying = () => {
    let value = 0;
    while (rbsp[at] === 0xff) {
      value += 255;
      at++;
    }
    return value + (rbsp[at++] ?? 0);
  };
  while (at + 2 < rbsp.length) {
    const type = varying();
    const size = varying();
    if (type === 6) return new BitReader(rbsp.subarray(at, at + size)).flag();
    at += size;
  }
  return false;
}

function isIntraSlice(slice: Buffer): boolean {
  const bits = new BitReader(slice.subarray(1, 24));
  bits.ue(); // first_mb_in_slice
  return bits.ue() % 5 === 2;
}

/** Reads a sequence parameter set (section 7.3.2.1.1); undefined when it is broken. Never throws. */
export function parseH264Sps(nal: Buffer): SequenceInfo | undefined {
  if (nal.length < 4 || h264NalType(nal) !== H264.sps) return undefined;
  const bits = new BitReader(toRbsp(nal));
  bits.skip(8);
  const profile = bits.read(8);
  const constraints = bits.read(8);
  const level = bits.read(8);
  bits.ue(); // seq_parameter_set_id
  let chromaFormat = 1;
  let bitDepthLuma = 8;
  let bitDepthChroma = 8;
  let separatePlanes = false;
  if (HIGH_PROFILES.has(profile)) {
    chromaFormat = bits.ue();
    if (chromaFormat > 3) return undefined;
    if (chromaFormat === 3) separatePlanes = bits.flag();
    bitDepthLuma = bits.ue() + 8;
    bitDepthChroma = bits.ue() + 8;
    if (bitDepthLuma > 14 || bitDepthChroma > 14) return undefined;
    bits.skip(1); // qpprime_y_zero_transform_bypass_flag
    if (bits.flag()) skipScalingLists(bits, chromaFormat === 3 ? 12 : 8);
  }
  bits.ue(); // log2_max_frame_num_minus4
  const pocType = bits.ue();
  if (pocType === 0) bits.ue();
  else if (pocType === 1) skipPocCycle(bits);
  else if (pocType > 2) return undefined;
  bits.ue(); // max_num_ref_frames
  bits.skip(1); // gaps_in_frame_num_value_allowed_flag
  const widthInMbs = bits.ue() + 1;
  const heightInMapUnits = bits.ue() + 1;
  const frameMbsOnly = bits.flag();
  if (!frameMbsOnly) bits.skip(1); // mb_adaptive_frame_field_flag
  bits.skip(1); // direct_8x8_inference_flag
  const crop = bits.flag() ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
  if (bits.overrun) return undefined;

  const [left = 0, right = 0, top = 0, bottom = 0] = crop;
  const planes = separatePlanes ? 0 : chromaFormat;
  const unitX = planes === 1 || planes === 2 ? 2 : 1;
  const unitY = (planes === 1 ? 2 : 1) * (frameMbsOnly ? 1 : 2);
  const width = widthInMbs * 16 - (left + right) * unitX;
  const height = heightInMapUnits * 16 * (frameMbsOnly ? 1 : 2) - (top + bottom) * unitY;
  if (width <= 0 || height <= 0 || width > 65_535 || height > 65_535) return undefined;

  const vui = bits.flag() ? readVui(bits) : undefined;
  // Baseline has no B slices, and picture order type 2 says that output order is decoding order. The high intra
  // profiles (constraint_set3_flag) have no inter prediction at all (section E.2.1, inference of max_num_reorder_frames).
  const intraOnly =
    HIGH_PROFILES.has(profile) && profile !== 118 && profile !== 128 && (constraints & 0x10) !== 0;
  const maxReorderFrames = profile === 66 || pocType === 2 || intraOnly ? 0 : vui?.maxReorderFrames;
  return {
    width,
    height,
    profile,
    level,
    chromaFormat,
    bitDepthLuma,
    bitDepthChroma,
    maxReorderFrames,
    fps: vui?.fps,
    pixelAspect: vui?.pixelAspect,
  };
}

function skipScalingLists(bits: BitReader, count: number): void {
  for (let list = 0; list < count; list++) {
    if (!bits.flag()) continue;
    let next = 8;
    for (let i = 0, last = 8; i < (list < 6 ? 16 : 64) && !bits.overrun; i++) {
      if (next !== 0) next = (last + bits.se() + 256) % 256;
      if (next !== 0) last = next;
    }
  }
}

function skipPocCycle(bits: BitReader): void {
  bits.skip(1);
  bits.se();
  bits.se();
  const cycle = bits.ue();
  for (let i = 0; i < cycle && !bits.overrun; i++) bits.se();
}

/** The parts of the video usability information (section E.1.1) that matter here. */
function readVui(bits: BitReader): Pick<SequenceInfo, 'fps' | 'maxReorderFrames' | 'pixelAspect'> {
  const pixelAspect = bits.flag() ? readPixelAspect(bits) : undefined;
  if (bits.flag()) bits.skip(1); // overscan
  if (bits.flag()) {
    bits.skip(4); // video_format, full range
    if (bits.flag()) bits.skip(24);
  }
  if (bits.flag()) {
    bits.ue();
    bits.ue();
  }
  let fps: number | undefined;
  if (bits.flag()) {
    const unitsInTick = bits.read(32);
    const timeScale = bits.read(32);
    bits.skip(1);
    if (unitsInTick > 0 && timeScale > 0 && !bits.overrun) fps = timeScale / unitsInTick / 2;
  }
  const nalHrd = bits.flag();
  if (nalHrd) skipHrd(bits);
  const vclHrd = bits.flag();
  if (vclHrd) skipHrd(bits);
  if (nalHrd || vclHrd) bits.skip(1);
  bits.skip(1); // pic_struct_present_flag
  if (!bits.flag()) return { fps, maxReorderFrames: undefined, pixelAspect };
  bits.skip(1);
  for (let i = 0; i < 4; i++) bits.ue();
  const reorder = bits.ue();
  const buffering = bits.ue();
  const valid = !bits.overrun && reorder <= 16 && reorder <= buffering;
  return { fps, maxReorderFrames: valid ? reorder : undefined, pixelAspect };
}

/** aspect_ratio_idc 1 to 16 (table E-1). */
const PIXEL_ASPECTS: readonly (readonly [number, number])[] = [
  [1, 1],
  [12, 11],
  [10, 11],
  [16, 11],
  [40, 33],
  [24, 11],
  [20, 11],
  [32, 11],
  [80, 33],
  [18, 11],
  [15, 11],
  [64, 33],
  [160, 99],
  [4, 3],
  [3, 2],
  [2, 1],
];

function readPixelAspect(bits: BitReader): SequenceInfo['pixelAspect'] {
  const extended = 255;
  const idc = bits.read(8);
  if (idc !== extended) return PIXEL_ASPECTS[idc - 1];
  const horizontal = bits.read(16);
  const vertical = bits.read(16);
  return horizontal > 0 && vertical > 0 && !bits.overrun ? [horizontal, vertical] : undefined;
}

function skipHrd(bits: BitReader): void {
  const count = bits.ue() + 1;
  bits.skip(8);
  for (let i = 0; i < count && !bits.overrun; i++) {
    bits.ue();
    bits.ue();
    bits.skip(1);
  }
  bits.skip(20);
}

/**
 * The format of a stream with these parameter sets (SPS and PPS, any order, duplicates allowed); whatever is no
 * parameter set is left out. Width, height and codec string stay unknown without a readable SPS.
 */
export function h264Format(parameterSets: readonly Buffer[]): VideoFormat {
  const spss = parameterSets.filter((nal) => h264NalType(nal) === H264.sps && nal.length >= 4);
  const ppss = parameterSets.filter((nal) => h264NalType(nal) === H264.pps);
  const sps = spss[0];
  const info = sps && parseH264Sps(sps);
  return {
    kind: 'video',
    codec: 'h264',
    parameterSets: [...spss, ...ppss],
    width: info?.width ?? 0,
    height: info?.height ?? 0,
    codecString: sps ? `avc1.${sps.toString('hex', 1, 4)}` : '',
  };
}

/** Width to height of one pixel as it is to be shown, by the parameter sets; square where they do not say. */
export function pixelAspect(format: VideoFormat): readonly [horizontal: number, vertical: number] {
  const sps = format.codec === 'h264' ? format.parameterSets[0] : undefined;
  return (sps && parseH264Sps(sps)?.pixelAspect) ?? [1, 1];
}

/**
 * AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1), the body of `avcC`, with 4-byte NAL lengths.
 * The format must have an SPS; throws a RangeError without one.
 */
export function avcConfiguration(format: VideoFormat): Buffer {
  const spss = format.parameterSets.filter((nal) => h264NalType(nal) === H264.sps).slice(0, 31);
  const ppss = format.parameterSets.filter((nal) => h264NalType(nal) === H264.pps).slice(0, 255);
  const sps = spss[0];
  if (!sps) throw new RangeError('avcC needs a sequence parameter set.');
  const parts: Buffer[] = [Buffer.from([1, sps[1] ?? 0, sps[2] ?? 0, sps[3] ?? 0, 0xff, 0xe0 | spss.length])];
  for (const nal of spss) parts.push(lengthPrefix(nal), nal);
  parts.push(Buffer.from([ppss.length]));
  for (const nal of ppss) parts.push(lengthPrefix(nal), nal);
  const info = parseH264Sps(sps);
  if (info && [100, 110, 122, 144, 244].includes(info.profile)) {
    parts.push(
      Buffer.from([
        0xfc | info.chromaFormat,
        0xf8 | (info.bitDepthLuma - 8),
        0xf8 | (info.bitDepthChroma - 8),
        0,
      ]),
    );
  }
  return Buffer.concat(parts);
}

function lengthPrefix(nal: Buffer): Buffer {
  return Buffer.from([nal.length >> 8, nal.length & 0xff]);
}
