import { RTP_HEADER_SIZE } from './packet.ts';

/** Profiles of header extensions with several elements (RFC 8285 sections 4.2 and 4.3). */
export const ONE_BYTE = 0xbede;
const TWO_BYTES = 0x1000;

/** The element with that id in the header extension of an RTP packet; undefined where there is none. Never throws. */
export function headerExtension(packet: Buffer, id: number): Buffer | undefined {
  const first = packet[0] ?? 0;
  const start = RTP_HEADER_SIZE + (first & 0x0f) * 4;
  if ((first & 0x10) === 0 || start + 4 > packet.length) return undefined;
  const profile = packet.readUInt16BE(start);
  const end = start + 4 + packet.readUInt16BE(start + 2) * 4;
  const isShort = profile === ONE_BYTE;
  if (end > packet.length || (!isShort && (profile & 0xfff0) !== TWO_BYTES)) return undefined;
  for (let at = start + 4; at < end; ) {
    const head = packet[at] ?? 0;
    // Padding between elements.
    if (head === 0) {
      at++;
      continue;
    }
    const [element, size] = isShort ? [head >> 4, (head & 0x0f) + 1] : [head, packet[at + 1] ?? 0];
    // Ends the list (RFC 8285 section 4.2).
    if (isShort && element === 15) return undefined;
    const from = at + (isShort ? 1 : 2);
    if (from + size > end) return undefined;
    if (element === id) return packet.subarray(from, from + size);
    at = from + size;
  }
  return undefined;
}
