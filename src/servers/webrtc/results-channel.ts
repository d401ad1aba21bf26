import { randomBytes } from 'node:crypto';
import { DataChannels } from '#protocols/sctp/data-channels.ts';
import { SCTP } from '#protocols/sdp/webrtc-answer.ts';
import type { Clock } from '#util/clock.ts';
import { RateLimit } from '#util/rate-limit.ts';

/** Label of the channel that a viewer opens for results; it may open it anew. */
const LABEL = 'results';
/** More than this waiting for a viewer: it is spared what it can do without. */
const BACKLOG_BYTES = 256 << 10;
/** Messages of one viewer in a second, many times what a page says; what is beyond is not heard. */
const MAX_MESSAGES = 50;

/** Lets a viewer in to the results of a stream; injected, since doors know nothing of algorithms. */
export type JoinResults = (
  stream: string,
  line: { send(text: Buffer): void; readonly isBehind: boolean },
) => { receive(data: Buffer, binary: boolean): void; leave(): void };

export interface ResultsChannelOptions {
  readonly clock: Clock;
  readonly stream: string;
  /** Of SCTP, as the offer has it. */
  readonly remotePort: number;
  /** Bytes of the largest message that the browser takes. */
  readonly maxMessageSize: number;
  readonly join: JoinResults;
  readonly send: (packet: Buffer) => void;
}

/** The data channels of one viewer: what is said over `results` is what the WebSocket of results says. */
export class ResultsChannel {
  readonly #channels: DataChannels;

  constructor({ clock, stream, remotePort, maxMessageSize, join, send }: ResultsChannelOptions) {
    const limit = new RateLimit(MAX_MESSAGES);
    this.#channels = new DataChannels({
      ...{ clock, remotePort, send, localPort: SCTP.port, maxMessageSize: SCTP.maxMessageSize },
      random: randomBytes,
      accepts: (label) => label === LABEL,
      onChannel: (channel) => {
        const seat = join(stream, {
          send: (text) => {
            if (text.length <= maxMessageSize) channel.sendText(text);
          },
          get isBehind() {
            return channel.buffered > BACKLOG_BYTES;
          },
        });
        return {
          message: (data, binary) => {
            if (limit.take(clock.now())) seat.receive(data, binary);
          },
          close: () => seat.leave(),
        };
      },
      // The media go on without it.
      onClose: () => {},
    });
  }

  receive(packet: Buffer): void {
    this.#channels.receive(packet);
  }

  /** Idempotent. */
  close(): void {
    this.#channels.close();
  }
}
