import { ONE_BYTE } from './header-extension.ts';

/** What a delay is counted in, ms, and how many of these there may be: 12 bits. */
const UNIT_MS = 10;
const MAX_UNITS = 0xfff;
/** The longest delay that can be said, ms. */
export const LONGEST_PLAYOUT_DELAY_MS = UNIT_MS * MAX_UNITS;
/** Ids that a header of one byte has room for (RFC 8285 section 4.2). */
const MAX_ID = 14;

/** In ms, rounded up to tens; `min` at most `max`, and that at most {@link LONGEST_PLAYOUT_DELAY_MS}. */
export interface PlayoutDelay {
  readonly min: number;
  readonly max: number;
}

/**
 * The header extension by which a sender bounds how long pictures wait in the receiver's jitter buffer
 * (http://www.webrtc.org/experiments/rtp-hdrext/playout-delay): the block behind an RTP header, with its profile and length: one element of three bytes, the least and the
 * greatest delay in 12 bits each, in units of 10 ms. Undefined for an id that takes a header of two bytes.
 */
export function playoutDelayBlock(id: number, { min, max }: PlayoutDelay): Buffer | undefined {
  if (id < 1 || id > MAX_ID) return undefined;
  const units = (ms: number) => Math.min(Math.max(Math.ceil(ms / UNIT_MS), 0), MAX_UNITS);
  const block = Buffer.alloc(8);
  block.writeUInt16BE(ONE_BYTE, 0);
  block.writeUInt16BE(1, 2);
  block[4] = (id << 4) | 2;
  block.writeUIntBE(units(min) * 0x1000 + units(max), 5, 3);
  return block;
}
