import type { VideoFormat } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';

/** obu_type (AV1 specification section 6.2.2), those we look at. */
export const OBU = {
  sequenceHeader: 1,
  temporalDelimiter: 2,
  frameHeader: 3,
  tileGroup: 4,
  frame: 6,
  redundantFrameHeader: 7,
  tileList: 8,
  padding: 15,
} as const;

const HAS_SIZE = 0x02;
const HAS_EXTENSION = 0x04;

/** Where the parts of an open bitstream unit lie. */
export interface ObuLayout {
  readonly type: number;
  /** Bytes of the header, 1 or 2. */
  readonly headerLength: number;
  /** Offset of the first byte behind header and size. */
  readonly payloadStart: number;
  /** Offset of the first byte behind the unit. */
  readonly end: number;
}

/**
 * Reads header and size of the unit at `at` (section 5.3); one without a size goes to the end of `bytes`. Undefined
 * where it is broken or longer than what there is.
 */
export function readObu(bytes: Buffer, at = 0): ObuLayout | undefined {
  const first = bytes[at];
  if (first === undefined || first >= 0x80) return undefined;
  const headerLength = (first & HAS_EXTENSION) !== 0 ? 2 : 1;
  const type = (first >> 3) & 15;
  const behind = at + headerLength;
  if (behind > bytes.length) return undefined;
  if ((first & HAS_SIZE) === 0) return { type, headerLength, payloadStart: behind, end: bytes.length };
  const size = readLeb128(bytes, behind);
  if (!size || size.end + size.value > bytes.length) return undefined;
  return { type, headerLength, payloadStart: size.end, end: size.end + size.value };
}

export function obuType(obu: Buffer): number {
  return ((obu[0] ?? 0) >> 3) & 15;
}

/** A number of the coding leb128 (section 4.10.5), and where it ends; undefined for one that is broken or has over 32 bits. */
export function readLeb128(bytes: Buffer, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value < 2 ** 32 ? { value, end: at + i + 1 } : undefined;
  }
  return undefined;
}

/** The bytes of a number in leb128, as few as it needs. */
export function leb128(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  do {
    const more = left >= 0x80;
    bytes.push((left % 0x80) | (more ? 0x80 : 0));
    left = Math.floor(left / 0x80);
  } while (left > 0);
  return bytes;
}

/**
 * Splits a temporal unit of the low-overhead format (section 5.2) into its units, each with its size; where the last
 * one has none, it is given one. Delimiters, padding and what is broken are left out.
 */
export function splitObus(bytes: Buffer): Buffer[] {
  const obus: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const layout = readObu(bytes, at);
    if (!layout) break;
    const obu = bytes.subarray(at, layout.end);
    if (isMedia(layout.type)) obus.push((obu[0]! & HAS_SIZE) !== 0 ? obu : sizedObu([obu]));
    at = layout.end;
  }
  return obus;
}

/** Whether a unit belongs to what readers get: not what only frames a stream or fills it up. */
export function isMedia(type: number): boolean {
  return type !== OBU.temporalDelimiter && type !== OBU.padding && type !== OBU.tileList;
}

/** One unit, in pieces and without a size, as a unit that has its size. The first piece holds the header. */
export function sizedObu(pieces: readonly Buffer[]): Buffer {
  const [first = Buffer.alloc(0), ...rest] = pieces;
  const headerLength = ((first[0] ?? 0) & HAS_EXTENSION) !== 0 ? 2 : 1;
  const size = pieces.reduce((sum, piece) => sum + piece.length, -headerLength);
  const head = Buffer.from([...first.subarray(0, headerLength), ...leb128(Math.max(size, 0))]);
  head[0] = (head[0] ?? 0) | HAS_SIZE;
  return Buffer.concat([head, first.subarray(headerLength), ...rest]);
}

/** A unit as RTP carries it, in two parts: its header without the mark of a size, and what is behind the size. */
export function withoutSize(obu: Buffer): [header: Buffer, payload: Buffer] | undefined {
  const layout = readObu(obu);
  if (!layout) return undefined;
  const header = Buffer.from(obu.subarray(0, layout.headerLength));
  header[0] = (header[0] ?? 0) & ~HAS_SIZE;
  return [header, obu.subarray(layout.payloadStart, layout.end)];
}

