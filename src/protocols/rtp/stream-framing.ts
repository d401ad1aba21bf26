/** Packets in a stream of bytes, each behind its size in two bytes (RFC 4571). */

/** Takes a stream apart. What is not complete is kept, at most one packet. */
export class FrameReader {
  readonly #maxSize: number;
  #rest: Buffer = Buffer.alloc(0);

  /** @param maxSize bytes of the largest packet that is taken */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** The packets that are complete now, as slices; undefined when one is larger than it may be: the stream is over. */
  push(bytes: Buffer): Buffer[] | undefined {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    const packets: Buffer[] = [];
    let at = 0;
    while (at + 2 <= all.length) {
      const size = all.readUInt16BE(at);
      if (size > this.#maxSize) return undefined;
      if (at + 2 + size > all.length) break;
      if (size > 0) packets.push(all.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    this.#rest = all.subarray(at);
    return packets;
  }
}

/** What stands before a packet of that size. */
export function frameHeader(size: number): Buffer {
  const header = Buffer.allocUnsafe(2);
  header.writeUInt16BE(size);
  return header;
}
