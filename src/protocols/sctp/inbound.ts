import { ahead, DATA_FLAG, plus, type SctpData, type SctpSack } from './packet.ts';

/** A whole message of a stream. */
export interface SctpMessage {
  readonly stream: number;
  readonly protocol: number;
  readonly payload: Buffer;
}

export interface SctpInboundOptions {
  /** Number of the first DATA that the other side sends. */
  readonly firstTsn: number;
  /** Bytes that may wait for what is missing before them; the other side is told what is left of it. */
  readonly window: number;
  /** Bytes of the largest message that is taken. */
  readonly maxMessageSize: number;
  readonly onMessage: (message: SctpMessage) => void;
  /** The other side sent what may not be. */
  readonly onFault: (reason: string) => void;
}

/** Gaps that are named in one SACK. */
const MAX_GAPS = 32;
const MAX_DUPLICATES = 16;
/** DATA that may wait for others before them, however small they are: each costs more than its bytes. */
const MAX_EARLY = 1024;

/**
 * The receiving half of an association (RFC 9260 section 6.2). DATA are taken in the order of their numbers, whatever
 * their streams: what is never given up (no partial reliability) comes, and then fragments of a message stand side by side,
 * and messages of a stream in their order.
 */
export class SctpInbound {
  readonly #options: SctpInboundOptions;
  /** Of the last DATA that was taken in order. */
  #cumulative: number;
  /** What came before its turn, by number. */
  readonly #early = new Map<number, { readonly data: SctpData; readonly flags: number }>();
  #earlyBytes = 0;
  #duplicates: number[] = [];
  #parts: Buffer[] = [];
  #partBytes = 0;

  constructor(options: SctpInboundOptions) {
    this.#options = options;
    this.#cumulative = plus(options.firstTsn, -1);
  }

  /** Everything up to this number was taken. */
  get cumulative(): number {
    return this.#cumulative;
  }

  take(data: SctpData, flags: number): void {
    const distance = ahead(data.tsn, this.#cumulative);
    if (distance <= 0 || this.#early.has(data.tsn)) {
      if (this.#duplicates.length < MAX_DUPLICATES) this.#duplicates.push(data.tsn);
      return;
    }
    if (distance === 1) return this.#takeInOrder(data, flags);
    // Beyond the window it was not allowed, and comes again.
    if (distance > 0xffff || this.#early.size >= MAX_EARLY) return;
    if (this.#earlyBytes + data.payload.length > this.#options.window) return;
    this.#early.set(data.tsn, { data: { ...data, payload: Buffer.from(data.payload) }, flags });
    this.#earlyBytes += data.payload.length;
  }

  /** What came so far, as the other side is to be told now. */
  sack(): SctpSack {
    const duplicates = this.#duplicates;
    this.#duplicates = [];
    const offsets = [...this.#early.keys()].map((tsn) => ahead(tsn, this.#cumulative)).sort((a, b) => a - b);
    const gaps: [number, number][] = [];
    for (const offset of offsets) {
      const last = gaps.at(-1);
      if (last && offset === last[1] + 1) last[1] = offset;
      else if (gaps.length < MAX_GAPS) gaps.push([offset, offset]);
      else break;
    }
    const window = Math.max(0, this.#options.window - this.#earlyBytes - this.#partBytes);
    return { cumulative: this.#cumulative, window, gaps, duplicates };
  }

  #takeInOrder(data: SctpData, flags: number): void {
    this.#cumulative = data.tsn;
    this.#assemble(data, flags);
    for (;;) {
      const next = this.#early.get(plus(this.#cumulative, 1));
      if (!next) return;
      this.#early.delete(next.data.tsn);
      this.#earlyBytes -= next.data.payload.length;
      this.#cumulative = next.data.tsn;
      this.#assemble(next.data, next.flags);
    }
  }

  #assemble({ stream, protocol, payload }: SctpData, flags: number): void {
    const begins = (flags & DATA_FLAG.begin) !== 0;
    if (begins !== (this.#parts.length === 0)) {
      return this.#options.onFault('The fragments of a message do not follow each other.');
    }
    this.#partBytes += payload.length;
    if (this.#partBytes > this.#options.maxMessageSize) {
      return this.#options.onFault(`A message is longer than ${this.#options.maxMessageSize} bytes.`);
    }
    // A copy: the packet's bytes are the socket's.
    this.#parts.push(Buffer.from(payload));
    if ((flags & DATA_FLAG.end) === 0) return;
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partBytes = 0;
    this.#options.onMessage({ stream, protocol, payload: whole });
  }
}
