import type { RtspHeaders } from './headers.ts';
import { reasonPhrase } from './status.ts';

export interface RtspRequest {
  readonly kind: 'request';
  /** In capitals. */
  readonly method: string;
  readonly uri: string;
  /** `RTSP/1.0`; `HTTP/1.1` when a browser knocked here; empty when the request line has none. */
  readonly version: string;
  readonly headers: RtspHeaders;
  readonly body: Buffer;
}

export interface RtspResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly headers: RtspHeaders;
  readonly body: Buffer;
}

/** One RTP or RTCP packet inside the RTSP connection (RFC 2326 section 10.12). */
export interface InterleavedFrame {
  readonly kind: 'interleaved';
  /** 0..255. */
  readonly channel: number;
  readonly payload: Buffer;
}

export type RtspMessage = RtspRequest | RtspResponse | InterleavedFrame;

/** The first byte of an interleaved frame, `$`. */
export const INTERLEAVED_MAGIC = 0x24;

/** `$`, channel, length: what stands in front of each interleaved packet. */
export const INTERLEAVED_HEADER_SIZE = 4;

const NO_BODY: Buffer = Buffer.alloc(0);

/** Text that may stand in a header: one line of printable ASCII. */
export function headerSafe(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').trim();
}

function serialize(startLine: string, headers: RtspHeaders, body: Buffer): Buffer {
  let head = `${startLine}\r\n`;
  for (const [name, value] of headers) head += `${name}: ${headerSafe(value)}\r\n`;
  if (body.length > 0) head += `Content-Length: ${body.length}\r\n`;
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body]);
}

/** Bytes of a request; Content-Length is added where there is a body. */
export function serializeRequest(method: string, uri: string, headers: RtspHeaders, body = NO_BODY): Buffer {
  return serialize(`${method} ${uri} RTSP/1.0`, headers, body);
}

/** Bytes of a response; `detail` is added to the reason phrase, which is what most players show to a person. */
export function serializeResponse(status: number, headers: RtspHeaders, body = NO_BODY, detail = ''): Buffer {
  const reason = headerSafe(detail ? `${reasonPhrase(status)} - ${detail}` : reasonPhrase(status));
  return serialize(`RTSP/1.0 ${status} ${reason.slice(0, 220)}`, headers, body);
}

/** Bytes of one interleaved frame. */
export function serializeInterleaved(channel: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(INTERLEAVED_HEADER_SIZE + payload.length);
  writeInterleavedHeader(frame, 0, channel, payload.length);
  payload.copy(frame, INTERLEAVED_HEADER_SIZE);
  return frame;
}

/** Writes the four bytes in front of a packet of `length` bytes; returns the offset behind them. */
export function writeInterleavedHeader(
  target: Buffer,
  offset: number,
  channel: number,
  length: number,
): number {
  target[offset] = INTERLEAVED_MAGIC;
  target[offset + 1] = channel;
  target.writeUInt16BE(length, offset + 2);
  return offset + INTERLEAVED_HEADER_SIZE;
}
