import { NamedError } from '#util/named-error.ts';
import type { RtmpMessage } from './message.ts';
import { FIRST_CHUNK_SIZE, MessageType } from './message.ts';

/** Longest message that is taken, in bytes: a keyframe of a 4K stream has less than a quarter of it. */
const MAX_MESSAGE = 16 << 20;
/** Bytes of unfinished messages on all chunk streams together. */
const MAX_UNFINISHED = 2 * MAX_MESSAGE;
/** Chunk streams of one connection; encoders use up to six. */
const MAX_CHUNK_STREAMS = 64;
/** Above it a timestamp stands in four bytes more (section 5.3.1.3). */
const EXTENDED = 0xffffff;

interface ChunkStream {
  /** Timestamp of the message that is being read, ms modulo 2^32. */
  timestamp: number;
  /** Added for a message that begins with a chunk of type 3. */
  delta: number;
  length: number;
  type: number;
  streamId: number;
  /** What stood in four bytes behind the last header; undefined where there was none. */
  extended: number | undefined;
  parts: Buffer[];
  received: number;
}

/**
 * Cuts the bytes of a connection, after the handshake, into messages (Adobe, "RTMP Specification 1.0", section 5.3).
 * Payloads of one chunk are slices of what was pushed; others are copied once.
 */
export class ChunkReader {
  #chunkSize = FIRST_CHUNK_SIZE;
  #pending: Buffer = Buffer.alloc(0);
  /** What came since, and how many bytes there must be in all before looking again is worth it. */
  #more: Buffer[] = [];
  #total = 0;
  #needed = 1;
  #unfinished = 0;
  readonly #streams = new Map<number, ChunkStream>();

  /** Bytes that are held for messages that are not complete. */
  get held(): number {
    return this.#total + this.#unfinished;
  }

  push(bytes: Buffer): void {
    this.#more.push(bytes);
    this.#total += bytes.length;
  }

