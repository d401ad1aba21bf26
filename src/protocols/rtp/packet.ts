/** The header of an RTP packet (RFC 3550 section 5.1) and where its payload lies. */
export interface RtpPacket {
  readonly payloadType: number;
  readonly marker: boolean;
  /** 16 bits. */
  readonly sequence: number;
  /** 32 bits. */
  readonly timestamp: number;
  readonly ssrc: number;
  /** A slice of the packet, without padding. */
  readonly payload: Buffer;
}

export const RTP_HEADER_SIZE = 12;

/** Reads an RTP packet; undefined when it is none. Contributing sources and header extensions are passed over. */
export function parseRtp(bytes: Buffer): RtpPacket | undefined {
  if (bytes.length < RTP_HEADER_SIZE) return undefined;
  const first = bytes.readUInt8(0);
  if (first >> 6 !== 2) return undefined;
  let start = RTP_HEADER_SIZE + (first & 0x0f) * 4;
  if (first & 0x10) {
    if (start + 4 > bytes.length) return undefined;
    start += 4 + bytes.readUInt16BE(start + 2) * 4;
  }
  let end = bytes.length;
  if (first & 0x20) {
    const padding = bytes.readUInt8(end - 1);
    // A padding of 0 or beyond the payload is wrong; cameras that set the bit without meaning it keep their payload.
    if (padding > 0 && end - padding >= start) end -= padding;
  }
  if (start > end) return undefined;
  const second = bytes.readUInt8(1);
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequence: bytes.readUInt16BE(2),
    timestamp: bytes.readUInt32BE(4),
    ssrc: bytes.readUInt32BE(8),
    payload: bytes.subarray(start, end),
  };
}

/** Writes the 12 bytes of a header without contributing sources, extension and padding. */
export function writeRtpHeader(into: Buffer, at: number, header: Omit<RtpPacket, 'payload'>): void {
  into[at] = 0x80;
  into[at + 1] = (header.marker ? 0x80 : 0) | header.payloadType;
  into.writeUInt16BE(header.sequence, at + 2);
  into.writeUInt32BE(header.timestamp, at + 4);
  into.writeUInt32BE(header.ssrc, at + 8);
}

/** A whole packet with its payload copied behind a header. */
export function buildRtp(packet: RtpPacket): Buffer {
  const bytes = Buffer.allocUnsafe(RTP_HEADER_SIZE + packet.payload.length);
  writeRtpHeader(bytes, 0, packet);
  packet.payload.copy(bytes, RTP_HEADER_SIZE);
  return bytes;
}

/** True for a packet that is RTCP where both travel on one port or channel (RFC 5761 section 4). */
export function isRtcp(bytes: Uint8Array): boolean {
  const type = bytes[1] ?? 0;
  return type >= 192 && type <= 223;
}
