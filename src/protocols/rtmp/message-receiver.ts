import type { AmfValue } from '#util/amf-value.ts';
import { parseAmf0 } from '#util/amf0.ts';
import { splitAggregate } from './aggregate.ts';
import { ChunkReader } from './chunk-reader.ts';
import { controlMessage, MessageType, type RtmpMessage, UserControl, userControlMessage } from './message.ts';

/** Bytes after which the other side is to say that it got them, and what it may have under way. */
export const WINDOW = 2_500_000;

/** What a session is told, and asked to send. */
export interface MessageHandlers {
  send(bytes: Buffer): void;
  /** Name, transaction, and what belongs to the command; `streamId` is the message stream that it was sent on. */
  command(values: readonly AmfValue[], streamId: number): void;
  /** Audio, video, or data of AMF 0. */
  media(message: RtmpMessage): void;
  /** A user control message that is not answered here, and the number in it. */
  userControl?(event: number, value: number): void;
}

/**
 * What both sides of a connection do with the bytes after the handshake: acknowledges them, answers pings, takes
 * aggregates apart, and reads commands, those of AMF 3 too.
 */
export class MessageReceiver {
  readonly #handlers: MessageHandlers;
  readonly #chunks = new ChunkReader();
  /** Bytes received, and how many of them the other side knows of. */
  #received = 0;
  #acknowledged = 0;
  #window = WINDOW;

  constructor(handlers: MessageHandlers) {
    this.#handlers = handlers;
  }

  /** @throws NamedError RTMP_PROTOCOL_ERROR, AMF_INVALID; the connection cannot go on then */
  receive(bytes: Buffer): void {
    this.#received += bytes.length;
    this.#chunks.push(bytes);
    for (let message = this.#chunks.next(); message; message = this.#chunks.next()) this.#take(message);
    // At half of the window, since one who heeds it may stop before the next chunk that would not fit into it.
    if (this.#received - this.#acknowledged < this.#window / 2) return;
    this.#acknowledged = this.#received;
    this.#handlers.send(controlMessage(MessageType.acknowledgement, this.#received));
  }

  #take(message: RtmpMessage): void {
    const { type, payload, streamId } = message;
    switch (type) {
      case MessageType.command:
        return this.#handlers.command(parseAmf0(payload), streamId);
      case MessageType.commandAmf3:
        return this.#handlers.command(parseAmf0(behindFormat(payload)), streamId);
      case MessageType.audio:
      case MessageType.video:
      case MessageType.data:
        return this.#handlers.media(message);
      case MessageType.dataAmf3:
        return this.#handlers.media({ ...message, type: MessageType.data, payload: behindFormat(payload) });
      case MessageType.aggregate:
        for (const part of splitAggregate(message)) this.#handlers.media(part);
        return;
      case MessageType.windowSize:
        if (payload.length >= 4) this.#window = Math.max(payload.readUInt32BE(0), 1024);
        return;
      case MessageType.peerBandwidth:
        // Wants to know our window (section 5.4.5), which is what it was told already.
        return this.#handlers.send(controlMessage(MessageType.windowSize, WINDOW));
      case MessageType.userControl:
        if (payload.length >= 6) this.#userControl(payload.readUInt16BE(0), payload.readUInt32BE(2));
        return;
      default:
    }
  }

  #userControl(event: number, value: number): void {
    if (event === UserControl.pingRequest) {
      this.#handlers.send(userControlMessage(UserControl.pingResponse, value));
    } else this.#handlers.userControl?.(event, value);
  }
}

/**
 * Messages of AMF 3 begin with a byte that says which format follows, and what follows is AMF 0 with values of AMF 3 in
 * it. Some senders leave the byte out: 0 is no marker that a message could begin with, since names come first.
 */
function behindFormat(payload: Buffer): Buffer {
  return payload[0] === 0 ? payload.subarray(1) : payload;
}