/** What a sequence header says (section 5.5). */
export interface Av1SequenceInfo {
  /** seq_profile, 0 to 2. */
  readonly profile: number;
  /** seq_level_idx and seq_tier of the first operating point. */
  readonly level: number;
  readonly tier: number;
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly monochrome: boolean;
  readonly subsamplingX: number;
  readonly subsamplingY: number;
  readonly chromaSamplePosition: number;
  /** As ITU-T H.273 numbers them; 2 where not said. */
  readonly colourPrimaries: number;
  readonly transferCharacteristics: number;
  readonly matrixCoefficients: number;
  readonly fullRange: boolean;
  /** Every picture is a keyframe, and its header is shorter. */
  readonly reducedStillPicture: boolean;
}

/** Reads a sequence header; undefined when it is none or broken. Never throws. */
export function parseAv1SequenceHeader(obu: Buffer): Av1SequenceInfo | undefined {
  const layout = readObu(obu);
  if (layout?.type !== OBU.sequenceHeader) return undefined;
  const bits = new BitReader(obu.subarray(layout.payloadStart, layout.end));
  const profile = bits.read(3);
  bits.skip(1); // still_picture
  const reducedStillPicture = bits.flag();
  const { level, tier } = reducedStillPicture ? { level: bits.read(5), tier: 0 } : readOperatingPoints(bits);
  const widthBits = bits.read(4) + 1;
  const heightBits = bits.read(4) + 1;
  const width = bits.read(widthBits) + 1;
  const height = bits.read(heightBits) + 1;
  skipTools(bits, reducedStillPicture);
  const colour = readColour(bits, profile);
  if (bits.overrun || profile > 2 || width > 65_535 || height > 65_535) return undefined;
  return { profile, level, tier, width, height, reducedStillPicture, ...colour };
}

function readOperatingPoints(bits: BitReader): { level: number; tier: number } {
  let delayBits = 0;
  let hasDecoderModel = false;
  if (bits.flag()) {
    bits.skip(64); // num_units_in_display_tick, time_scale
    if (bits.flag()) bits.ue(); // num_ticks_per_picture_minus_1: uvlc() is the same code as ue(v)
    hasDecoderModel = bits.flag();
    if (hasDecoderModel) {
      delayBits = bits.read(5) + 1;
      bits.skip(32 + 5 + 5);
    }
  }
  const hasDisplayDelay = bits.flag();
  const count = bits.read(5) + 1;
  let first = { level: 0, tier: 0 };
  for (let i = 0; i < count && !bits.overrun; i++) {
    bits.skip(12); // operating_point_idc
    const level = bits.read(5);
    const tier = level > 7 ? bits.read(1) : 0;
    if (i === 0) first = { level, tier };
    if (hasDecoderModel && bits.flag()) bits.skip(2 * delayBits + 1);
    if (hasDisplayDelay && bits.flag()) bits.skip(4);
  }
  return first;
}

/** Skips the flags of coding tools between size and colour. */
function skipTools(bits: BitReader, reducedStillPicture: boolean): void {
  if (!reducedStillPicture && bits.flag()) bits.skip(4 + 3); // lengths of frame ids
  bits.skip(3); // 128 x 128 superblocks, filter intra, intra edge filter
  if (!reducedStillPicture) {
    bits.skip(4); // interintra, masked compounds, warped motion, dual filter
    const hasOrderHint = bits.flag();
    if (hasOrderHint) bits.skip(2);
    const chosenPerFrame = 2;
    const screenContent = bits.flag() ? chosenPerFrame : bits.read(1);
    if (screenContent > 0 && !bits.flag()) bits.skip(1);
    if (hasOrderHint) bits.skip(3);
  }
  bits.skip(3); // super-resolution, CDEF, loop restoration
}

type Colour = Omit<
  Av1SequenceInfo,
  'profile' | 'level' | 'tier' | 'width' | 'height' | 'reducedStillPicture'
>;

/** color_config() (section 5.5.2). */
function readColour(bits: BitReader, profile: number): Colour {
  const isHigh = bits.flag();
  const bitDepth = profile === 2 && isHigh ? (bits.flag() ? 12 : 10) : isHigh ? 10 : 8;
  const monochrome = profile === 1 ? false : bits.flag();
  const [colourPrimaries, transferCharacteristics, matrixCoefficients] = bits.flag()
    ? ([bits.read(8), bits.read(8), bits.read(8)] as const)
    : ([2, 2, 2] as const);
  const common = { bitDepth, monochrome, colourPrimaries, transferCharacteristics, matrixCoefficients };
  const isSrgb = colourPrimaries === 1 && transferCharacteristics === 13 && matrixCoefficients === 0;
  if (!monochrome && isSrgb) {
    return { ...common, fullRange: true, subsamplingX: 0, subsamplingY: 0, chromaSamplePosition: 0 };
  }
  const fullRange = bits.flag();
  if (monochrome) return { ...common, fullRange, subsamplingX: 1, subsamplingY: 1, chromaSamplePosition: 0 };
  let [subsamplingX, subsamplingY] = profile === 0 ? [1, 1] : profile === 1 ? [0, 0] : [1, 0];
  if (profile === 2 && bitDepth === 12) {
    subsamplingX = bits.read(1);
    subsamplingY = subsamplingX === 1 ? bits.read(1) : 0;
  }
  const chromaSamplePosition = subsamplingX === 1 && subsamplingY === 1 ? bits.read(2) : 0;
  return { ...common, fullRange, subsamplingX, subsamplingY, chromaSamplePosition };
}

