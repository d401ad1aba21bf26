import type { Socket } from 'node:net';
import { type Clock, systemClock } from '#util/clock.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import { openSocket, type ServerTarget } from './socket.ts';

const CONNECT_MS = 5000;
/** How long a connection that is being closed may take to hand over what was sent before. */
const LINGER_MS = 1000;

export interface ClientSocketOptions {
  readonly target: ServerTarget;
  readonly trust: ServerTrust;
  /** It may not lead to this machine, its cable or its cloud; see {@link openSocket}. */
  readonly guarded?: boolean | undefined;
  /** As people may see it, for errors. */
  readonly url: string;
  /** How errors are called in the protocol that is spoken. */
  readonly codes: { readonly unreachable: string; readonly certificate: string };
  readonly clock?: Clock;
  /** The connection stands; over TLS, with a server that is trusted. Until then nothing may be sent. */
  connected(): void;
  received(bytes: Buffer): void;
  /** It could not be made, or broke, or the server ended it. Called once, and not after `close` or `destroy`. */
  failed(error: NamedError): void;
}

/** A connection to a server: how long it may take to stand, what went wrong in a sentence, and a clean end. */
export class ClientSocket {
  readonly #socket: Socket;
  readonly #options: ClientSocketOptions;
  readonly #clock: Clock;
  readonly #cancelConnect: () => void;
  #drained: () => void = () => {};
  #over = false;

  constructor(options: ClientSocketOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const socket = openSocket({
      target: options.target,
      trust: options.trust,
      guarded: options.guarded ? options.url : undefined,
      connected: () => {
        if (this.#over) return;
        this.#cancelConnect();
        options.connected();
      },
      refused: (why) => this.#fail(new NamedError(options.codes.certificate, `${options.url} ${why}`, 502)),
    });
    this.#socket = socket;
    this.#cancelConnect = this.#clock.after(CONNECT_MS, () =>
      this.#unreachable(`nobody took the connection within ${CONNECT_MS / 1000} s`),
    );
    socket.on('data', (bytes: Buffer) => {
      if (!this.#over) options.received(bytes);
    });
    socket.on('drain', () => this.#drained());
    socket.on('error', (error) => {
      // Its look-up was refused: that is no trouble of the network.
      if (error instanceof NamedError) this.#fail(error);
      else this.#unreachable(explain(error));
    });
    socket.on('close', () => this.#unreachable('the server closed the connection'));
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? '';
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  /** Bytes that were written and that the kernel has not taken yet. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Sets the one callback for when nothing waits any more. */
  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  /** Ends it, after what was written; resolves when it is gone. Idempotent. */
  async close(): Promise<void> {
    this.#over = true;
    this.#cancelConnect();
    const socket = this.#socket;
    if (socket.destroyed) return;
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    if (socket.connecting) socket.destroy();
    const cancel = this.#clock.after(LINGER_MS, () => socket.destroy());
    socket.end();
    // What still comes is read and let go, else the end of the other side would never be seen.
    socket.resume();
    await gone;
    cancel();
  }

  /** Ends it at once. Idempotent. */
  destroy(): void {
    this.#over = true;
    this.#cancelConnect();
    this.#socket.destroy();
  }

  #unreachable(why: string): void {
    const sentence = `${this.#options.url} cannot be reached: ${why}. Check address and port, and that it is on.`;
    this.#fail(new NamedError(this.#options.codes.unreachable, sentence, 502));
  }

  #fail(error: NamedError): void {
    if (this.#over) return;
    this.destroy();
    this.#options.failed(error);
  }
}

/** Several addresses were tried: what happened to each. */
function explain(error: Error): string {
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  return [...new Set(errors.map(messageOf))].join(', ');
}
