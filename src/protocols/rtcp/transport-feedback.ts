/**
 * When the packets of a transport arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01), which senders such as
 * Chromium need to find out how much they may send.
 */

/** Largest number of packets that one message tells of. */
const MAX_PACKETS = 400;
/** Ticks of arrival times, ms. */
const TICK_MS = 0.25;
/** Ticks of the reference time, ms. */
const REFERENCE_MS = 64;
/** Arrivals are told of again for so long, when a packet before them comes late. */
const MEMORY_MS = 500;
const MAX_MEMORY = 2000;

const RTPFB = 205;
const TRANSPORT_FEEDBACK = 15;

/** Packet states (section 3.1.1). */
const NOT_RECEIVED = 0;
const SMALL_DELTA = 1;
const LARGE_DELTA = 2;

/** Notes arrivals, and makes messages of them. Without I/O; times in ms. */
export class TransportFeedback {
  /** Sequence numbers with their cycles. */
  readonly #arrivals = new Map<number, number>();
  #highest: number | undefined;
  /** The first packet that the next message tells of. */
  #from = 0;
  #count = 0;

  /** True when there is something to tell. */
  get pending(): boolean {
    return this.#highest !== undefined && this.#from <= this.#highest;
  }

  /** A packet with a transport-wide sequence number of 16 bits arrived. */
  packet(sequence: number, now: number): void {
    const highest = this.#highest;
    const number = highest === undefined ? sequence : highest + (((sequence - highest) << 16) >> 16);
    if (highest === undefined) this.#from = number;
    else if (this.#arrivals.has(number) || number <= highest - MAX_MEMORY) return;
    if (highest !== undefined && number - highest > MAX_MEMORY) {
      this.#arrivals.clear();
      this.#from = number;
    }
    this.#arrivals.set(number, now);
    this.#highest = Math.max(highest ?? number, number);
    // One that comes late is told of with all that follow it.
    this.#from = Math.min(this.#from, number);
  }

  /** What has not been told yet, as RTCP packets to be sent behind a report. */
  messages(ssrc: number, media: number, now: number): Buffer[] {
    const messages: Buffer[] = [];
    while (this.pending) messages.push(this.#message(ssrc, media));
    for (const [number, at] of this.#arrivals) {
      if (number < this.#from && (now - at > MEMORY_MS || this.#arrivals.size > MAX_MEMORY)) {
        this.#arrivals.delete(number);
      }
    }
    return messages;
  }

  /** Tells of packets from the first that was not told of, as far as one message holds them. */
  #message(ssrc: number, media: number): Buffer {
    const base = this.#from;
    const end = Math.min((this.#highest ?? base) + 1, base + MAX_PACKETS);
    this.#from = end;
    const states: number[] = [];
    const deltas: number[] = [];
    let reference: number | undefined;
    let ticks = 0;
    for (let number = base; number < end; number++) {
      const at = this.#arrivals.get(number);
      if (at === undefined) {
        states.push(NOT_RECEIVED);
        continue;
      }
      if (reference === undefined) {
        reference = Math.floor(at / REFERENCE_MS);
        ticks = reference * (REFERENCE_MS / TICK_MS);
      }
      const delta = Math.round(at / TICK_MS) - ticks;
      if (delta < -0x8000 || delta > 0x7fff) {
        this.#from = number;
        break;
      }
      ticks += delta;
      const isSmall = delta >= 0 && delta <= 0xff;
      states.push(isSmall ? SMALL_DELTA : LARGE_DELTA);
      if (isSmall) deltas.push(delta);
      else deltas.push((delta >> 8) & 0xff, delta & 0xff);
    }
    return this.#write({ ssrc, media, base, reference: reference ?? 0, states, deltas });
  }

  #write(message: {
    readonly ssrc: number;
    readonly media: number;
    readonly base: number;
    readonly reference: number;
    readonly states: readonly number[];
    readonly deltas: readonly number[];
  }): Buffer {
    const chunks = statusChunks(message.states);
    const size = 20 + chunks.length * 2 + message.deltas.length;
    const padding = (4 - (size % 4)) % 4;
    const bytes = Buffer.alloc(size + padding);
    bytes[0] = 0x80 | (padding > 0 ? 0x20 : 0) | TRANSPORT_FEEDBACK;
    bytes[1] = RTPFB;
    bytes.writeUInt16BE(bytes.length / 4 - 1, 2);
    bytes.writeUInt32BE(message.ssrc, 4);
    bytes.writeUInt32BE(message.media, 8);
    bytes.writeUInt16BE(message.base & 0xffff, 12);
    bytes.writeUInt16BE(message.states.length, 14);
    bytes.writeUIntBE(message.reference % 2 ** 23, 16, 3);
    bytes[19] = this.#count++ & 0xff;
    let at = 20;
    for (const chunk of chunks) at = bytes.writeUInt16BE(chunk, at);
    bytes.set(message.deltas, at);
    if (padding > 0) bytes[bytes.length - 1] = padding;
    return bytes;
  }
}

/** Runs of at least seven equal states in one word, else seven states in one (sections 3.1.3 and 3.1.4). */
function statusChunks(states: readonly number[]): number[] {
  const chunks: number[] = [];
  for (let at = 0; at < states.length; ) {
    const state = states[at] ?? NOT_RECEIVED;
    let run = 1;
    while (at + run < states.length && states[at + run] === state && run < 0x1fff) run++;
    if (run >= 7 || at + run === states.length) {
      chunks.push((state << 13) | run);
      at += run;
      continue;
    }
    let word = 0xc000;
    for (let i = 0; i < 7; i++) word |= (states[at + i] ?? NOT_RECEIVED) << (12 - 2 * i);
    chunks.push(word);
    at += 7;
  }
  return chunks;
}
