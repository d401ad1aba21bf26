import { crc32c } from './crc32c.ts';

/** Packets of SCTP (RFC 9260 section 3), as far as a data channel needs them. */

export const CHUNK = {
  data: 0,
  init: 1,
  initAck: 2,
  sack: 3,
  heartbeat: 4,
  heartbeatAck: 5,
  abort: 6,
  shutdown: 7,
  shutdownAck: 8,
  error: 9,
  cookieEcho: 10,
  cookieAck: 11,
  shutdownComplete: 14,
  /** RFC 6525. */
  reconfig: 130,
} as const;

/** Flags of DATA. */
export const DATA_FLAG = { end: 1, begin: 2, unordered: 4 } as const;

export interface SctpChunk {
  readonly type: number;
  readonly flags: number;
  /** Without the header and without padding. */
  readonly body: Buffer;
}

export interface SctpPacket {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly tag: number;
  readonly chunks: readonly SctpChunk[];
}

export interface SctpParameter {
  readonly type: number;
  readonly value: Buffer;
}

export const COMMON_HEADER = 12;
export const CHUNK_HEADER = 4;

/** Reads a packet; undefined when its checksum is wrong or it is none. Chunks after a broken one are left out. */
export function parseSctp(bytes: Buffer): SctpPacket | undefined {
  if (bytes.length < COMMON_HEADER + CHUNK_HEADER) return undefined;
  const checked = Buffer.from(bytes);
  checked.fill(0, 8, 12);
  if (crc32c(checked) !== bytes.readUInt32LE(8)) return undefined;
  return {
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    tag: bytes.readUInt32BE(4),
    chunks: readItems(bytes, COMMON_HEADER).map(({ type, value }) => ({
      ...{ type: type >> 8, flags: type & 0xff, body: value },
    })),
  };
}

/** Parameters (section 3.2.1) from `at` on. */
export function parseParameters(bytes: Buffer, at: number): SctpParameter[] {
  return readItems(bytes, at);
}

/** Chunks and parameters are laid out alike: 16 bits of type (of a chunk: type and flags), 16 of length, padding to 4. */
function readItems(bytes: Buffer, from: number): SctpParameter[] {
  const items: SctpParameter[] = [];
  for (let at = from; at + CHUNK_HEADER <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2);
    if (length < CHUNK_HEADER || at + length > bytes.length) break;
    items.push({ type: bytes.readUInt16BE(at), value: bytes.subarray(at + CHUNK_HEADER, at + length) });
    at += padded(length);
  }
  return items;
}

export function buildSctp(packet: SctpPacket): Buffer {
  const size = packet.chunks.reduce(
    (sum, { body }) => sum + padded(CHUNK_HEADER + body.length),
    COMMON_HEADER,
  );
  const bytes = Buffer.alloc(size);
  bytes.writeUInt16BE(packet.sourcePort, 0);
  bytes.writeUInt16BE(packet.destinationPort, 2);
  bytes.writeUInt32BE(packet.tag, 4);
  let at = COMMON_HEADER;
  for (const { type, flags, body } of packet.chunks) at = writeItem(bytes, at, (type << 8) | flags, body);
  bytes.writeUInt32LE(crc32c(bytes), 8);
  return bytes;
}

export function buildParameters(parameters: readonly SctpParameter[]): Buffer {
  const size = parameters.reduce((sum, { value }) => sum + padded(CHUNK_HEADER + value.length), 0);
  const bytes = Buffer.alloc(size);
  let at = 0;
  for (const { type, value } of parameters) at = writeItem(bytes, at, type, value);
  return bytes;
}

function writeItem(into: Buffer, at: number, type: number, body: Buffer): number {
  into.writeUInt16BE(type, at);
  into.writeUInt16BE(CHUNK_HEADER + body.length, at + 2);
  body.copy(into, at + CHUNK_HEADER);
  return at + padded(CHUNK_HEADER + body.length);
}

