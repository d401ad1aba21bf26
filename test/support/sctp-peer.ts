import { SctpInbound, type SctpMessage } from '#protocols/sctp/inbound.ts';
import { SctpOutbound } from '#protocols/sctp/outbound.ts';
import {
  buildInit,
  buildParameters,
  buildSack,
  buildSctp,
  CHUNK,
  parseData,
  parseInit,
  parseParameters,
  parseSack,
  parseSctp,
  type SctpChunk,
} from '#protocols/sctp/packet.ts';
import type { Clock } from '#util/clock.ts';

const TAG = 0x1234_5678;
const FIRST_TSN = 0xffff_fff0;

/** The side of an SCTP association that begins it, as a browser does; only what tests need. */
export class SctpPeer {
  readonly messages: SctpMessage[] = [];
  readonly heard: number[] = [];
  readonly #send: (packet: Buffer) => void;
  readonly #inbound: (firstTsn: number) => SctpInbound;
  #receiver: SctpInbound | undefined;
  readonly outbound: SctpOutbound;
  #theirTag = 0;
  #reset = FIRST_TSN;

  constructor(clock: Clock, send: (packet: Buffer) => void) {
    this.#send = send;
    this.#inbound = (firstTsn) =>
      new SctpInbound({
        ...{ firstTsn, window: 1 << 20, maxMessageSize: 1 << 20 },
        onMessage: (message) => this.messages.push(message),
        onFault: (reason) => {
          throw new Error(reason);
        },
      });
    this.outbound = new SctpOutbound({
      ...{ clock, firstTsn: FIRST_TSN, window: 256 << 10, packetSize: 1168 },
      send: (chunks) => this.say(chunks),
      onFault: (reason) => {
        throw new Error(reason);
      },
    });
  }

  init(): void {
    const init = {
      tag: TAG,
      window: 1 << 20,
      outboundStreams: 1024,
      inboundStreams: 1024,
      firstTsn: FIRST_TSN,
    };
    this.say([{ type: CHUNK.init, flags: 0, body: buildInit({ ...init, parameters: [] }) }], 0);
  }

  /** Asks for a stream to be reset (RFC 6525): the same request again with `again`. */
  reset(stream: number, again = false): void {
    if (!again) this.#reset++;
    const value = Buffer.alloc(14);
    value.writeUInt32BE(this.#reset >>> 0, 0);
    value.writeUInt32BE(this.outbound.lastTsn, 8);
    value.writeUInt16BE(stream, 12);
    this.say([{ type: CHUNK.reconfig, flags: 0, body: buildParameters([{ type: 13, value }]) }]);
  }

  say(chunks: readonly SctpChunk[], tag = this.#theirTag): void {
    this.#send(buildSctp({ sourcePort: 5000, destinationPort: 5000, tag, chunks }));
  }

  receive(packet: Buffer): void {
    const { chunks, tag } = parseSctp(packet) ?? { chunks: [], tag: 0 };
    if (tag !== TAG) return;
    let hasData = false;
    for (const { type, flags, body } of chunks) {
      this.heard.push(type);
      if (type === CHUNK.initAck) {
        const init = parseInit(body);
        const cookie = init?.parameters.find((parameter) => parameter.type === 7)?.value;
        if (!init || !cookie) continue;
        this.#theirTag = init.tag;
        this.#receiver ??= this.#inbound(init.firstTsn);
        this.say([{ type: CHUNK.cookieEcho, flags: 0, body: cookie }]);
      } else if (type === CHUNK.data) {
        const data = parseData(body);
        if (data) this.#receiver?.take(data, flags);
        hasData = true;
      } else if (type === CHUNK.sack) {
        const sack = parseSack(body);
        if (sack) this.outbound.acknowledge(sack);
      }
    }
    if (hasData && this.#receiver) {
      this.say([{ type: CHUNK.sack, flags: 0, body: buildSack(this.#receiver.sack()) }]);
    }
  }

  /** Parameters of the last chunk of that kind in a packet. */
  static parameters(packet: Buffer, type: number): number[] {
    const chunk = parseSctp(packet)?.chunks.findLast((one) => one.type === type);
    return chunk ? parseParameters(chunk.body, 0).map((parameter) => parameter.type) : [];
  }
}
