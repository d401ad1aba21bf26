import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Transport } from '#hub/transport.ts';

/** Longest reason a close frame can carry, in bytes (RFC 6455 §5.5). */
const REASON_BYTES = 123;
/** How long the other side has to answer a close frame. */
export const CLOSE_MS = 1000;

/**
 * The TCP socket under a WebSocket as transport of complete frames. Nothing but whole frames is ever written to the
 * socket, by this or by `ws`, so the two may take turns. One transport serves the readers of a session one after the
 * other.
 */
export class WebSocketTransport implements Transport {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #closeCode: () => number;
  #drain: () => void = () => {};

  /** @param closeCode the code of the close frame, asked for when it is sent */
  constructor(webSocket: WebSocket, socket: Socket, closeCode: () => number) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#closeCode = closeCode;
    socket.on('drain', () => this.#drain());
  }

  write(bytes: Buffer): void {
    // Nothing may follow a close frame.
    if (this.#webSocket.readyState === this.#webSocket.OPEN && this.#socket.writable)
      this.#socket.write(bytes);
  }

  get backlog(): number {
    return this.#socket.writableLength;
  }

  onDrain(callback: () => void): void {
    this.#drain = callback;
  }

  close(reason: string): void {
    this.#webSocket.close(this.#closeCode(), shorten(reason));
    // A page that takes nothing does not answer either.
    setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref();
  }
}

function shorten(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES) return reason;
  return `${new TextDecoder().decode(bytes.subarray(0, REASON_BYTES - 4), { stream: true })}…`;
}