/** Bytes that a chunk with a body of `length` takes in a packet. */
export function chunkSize(length: number): number {
  return padded(CHUNK_HEADER + length);
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

/** Fixed part of INIT and INIT ACK (sections 3.3.2, 3.3.3). */
export interface SctpInit {
  readonly tag: number;
  /** Bytes that the sender of it takes at a time. */
  readonly window: number;
  readonly outboundStreams: number;
  readonly inboundStreams: number;
  readonly firstTsn: number;
  readonly parameters: readonly SctpParameter[];
}

const INIT_SIZE = 16;

export function parseInit(body: Buffer): SctpInit | undefined {
  if (body.length < INIT_SIZE) return undefined;
  return {
    tag: body.readUInt32BE(0),
    window: body.readUInt32BE(4),
    outboundStreams: body.readUInt16BE(8),
    inboundStreams: body.readUInt16BE(10),
    firstTsn: body.readUInt32BE(12),
    parameters: parseParameters(body, INIT_SIZE),
  };
}

export function buildInit(init: SctpInit): Buffer {
  const fixed = Buffer.alloc(INIT_SIZE);
  fixed.writeUInt32BE(init.tag, 0);
  fixed.writeUInt32BE(init.window, 4);
  fixed.writeUInt16BE(init.outboundStreams, 8);
  fixed.writeUInt16BE(init.inboundStreams, 10);
  fixed.writeUInt32BE(init.firstTsn, 12);
  return Buffer.concat([fixed, buildParameters(init.parameters)]);
}

/** What DATA carries (section 3.3.1). */
export interface SctpData {
  readonly tsn: number;
  readonly stream: number;
  readonly streamSequence: number;
  /** Kind of payload, as RFC 8831 section 8 numbers them. */
  readonly protocol: number;
  readonly payload: Buffer;
}

export const DATA_HEADER = 12;

export function parseData(body: Buffer): SctpData | undefined {
  if (body.length <= DATA_HEADER) return undefined;
  return {
    tsn: body.readUInt32BE(0),
    stream: body.readUInt16BE(4),
    streamSequence: body.readUInt16BE(6),
    protocol: body.readUInt32BE(8),
    payload: body.subarray(DATA_HEADER),
  };
}

export function buildData(data: SctpData): Buffer {
  const body = Buffer.allocUnsafe(DATA_HEADER + data.payload.length);
  body.writeUInt32BE(data.tsn, 0);
  body.writeUInt16BE(data.stream, 4);
  body.writeUInt16BE(data.streamSequence, 6);
  body.writeUInt32BE(data.protocol, 8);
  data.payload.copy(body, DATA_HEADER);
  return body;
}

/** What came (section 3.3.4): everything up to `cumulative`, and behind it what the gaps name. */
export interface SctpSack {
  readonly cumulative: number;
  readonly window: number;
  /** Offsets to `cumulative`, both ends included. */
  readonly gaps: readonly (readonly [start: number, end: number])[];
  readonly duplicates: readonly number[];
}

export function parseSack(body: Buffer): SctpSack | undefined {
  if (body.length < 12) return undefined;
  const gapCount = body.readUInt16BE(8);
  const duplicateCount = body.readUInt16BE(10);
  if (body.length < 12 + 4 * (gapCount + duplicateCount)) return undefined;
  return {
    cumulative: body.readUInt32BE(0),
    window: body.readUInt32BE(4),
    gaps: Array.from({ length: gapCount }, (_, i) => [
      body.readUInt16BE(12 + 4 * i),
      body.readUInt16BE(14 + 4 * i),
    ]),
    duplicates: Array.from({ length: duplicateCount }, (_, i) => body.readUInt32BE(12 + 4 * (gapCount + i))),
  };
}

export function buildSack(sack: SctpSack): Buffer {
  const body = Buffer.alloc(12 + 4 * (sack.gaps.length + sack.duplicates.length));
  body.writeUInt32BE(sack.cumulative, 0);
  body.writeUInt32BE(sack.window, 4);
  body.writeUInt16BE(sack.gaps.length, 8);
  body.writeUInt16BE(sack.duplicates.length, 10);
  for (const [i, [start, end]] of sack.gaps.entries()) {
    body.writeUInt16BE(start, 12 + 4 * i);
    body.writeUInt16BE(end, 14 + 4 * i);
  }
  for (const [i, tsn] of sack.duplicates.entries()) body.writeUInt32BE(tsn, 12 + 4 * (sack.gaps.length + i));
  return body;
}

/** How far `a` is ahead of `b` among numbers of 32 bits that wrap (RFC 1982); negative where it is behind. */
export function ahead(a: number, b: number): number {
  return (a - b) | 0;
}

/** The number so far behind `tsn`, 32 bits. */
export function plus(tsn: number, count: number): number {
  return (tsn + count) >>> 0;
}
