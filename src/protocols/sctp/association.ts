import type { Clock } from '#util/clock.ts';
import { SctpInbound, type SctpMessage } from './inbound.ts';
import { SctpOutbound } from './outbound.ts';
import {
  ahead,
  buildInit,
  buildParameters,
  buildSack,
  buildSctp,
  CHUNK,
  COMMON_HEADER,
  parseData,
  parseInit,
  parseParameters,
  parseSack,
  parseSctp,
  plus,
  type SctpChunk,
  type SctpInit,
  type SctpPacket,
} from './packet.ts';

/** Largest packet: with DTLS, UDP and IPv6 around it 1280 bytes, which every way carries. */
const PACKET_SIZE = 1180;
/** Bytes that may wait here for what is missing before them. */
const WINDOW = 256 << 10;
const STREAMS = 65_535;
/** Random bytes of a state cookie: it names what is kept here, and needs no more. */
const COOKIE_SIZE = 16;

const PARAMETER = {
  cookie: 7,
  /** RFC 6525 sections 4.1, 4.4. */
  outgoingReset: 13,
  reconfigResponse: 16,
  /** RFC 5061 section 4.2.7. */
  extensions: 0x8008,
} as const;
/** Results of a reset (RFC 6525 section 4.4). */
const RESET = { done: 1, inProgress: 6 } as const;

export interface SctpAssociationOptions {
  readonly clock: Clock;
  /** `a=sctp-port` of both sides. */
  readonly localPort: number;
  readonly remotePort: number;
  /** Bytes of the largest message that is taken; `a=max-message-size` says so to the other side. */
  readonly maxMessageSize: number;
  readonly random: (size: number) => Buffer;
  readonly send: (packet: Buffer) => void;
  readonly onMessage: (message: SctpMessage) => void;
  /** The other side will say no more on these streams, and hear no more. */
  readonly onReset: (streams: readonly number[]) => void;
  /** Called once, and not after `close`. */
  readonly onClose: (reason: string) => void;
}

/** What was answered to INIT. */
interface Handshake {
  readonly theirs: SctpInit;
  readonly cookie: Buffer;
}

/**
 * The passive side of an SCTP association over DTLS (RFC 8261), as data channels need it (RFC 8831): reliable, in order,
 * with streams that can be reset. Bytes and time in, bytes out. Cookies need not be signed, nor be good without a memory,
 * since DTLS has proved already who speaks.
 */
export class SctpAssociation {
  readonly #options: SctpAssociationOptions;
  readonly #tag: number;
  readonly #firstTsn: number;
  #handshake: Handshake | undefined;
  #theirTag = 0;
  #inbound: SctpInbound | undefined;
  #outbound: SctpOutbound | undefined;
  /** The last reset that was asked for, and the chunk that it was answered with. */
  #reset: { readonly request: number; readonly answer: SctpChunk } | undefined;
  #nextReset: number;
  #closed = false;

  constructor(options: SctpAssociationOptions) {
    this.#options = options;
    // Zero would be no tag (RFC 9260 section 3.3.2).
    this.#tag = options.random(4).readUInt32BE() || 1;
    this.#firstTsn = options.random(4).readUInt32BE();
    this.#nextReset = this.#firstTsn;
  }

  get isOpen(): boolean {
    return this.#outbound !== undefined && !this.#closed;
  }

  /** Fragments of messages that are kept for the other side. */
  get fragments(): number {
    return this.#outbound?.fragments ?? 0;
  }

  /** Bytes of messages that were not acknowledged yet. */
  get buffered(): number {
    return this.#outbound?.buffered ?? 0;
  }