  /**
   * The next message; undefined until more bytes come. Chunk sizes and aborts are followed here and not given out.
   * @throws NamedError RTMP_PROTOCOL_ERROR; the connection cannot go on then
   */
  next(): RtmpMessage | undefined {
    if (this.#total < this.#needed) return undefined;
    if (this.#more.length > 0) {
      this.#pending =
        this.#pending.length === 0 && this.#more.length === 1
          ? this.#more[0]!
          : Buffer.concat([this.#pending, ...this.#more]);
      this.#more = [];
    }
    for (;;) {
      const message = this.#chunk();
      if (message === undefined) return undefined;
      if (message === 'more') continue;
      if (message.type === MessageType.setChunkSize) this.#setChunkSize(message.payload);
      else if (message.type === MessageType.abort) this.#abort(message.payload);
      else return message;
    }
  }

  /** Reads one chunk: its message when it is the last of it. */
  #chunk(): RtmpMessage | 'more' | undefined {
    const bytes = this.#pending;
    const first = bytes[0];
    if (first === undefined) return this.#lacks(1);
    const idSize = (first & 63) === 0 ? 2 : (first & 63) === 1 ? 3 : 1;
    const fmt = first >> 6;
    const headerSize = idSize + [11, 7, 3, 0][fmt]!;
    if (bytes.length < headerSize) return this.#lacks(headerSize);
    const id = idSize === 1 ? first & 63 : 64 + bytes[1]! + (idSize === 3 ? bytes[2]! * 256 : 0);
    const known = this.#streams.get(id);
    if (!known && fmt === 3) throw broken(`chunk stream ${id} begins with a chunk that has no header`);
    if (!known && this.#streams.size >= MAX_CHUNK_STREAMS) {
      throw broken(`it has more than ${MAX_CHUNK_STREAMS} chunk streams`);
    }
    const stream = known ?? emptyStream();
    const begins = stream.received === 0;
    const field = fmt < 3 ? bytes.readUIntBE(idSize, 3) : undefined;
    const length = fmt < 2 ? bytes.readUIntBE(idSize + 3, 3) : stream.length;
    if (length > MAX_MESSAGE) throw broken(`a message of ${length} bytes is longer than ${MAX_MESSAGE}`);

    let at = headerSize;
    let extended = fmt < 3 ? undefined : stream.extended;
    if (field === EXTENDED) {
      if (bytes.length < at + 4) return this.#lacks(at + 4);
      extended = bytes.readUInt32BE(at);
      at += 4;
    } else if (fmt === 3 && extended !== undefined) {
      if (bytes.length < at + 4) return this.#lacks(at + 4);
      // Some senders do not repeat it on chunks of type 3, though they should: it is there when it is the same.
      const again = bytes.readUInt32BE(at);
      if (again === extended || begins) {
        extended = again;
        at += 4;
      }
    }
    // A header in the middle of a message begins it anew: the rest of the old one will not come.
    const restarts = !begins && fmt !== 3;
    const received = restarts ? 0 : stream.received;
    const size = Math.min(this.#chunkSize, length - received);
    if (bytes.length < at + size) return this.#lacks(at + size);

    if (restarts) this.#drop(stream);
    if (fmt < 3) this.#header(stream, fmt, extended ?? field!, bytes, idSize);
    else if (begins) stream.timestamp = (stream.timestamp + (extended ?? stream.delta)) % 2 ** 32;
    stream.length = length;
    stream.extended = extended;
    this.#streams.set(id, stream);
    const part = bytes.subarray(at, at + size);
    this.#pending = bytes.subarray(at + size);
    this.#total = this.#pending.length;
    this.#needed = 1;
    return this.#take(stream, part);
  }

  #lacks(needed: number): undefined {
    this.#needed = needed;
  }

  #header(stream: ChunkStream, fmt: number, time: number, bytes: Buffer, at: number): void {
    stream.timestamp = fmt === 0 ? time : (stream.timestamp + time) % 2 ** 32;
    stream.delta = time;
    if (fmt < 2) stream.type = bytes[at + 6]!;
    if (fmt === 0) stream.streamId = bytes.readUInt32LE(at + 7);
  }

  #take(stream: ChunkStream, part: Buffer): RtmpMessage | 'more' {
    const { length, type, streamId, timestamp } = stream;
    if (stream.received + part.length < length) {
      // A copy: a slice would keep the whole receive buffer, however little of it this is.
      stream.parts.push(Buffer.from(part));
      stream.received += part.length;
      this.#unfinished += part.length;
      if (this.#unfinished > MAX_UNFINISHED) {
        throw broken(`its unfinished messages have more than ${MAX_UNFINISHED} bytes`);
      }
      return 'more';
    }
    const payload = stream.received === 0 ? part : Buffer.concat([...stream.parts, part]);
    this.#drop(stream);
    return { type, streamId, timestamp, payload };
  }

  #drop(stream: ChunkStream): void {
    this.#unfinished -= stream.received;
    stream.parts = [];
    stream.received = 0;
  }

  #setChunkSize(payload: Buffer): void {
    const size = payload.length >= 4 ? payload.readUInt32BE(0) & 0x7fffffff : 0;
    if (size < 1) throw broken('it sets a chunk size of 0');
    this.#chunkSize = Math.min(size, MAX_MESSAGE);
  }

  #abort(payload: Buffer): void {
    const stream = payload.length >= 4 ? this.#streams.get(payload.readUInt32BE(0)) : undefined;
    if (stream) this.#drop(stream);
  }
}

function emptyStream(): ChunkStream {
  return {
    timestamp: 0,
    delta: 0,
    length: 0,
    type: 0,
    streamId: 0,
    extended: undefined,
    parts: [],
    received: 0,
  };
}

function broken(why: string): NamedError {
  return new NamedError('RTMP_PROTOCOL_ERROR', `The other side does not speak RTMP: ${why}.`);
}
