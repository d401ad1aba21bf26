import { SctpAssociation, type SctpAssociationOptions } from './association.ts';
import type { SctpMessage } from './inbound.ts';

/** Kinds of payload (RFC 8831 section 8). */
const PROTOCOL = { control: 50, text: 51, binary: 53, emptyText: 56, emptyBinary: 57 } as const;
/** Messages of the Data Channel Establishment Protocol (RFC 8832 section 5). */
const CONTROL = { acknowledge: 2, open: 3 } as const;
const OPEN_HEADER = 12;
/** Channels of one connection: what is beyond is not answered. */
const MAX_CHANNELS = 8;
/** Fragments that may wait for who opens channels: each has an answer, and who takes none could open them for ever. */
const MAX_FRAGMENTS = 2048;

/** A channel that the other side opened. */
export interface DataChannel {
  readonly label: string;
  sendText(text: Buffer): void;
  /** Bytes that wait for the other side, of all channels of the connection. */
  readonly buffered: number;
}

/** What becomes of a channel. */
export interface DataChannelHandlers {
  message(data: Buffer, binary: boolean): void;
  close(): void;
}

export type DataChannelsOptions = Omit<SctpAssociationOptions, 'onMessage' | 'onReset'> & {
  /** Whether somebody here knows channels of that label; others are not answered. */
  readonly accepts: (label: string) => boolean;
  /** A channel was opened. */
  readonly onChannel: (channel: DataChannel) => DataChannelHandlers;
};

/** The data channels (RFC 8831) that the other side opens in-band (RFC 8832) over one SCTP association. */
export class DataChannels {
  readonly #options: DataChannelsOptions;
  readonly #association: SctpAssociation;
  readonly #channels = new Map<number, DataChannelHandlers>();

  constructor(options: DataChannelsOptions) {
    this.#options = options;
    this.#association = new SctpAssociation({
      ...options,
      onMessage: (message) => this.#take(message),
      onReset: (streams) => {
        for (const stream of streams) this.#forget(stream);
      },
      onClose: (reason) => {
        this.#forgetAll();
        options.onClose(reason);
      },
    });
  }

  receive(packet: Buffer): void {
    this.#association.receive(packet);
  }

  /** Idempotent. */
  close(): void {
    this.#association.close();
    this.#forgetAll();
  }

  #take({ stream, protocol, payload }: SctpMessage): void {
    if (protocol === PROTOCOL.control) return this.#control(stream, payload);
    const isText = protocol === PROTOCOL.text || protocol === PROTOCOL.emptyText;
    const isEmpty = protocol === PROTOCOL.emptyText || protocol === PROTOCOL.emptyBinary;
    if (!isText && !isEmpty && protocol !== PROTOCOL.binary) return;
    this.#channels.get(stream)?.message(isEmpty ? Buffer.alloc(0) : payload, !isText);
  }

  #control(stream: number, message: Buffer): void {
    if (message[0] !== CONTROL.open || message.length < OPEN_HEADER) return;
    if (this.#channels.has(stream) || this.#channels.size >= MAX_CHANNELS) return;
    if (this.#association.fragments >= MAX_FRAGMENTS) return;
    const labelEnd = OPEN_HEADER + message.readUInt16BE(8);
    const end = labelEnd + message.readUInt16BE(10);
    const label = message.toString('utf8', OPEN_HEADER, labelEnd);
    if (end > message.length || !this.#options.accepts(label)) return;
    const association = this.#association;
    const payload = Buffer.from([CONTROL.acknowledge]);
    association.sendMessage({ stream, protocol: PROTOCOL.control, payload });
    let isOpen = true;
    const handlers = this.#options.onChannel({
      label,
      sendText: (text) => {
        if (!isOpen) return;
        const kind = text.length > 0 ? PROTOCOL.text : PROTOCOL.emptyText;
        association.sendMessage({ stream, protocol: kind, payload: text });
      },
      get buffered() {
        return association.buffered;
      },
    });
    this.#channels.set(stream, {
      message: handlers.message,
      close: () => {
        isOpen = false;
        handlers.close();
      },
    });
  }

  #forget(stream: number): void {
    const handlers = this.#channels.get(stream);
    this.#channels.delete(stream);
    handlers?.close();
  }

  #forgetAll(): void {
    for (const stream of [...this.#channels.keys()]) this.#forget(stream);
  }
}