  /** Sends a message on a stream; before the association is open, and after its end, nothing. */
  sendMessage({ stream, protocol, payload }: SctpMessage): void {
    if (!this.#closed) this.#outbound?.push(stream, protocol, payload);
  }

  receive(bytes: Buffer): void {
    const packet = this.#closed ? undefined : parseSctp(bytes);
    const { localPort, remotePort } = this.#options;
    if (packet?.sourcePort !== remotePort || packet.destinationPort !== localPort) return;
    const [first] = packet.chunks;
    if (first?.type === CHUNK.init) {
      // Alone, and without a tag (RFC 9260 section 8.5.1).
      if (packet.chunks.length === 1 && packet.tag === 0) this.#answerInit(first.body);
      return;
    }
    // The tag of who ends may be their own, with the flag T (section 8.5.1).
    const isTheirs = ((first?.flags ?? 0) & 1) === 1 && packet.tag === this.#theirTag;
    const mayEnd = first?.type === CHUNK.abort || first?.type === CHUNK.shutdownComplete;
    if (packet.tag === this.#tag || (mayEnd && isTheirs && this.isOpen)) this.#take(packet);
  }

  /** Ends it: the other side is told. Idempotent. */
  close(): void {
    if (this.#closed) return;
    if (this.isOpen) this.#send([{ type: CHUNK.abort, flags: 0, body: Buffer.alloc(0) }]);
    this.#closed = true;
    this.#outbound?.close();
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbound?.close();
    this.#options.onClose(reason);
  }

  #take({ chunks }: SctpPacket): void {
    let hasData = false;
    for (const { type, flags, body } of chunks) {
      if (this.#closed) return;
      switch (type) {
        case CHUNK.data: {
          const data = parseData(body);
          if (!data || !this.#inbound) break;
          this.#inbound.take(data, flags);
          hasData = true;
          break;
        }
        case CHUNK.sack: {
          const sack = parseSack(body);
          if (sack) this.#outbound?.acknowledge(sack);
          break;
        }
        case CHUNK.cookieEcho:
          this.#open(body);
          break;
        case CHUNK.heartbeat:
          this.#send([{ type: CHUNK.heartbeatAck, flags: 0, body }]);
          break;
        case CHUNK.reconfig:
          this.#reconfigure(body);
          break;
        case CHUNK.abort:
          return this.#end('The other side gave the data channels up.');
        case CHUNK.shutdown:
          this.#send([{ type: CHUNK.shutdownAck, flags: 0, body: Buffer.alloc(0) }]);
          return this.#end('The other side closed the data channels.');
        default:
          // The upper bit of what is unknown says whether the chunks behind it count (section 3.2).
          if (type < 128 && !KNOWN.has(type)) return;
      }
    }
    if (hasData && !this.#closed && this.#inbound) {
      this.#send([{ type: CHUNK.sack, flags: 0, body: buildSack(this.#inbound.sack()) }]);
    }
  }

  #answerInit(body: Buffer): void {
    const theirs = parseInit(body);
    if (!theirs || theirs.tag === 0 || theirs.inboundStreams === 0 || theirs.outboundStreams === 0) return;
    // The association is there: nobody begins it anew within one DTLS connection.
    if (this.#outbound) return;
    // One that was sent again gets the same answer.
    const known = this.#handshake?.theirs;
    if (!known || known.tag !== theirs.tag || known.firstTsn !== theirs.firstTsn) {
      this.#handshake = { theirs, cookie: this.#options.random(COOKIE_SIZE) };
    }
    const answer = buildInit({
      tag: this.#tag,
      window: WINDOW,
      outboundStreams: STREAMS,
      inboundStreams: STREAMS,
      firstTsn: this.#firstTsn,
      parameters: [
        { type: PARAMETER.cookie, value: this.#handshake!.cookie },
        { type: PARAMETER.extensions, value: Buffer.from([CHUNK.reconfig]) },
      ],
    });
    this.#send([{ type: CHUNK.initAck, flags: 0, body: answer }], theirs.tag);
  }

  #open(cookie: Buffer): void {
    const handshake = this.#handshake;
    if (!handshake?.cookie.equals(cookie)) return;
    const { clock, maxMessageSize, onMessage } = this.#options;
    if (!this.#outbound) {
      const { tag, firstTsn, window } = handshake.theirs;
      this.#theirTag = tag;
      this.#inbound = new SctpInbound({
        ...{ firstTsn, window: WINDOW, maxMessageSize, onMessage },
        onFault: (reason) => {
          this.#send([{ type: CHUNK.abort, flags: 0, body: Buffer.alloc(0) }]);
          this.#end(reason);
        },
      });
      this.#outbound = new SctpOutbound({
        ...{ clock, firstTsn: this.#firstTsn, window, packetSize: PACKET_SIZE - COMMON_HEADER },
        send: (chunks) => this.#send(chunks),
        onFault: (reason) => this.#end(reason),
      });
    }
    // Again where the first answer was lost.
    this.#send([{ type: CHUNK.cookieAck, flags: 0, body: Buffer.alloc(0) }]);
  }

  /**
   * The other side closes channels by resetting its streams (RFC 6525, RFC 8831 section 6.7): ours are reset along with
   * the answer, in one chunk, so that one retransmission makes good whatever of it was lost.
   */
  #reconfigure(body: Buffer): void {
    const request = parseParameters(body, 0).find(({ type }) => type === PARAMETER.outgoingReset)?.value;
    if (!request || request.length < 12 || !this.#inbound || !this.#outbound) return;
    const number = request.readUInt32BE(0);
    if (this.#reset?.request === number) return this.#send([this.#reset.answer]);
    if (ahead(request.readUInt32BE(8), this.#inbound.cumulative) > 0) {
      const value = Buffer.alloc(8);
      value.writeUInt32BE(number, 0);
      value.writeUInt32BE(RESET.inProgress, 4);
      const later = buildParameters([{ type: PARAMETER.reconfigResponse, value }]);
      return this.#send([{ type: CHUNK.reconfig, flags: 0, body: later }]);
    }
    const streams: number[] = [];
    for (let at = 12; at + 2 <= request.length; at += 2) streams.push(request.readUInt16BE(at));
    const response = Buffer.alloc(8);
    response.writeUInt32BE(number, 0);
    response.writeUInt32BE(RESET.done, 4);
    const ours = Buffer.alloc(12 + 2 * streams.length);
    ours.writeUInt32BE(this.#nextReset, 0);
    ours.writeUInt32BE(number, 4);
    ours.writeUInt32BE(this.#outbound.lastTsn, 8);
    for (const [i, stream] of streams.entries()) {
      ours.writeUInt16BE(stream, 12 + 2 * i);
      this.#outbound.resetStream(stream);
    }
    this.#nextReset = plus(this.#nextReset, 1);
    const parameters = buildParameters([
      { type: PARAMETER.reconfigResponse, value: response },
      { type: PARAMETER.outgoingReset, value: ours },
    ]);
    const answer = { type: CHUNK.reconfig, flags: 0, body: parameters };
    this.#reset = { request: number, answer };
    this.#send([answer]);
    this.#options.onReset(streams);
  }

  #send(chunks: readonly SctpChunk[], tag = this.#theirTag): void {
    if (this.#closed) return;
    const { localPort: sourcePort, remotePort: destinationPort, send } = this.#options;
    send(buildSctp({ sourcePort, destinationPort, tag, chunks }));
  }
}

const KNOWN: ReadonlySet<number> = new Set(Object.values(CHUNK));
