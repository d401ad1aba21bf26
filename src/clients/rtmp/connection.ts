import { randomBytes } from 'node:crypto';
import { FOURCCS } from '#containers/flv/tags.ts';
import { RtmpClientSession } from '#protocols/rtmp/client-session.ts';
import type { RtmpLogin } from '#protocols/rtmp/login.ts';
import type { RtmpMessage } from '#protocols/rtmp/message.ts';
import { parseRtmpTarget, type RtmpTarget } from '#protocols/rtmp/target.ts';
import type { Clock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import type { NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import { ClientSocket } from '../client-socket.ts';

const CODES = { unreachable: 'RTMP_UNREACHABLE', certificate: 'RTMP_CERTIFICATE_REFUSED' };

export interface RtmpConnectionHandlers {
  /** The server plays, or takes what is published, on this message stream. */
  started(messageStream: number): void;
  /** Audio, video or data of the stream that is played. */
  media?(message: RtmpMessage): void;
  /** It is over; called once, and not after `close`. */
  failed(error: NamedError): void;
}

export interface RtmpConnectionOptions {
  readonly purpose: 'play' | 'publish';
  readonly clock: Clock;
  /** Of an `rtmps://` server; by default its certificate has to be trusted by the system. */
  readonly trust?: ServerTrust | undefined;
  /** It may not lead to this machine, its cable or its cloud. */
  readonly guarded?: boolean | undefined;
}

/**
 * A client's connection to an RTMP server: the socket, and as many new ones as the server needs to learn who asks (two at
 * most). Ends by `failed`, or by `close`.
 */
export class RtmpConnection {
  readonly #url: string;
  readonly #target: RtmpTarget;
  readonly #handlers: RtmpConnectionHandlers;
  readonly #options: RtmpConnectionOptions;
  #socket: ClientSocket;
  #session: RtmpClientSession;
  #over = false;
  #onDrain = () => {};

  /** @throws NamedError RTMP_ADDRESS_INVALID, SOURCE_FORBIDDEN */
  constructor(url: string, handlers: RtmpConnectionHandlers, options: RtmpConnectionOptions) {
    this.#url = maskAddress(url);
    this.#target = parseRtmpTarget(url);
    this.#handlers = handlers;
    this.#options = options;
    [this.#socket, this.#session] = this.#open();
  }

  /** Host and port of the server. */
  get remote(): string {
    return `${this.#target.host}:${this.#target.port}`;
  }

  /** Bytes that the kernel has not taken yet. */
  get backlog(): number {
    return this.#socket.backlog;
  }

  /** Sends messages that were written for the stream that is published. */
  write(bytes: Buffer): void {
    if (!this.#over) this.#socket.write(bytes);
  }

  /** Sets the one callback for when nothing waits any more. */
  onDrain(callback: () => void): void {
    this.#onDrain = callback;
  }

  /** Says goodbye and ends the connection; resolves when it is gone. Idempotent. */
  async close(): Promise<void> {
    this.#over = true;
    this.#session.close();
    await this.#socket.close();
  }

  #open(login?: RtmpLogin): [ClientSocket, RtmpClientSession] {
    const { clock, purpose, trust = {}, guarded } = this.#options;
    const current = () => this.#socket === socket && !this.#over;
    const session = new RtmpClientSession(
      {
        send: (bytes) => socket.write(bytes),
        started: (messageStream) => this.#handlers.started(messageStream),
        media: (message) => this.#handlers.media?.(message),
        again: (next) => {
          if (current()) this.#again(next);
        },
        failed: (error) => {
          if (current()) this.#fail(error);
        },
        random: randomBytes,
      },
      { clock, target: this.#target, url: this.#url, purpose, fourCcs: FOURCCS, ...(login && { login }) },
    );
    const socket: ClientSocket = new ClientSocket({
      target: this.#target,
      trust,
      guarded,
      url: this.#url,
      codes: CODES,
      clock,
      connected: () => session.start(),
      received: (bytes) => session.receive(bytes),
      failed: (error) => session.disconnected(error),
    });
    socket.onDrain(() => {
      if (current()) this.#onDrain();
    });
    return [socket, session];
  }

  #again(login: RtmpLogin): void {
    this.#socket.destroy();
    [this.#socket, this.#session] = this.#open(login);
  }

  #fail(error: NamedError): void {
    this.#over = true;
    this.#socket.destroy();
    this.#handlers.failed(error);
  }
}
