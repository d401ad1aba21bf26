import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';

/**
 * Wire format of the link. Control messages are JSON text; access units are binary:
 *
 *     offset  size
 *     0       1     1 = access unit
 *     1       1     flags: bit 0 keyframe, bit 1 more units that were released together with it follow
 *     2       2     track id
 *     4       4     channel (subscription or publication)
 *     8       8     pts, float64 (ticks of the track's clock rate; integers up to 2^53)
 *     16      8     dts, float64
 *     24      8     ntp, float64 (milliseconds since 1970)
 *     32      2     milliseconds that the hub held the unit back until it was wanted
 *     34      2     units of the track that were left out before this one, 65,535 at most
 *     36      4     keyframes: ticks since the keyframe before; 0 where unknown
 *     40      4     number of payload parts, n
 *     44      4n    length of each part
 *     44+4n         the parts
 *
 * Big endian. Timestamps travel as they are: nothing is rounded on the way.
 */
const HEADER = 44;
const ACCESS_UNIT = 1;
const FLAG_KEYFRAME = 1;
const FLAG_MORE = 2;
/** More parts than any real picture has slices; a larger number is a broken message. */
const MAX_PARTS = 4096;

/** How a unit came over the link; see `held-units.ts`. */
export interface Passage {
  /** How long the hub held it back, milliseconds. */
  readonly heldMs: number;
  /** How many units of the track before it were left out, because nobody would have decoded them. */
  readonly leftOut: number;
  /** Of a keyframe: ticks since the one before it in the stream, whether that was sent or left out; 0: unknown. */
  readonly keyframeInterval: number;
  /** Units that were released together with this one follow: nobody need look before the last one is there. */
  readonly more: boolean;
}

/** The passage of a unit that went through at once. */
export const AT_ONCE: Passage = { heldMs: 0, leftOut: 0, keyframeInterval: 0, more: false };

/** An access unit as it comes from a link: the receiver knows the track behind `trackId`. */
export interface FramedUnit extends Passage {
  readonly channel: number;
  readonly trackId: number;
  readonly pts: number;
  readonly dts: number;
  readonly keyframe: boolean;
  readonly ntp: number;
  readonly payload: readonly Buffer[];
}

/** Bytes of the message for this unit. */
export function unitSize(unit: AccessUnit): number {
  let size = HEADER + 4 * unit.payload.length;
  for (const part of unit.payload) size += part.length;
  return size;
}

/** Writes the message into `bytes` from `start` on; {@link unitSize} says how much room it takes. */
export function writeUnit(
  bytes: Buffer,
  start: number,
  channel: number,
  unit: AccessUnit,
  passage: Passage = AT_ONCE,
): void {
  bytes[start] = ACCESS_UNIT;
  bytes[start + 1] = (unit.keyframe ? FLAG_KEYFRAME : 0) | (passage.more ? FLAG_MORE : 0);
  bytes.writeUInt16BE(unit.track.id, start + 2);
  bytes.writeUInt32BE(channel, start + 4);
  bytes.writeDoubleBE(unit.pts, start + 8);
  bytes.writeDoubleBE(unit.dts, start + 16);
  bytes.writeDoubleBE(unit.ntp, start + 24);
  bytes.writeUInt16BE(Math.min(0xffff, Math.round(passage.heldMs)), start + 32);
  bytes.writeUInt16BE(Math.min(0xffff, passage.leftOut), start + 34);
  bytes.writeUInt32BE(Math.min(0xffff_ffff, passage.keyframeInterval), start + 36);
  let at = bytes.writeUInt32BE(unit.payload.length, start + 40);
  for (const part of unit.payload) at = bytes.writeUInt32BE(part.length, at);
  for (const part of unit.payload) at += part.copy(bytes, at);
}

/** The bytes of one access unit message. */
export function encodeUnit(channel: number, unit: AccessUnit, passage?: Passage): Buffer {
  const bytes = Buffer.allocUnsafe(unitSize(unit));
  writeUnit(bytes, 0, channel, unit, passage);
  return bytes;
}

/** Reads an access unit message; the payload points into `bytes`. Undefined when the message is broken. */
export function decodeUnit(bytes: Buffer): FramedUnit | undefined {
  if (bytes.length < HEADER || bytes[0] !== ACCESS_UNIT) return undefined;
  const count = bytes.readUInt32BE(40);
  if (count === 0 || count > MAX_PARTS || bytes.length < HEADER + 4 * count) return undefined;
  const payload: Buffer[] = [];
  let at = HEADER + 4 * count;
  for (let i = 0; i < count; i++) {
    const length = bytes.readUInt32BE(HEADER + 4 * i);
    if (length === 0 || at + length > bytes.length) return undefined;
    payload.push(bytes.subarray(at, (at += length)));
  }
  const pts = bytes.readDoubleBE(8);
  const dts = bytes.readDoubleBE(16);
  const ntp = bytes.readDoubleBE(24);
  if (
    at !== bytes.length ||
    !Number.isSafeInteger(pts) ||
    !Number.isSafeInteger(dts) ||
    !Number.isFinite(ntp)
  ) {
    return undefined;
  }
  return {
    channel: bytes.readUInt32BE(4),
    trackId: bytes.readUInt16BE(2),
    pts,
    dts,
    keyframe: (bytes[1]! & FLAG_KEYFRAME) !== 0,
    ntp,
    heldMs: bytes.readUInt16BE(32),
    leftOut: bytes.readUInt16BE(34),
    keyframeInterval: bytes.readUInt32BE(36),
    more: (bytes[1]! & FLAG_MORE) !== 0,
    payload,
  };
}

/** A control message as text; Buffers inside become `{"$b": "<base64>"}`. */
export function encodeMessage(message: object): string {
  return JSON.stringify(message, function (this: Record<string, unknown>, key, value: unknown) {
    // Buffer has a toJSON of its own, which ran before this replacer: look at the original.
    const original = this[key];
    return Buffer.isBuffer(original) ? { $b: original.toString('base64') } : value;
  });
}

/** The message behind the text; undefined when it is no JSON object with a `type`. */
export function decodeMessage<Message extends { type: string }>(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text, (_key, item: unknown) => {
      if (typeof item === 'object' && item !== null && '$b' in item && typeof item.$b === 'string') {
        return Buffer.from(item.$b, 'base64');
      }
      return item;
    });
    if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string') {
      return value as Message;
    }
  } catch {
    // Not JSON: broken like any other message.
  }
  return undefined;
}

/** True when both describe the same format, byte for byte: then a new Track object is no change. */
export function sameTrack(a: Track, b: Track): boolean {
  return encodeMessage(a) === encodeMessage(b);
}
