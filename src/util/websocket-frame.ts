/**
 * Frames of a WebSocket as a server sends them (RFC 6455 §5.2): one unmasked frame per message. Built here rather than
 * by the socket, so that the bytes of a message are made once and shared by all who get it.
 */

const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
const CLOSE = 0x88;
/** Control frames have 125 bytes at most, of which the code takes two. */
const MAX_REASON = 123;

/** Bytes in front of a message of `size` bytes: 2, 4 or 10. */
export function frameHeaderSize(size: number): number {
  if (size < 126) return 2;
  return size < 65_536 ? 4 : 10;
}

function writeFrameHeader(target: Buffer, size: number, first: number): void {
  target[0] = first;
  if (size < 126) {
    target[1] = size;
  } else if (size < 65_536) {
    target[1] = 126;
    target.writeUInt16BE(size, 2);
  } else {
    target[1] = 127;
    target.writeUInt32BE(Math.floor(size / 2 ** 32), 2);
    target.writeUInt32BE(size % 2 ** 32, 6);
  }
}

/** Writes the header of a binary message of `size` bytes at the start of `target`. */
export function writeBinaryHeader(target: Buffer, size: number): void {
  writeFrameHeader(target, size, FINAL_BINARY);
}

/** A whole text message: header and UTF-8. */
export function textFrame(text: string): Buffer {
  const size = Buffer.byteLength(text);
  const start = frameHeaderSize(size);
  const frame = Buffer.allocUnsafe(start + size);
  writeFrameHeader(frame, size, FINAL_TEXT);
  frame.write(text, start);
  return frame;
}

/** A Close frame (RFC 6455 §5.5.1) with a code and a reason, which is cut where it is too long. */
export function closeFrame(code: number, reason: string): Buffer {
  let text = Buffer.from(reason);
  if (text.length > MAX_REASON) {
    let end = MAX_REASON;
    // No letter is cut in two: bytes that go on with one begin with 10.
    while (((text[end] ?? 0) & 0xc0) === 0x80) end--;
    text = text.subarray(0, end);
  }
  const frame = Buffer.allocUnsafe(4 + text.length);
  writeFrameHeader(frame, 2 + text.length, CLOSE);
  frame.writeUInt16BE(code, 2);
  text.copy(frame, 4);
  return frame;
}
