import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Transport } from '#hub/transport.ts';
import { frameHeaderSize, writeBinaryHeader } from '#util/websocket-frame.ts';

/** How long the other side may take to hand over what was sent, or to answer a close frame. */
const LINGER_MS = 1000;
const STREAM_GONE = 4404;

/** The TCP socket under an HTTP response whose headers were sent: everything after them is the body. */
export class HttpFlvTransport implements Transport {
  readonly #socket: Socket;
  #drain = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('drain', () => this.#drain());
  }

  write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  get backlog(): number {
    return this.#socket.writableLength;
  }

  onDrain(callback: () => void): void {
    this.#drain = callback;
  }

  close(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }
}

/** The same bytes in frames of a WebSocket: the frame's header goes before them, in the same system call. */
export class WebSocketFlvTransport implements Transport {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  #drain = () => {};

  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    socket.on('drain', () => this.#drain());
  }

  write(bytes: Buffer): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN || !this.#socket.writable) return;
    const header = Buffer.allocUnsafe(frameHeaderSize(bytes.length));
    writeBinaryHeader(header, bytes.length);
    this.#socket.cork();
    this.#socket.write(header);
    this.#socket.write(bytes);
    this.#socket.uncork();
  }

  get backlog(): number {
    return this.#socket.writableLength;
  }

  onDrain(callback: () => void): void {
    this.#drain = callback;
  }

  close(reason: string): void {
    // A close frame has room for 123 bytes.
    this.#webSocket.close(
      STREAM_GONE,
      Buffer.from(reason)
        .subarray(0, 120)
        .toString('utf8')
        .replace(/\ufffd/g, ''),
    );
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }
}
