import type { RtpPayload } from './contract.ts';

/** Bits in the header of a fragment that say where its NAL unit begins and ends. */
export const FRAGMENT_START = 0x80;
export const FRAGMENT_END = 0x40;

/** How a codec writes its NAL units into RTP; the rest is common to RFC 6184 and RFC 7798. */
export interface NalPacking {
  /** Bytes of the header of a NAL unit, which is as long as that of an aggregate. */
  readonly headerLength: number;
  /** Whether RTP goes without this NAL unit. */
  isSpare(nal: Buffer): boolean;
  /** The header of the packet that carries these NAL units together. */
  aggregateHeader(nals: readonly Buffer[]): readonly number[];
  /** The headers of a fragment, a byte longer than that of the NAL unit; `flags` are FRAGMENT_START and FRAGMENT_END. */
  fragmentHeader(nal: Buffer, flags: number): readonly number[];
}

/** Single NAL units, small neighbours together in aggregates, large ones in fragments. */
export function packNals(
  payload: readonly Buffer[],
  maxPayloadSize: number,
  packing: NalPacking,
): RtpPayload[] {
  const { headerLength } = packing;
  const packets: Buffer[][] = [];
  let pending: Buffer[] = [];
  let pendingSize = headerLength;
  const flush = () => {
    if (pending.length === 1) packets.push(pending);
    else if (pending.length > 1) packets.push(aggregate(pending, packing));
    pending = [];
    pendingSize = headerLength;
  };
  for (const nal of payload) {
    if (nal.length < headerLength || packing.isSpare(nal)) continue;
    if (nal.length > maxPayloadSize) {
      flush();
      fragment(nal, maxPayloadSize, packing, packets);
      continue;
    }
    if (pendingSize + 2 + nal.length > maxPayloadSize) flush();
    pending.push(nal);
    pendingSize += 2 + nal.length;
  }
  flush();
  return packets.map((parts, i) => ({ parts, marker: i === packets.length - 1, timestampOffset: 0 }));
}

function aggregate(nals: readonly Buffer[], packing: NalPacking): Buffer[] {
  const parts: Buffer[] = [];
  nals.forEach((nal, i) => {
    const size = [nal.length >> 8, nal.length & 0xff];
    parts.push(Buffer.from(i === 0 ? [...packing.aggregateHeader(nals), ...size] : size), nal);
  });
  return parts;
}

function fragment(nal: Buffer, maxPayloadSize: number, packing: NalPacking, packets: Buffer[][]): void {
  const { headerLength } = packing;
  const room = maxPayloadSize - headerLength - 1;
  for (let at = headerLength; at < nal.length; at += room) {
    const end = Math.min(at + room, nal.length);
    const flags = (at === headerLength ? FRAGMENT_START : 0) | (end === nal.length ? FRAGMENT_END : 0);
    packets.push([Buffer.from(packing.fragmentHeader(nal, flags)), nal.subarray(at, end)]);
  }
}