/**
 * True when decoding can start at these units: a shown frame of type KEY_FRAME (section 7.6.2). A keyframe that is shown
 * later by another frame (a "delayed random access point") is none, because nothing could be shown before that.
 */
export function isAv1Keyframe(obus: readonly Buffer[], reducedStillPicture = false): boolean {
  for (const obu of obus) {
    const layout = readObu(obu);
    if (layout?.type !== OBU.frame && layout?.type !== OBU.frameHeader) continue;
    if (reducedStillPicture) return true;
    const bits = new BitReader(obu.subarray(layout.payloadStart, layout.end));
    const showsExistingFrame = bits.flag();
    const isKey = bits.read(2) === 0;
    const isShown = bits.flag();
    return !showsExistingFrame && isKey && isShown && !bits.overrun;
  }
  return false;
}

/** Whether there is a picture among these units. */
export function hasAv1Frame(obus: readonly Buffer[]): boolean {
  return obus.some((obu) => {
    const type = obuType(obu);
    return type === OBU.frame || type === OBU.frameHeader;
  });
}

/** The format of a stream with this sequence header (a unit with its size); unknown without a readable one. */
export function av1Format(sequenceHeader?: Buffer): VideoFormat {
  const info = sequenceHeader && parseAv1SequenceHeader(sequenceHeader);
  return {
    kind: 'video',
    codec: 'av1',
    parameterSets: info && sequenceHeader ? [sequenceHeader] : [],
    width: info?.width ?? 0,
    height: info?.height ?? 0,
    codecString: info ? codecString(info) : '',
  };
}

/** As "AV1 Codec ISO Media File Format Binding" section 5 writes it, e.g. `av01.0.04M.08`. */
function codecString(info: Av1SequenceInfo): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const main = `av01.${info.profile}.${two(info.level)}${info.tier === 1 ? 'H' : 'M'}.${two(info.bitDepth)}`;
  const { colourPrimaries, transferCharacteristics, matrixCoefficients, fullRange } = info;
  const colours = [colourPrimaries, transferCharacteristics, matrixCoefficients];
  const chroma = `${info.subsamplingX}${info.subsamplingY}${info.chromaSamplePosition}`;
  // What is left out means 4:2:0 in BT.709, which is also what players take for colours that are not said.
  const isUsual = !info.monochrome && !fullRange && /^11[01]$/.test(chroma);
  if (isUsual && (colours.every((value) => value === 1) || colours.every((value) => value === 2)))
    return main;
  return [main, info.monochrome ? 1 : 0, chroma, ...colours.map(two), fullRange ? 1 : 0].join('.');
}

/**
 * AV1CodecConfigurationRecord (the same binding, section 2.3), the body of `av1C`. The format must have a readable
 * sequence header; throws a RangeError without one.
 */
export function av1Configuration(format: VideoFormat): Buffer {
  const [sequenceHeader] = format.parameterSets;
  const info = sequenceHeader && parseAv1SequenceHeader(sequenceHeader);
  if (!info) throw new RangeError('av1C needs a readable sequence header.');
  const flags =
    (info.tier << 7) |
    (info.bitDepth > 8 ? 0x40 : 0) |
    (info.bitDepth === 12 ? 0x20 : 0) |
    (info.monochrome ? 0x10 : 0) |
    (info.subsamplingX << 3) |
    (info.subsamplingY << 2) |
    info.chromaSamplePosition;
  return Buffer.concat([Buffer.from([0x81, (info.profile << 5) | info.level, flags, 0]), sequenceHeader]);
}

/** The sequence header in an `av1C`; undefined where there is none. */
export function readAv1Configuration(record: Buffer): Buffer | undefined {
  if (record[0] !== 0x81) return undefined;
  return splitObus(record.subarray(4)).find((obu) => obuType(obu) === OBU.sequenceHeader);
}
