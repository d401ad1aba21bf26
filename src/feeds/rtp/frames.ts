import { INTERLEAVED_HEADER_SIZE } from '#protocols/rtsp/message.ts';

/**
 * Goes through the frames in bytes of a feed, one behind the other: the channel of each, and where its packet begins and
 * ends. What stands before the packet is its header of four bytes.
 */
export function eachFrame(bytes: Buffer, visit: (channel: number, start: number, end: number) => void): void {
  for (let at = 0; at + INTERLEAVED_HEADER_SIZE <= bytes.length; ) {
    const start = at + INTERLEAVED_HEADER_SIZE;
    const end = start + bytes.readUInt16BE(at + 2);
    visit(bytes.readUInt8(at + 1), start, end);
    at = end;
  }
}

/** The packets in bytes of a feed, as slices. */
export function framedPackets(bytes: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  eachFrame(bytes, (_channel, start, end) => packets.push(bytes.subarray(start, end)));
  return packets;
}
