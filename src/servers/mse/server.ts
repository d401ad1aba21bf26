import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Hub } from '#hub/hub.ts';
import { parseStreamName } from '#hub/name.ts';
import { RateLimit } from '#util/rate-limit.ts';
import { SocketWatch } from '#util/socket-watch.ts';
import { MseSession } from './session.ts';
import { CLOSE_MS, WebSocketTransport } from './transport.ts';

/** Close codes of this door, beside those of RFC 6455. */
const STREAM_GONE = 4404;
const TOO_SLOW = 4408;
const GOING_AWAY = 1001;

/** Against the rules (RFC 6455). */
const TOO_MUCH = 1008;

/** Messages and pings of one page in a second, many times what a page says. */
const MAX_MESSAGES = 50;

/** Longest message of a page, in bytes. */
const MAX_MESSAGE = 4096;

export interface MseLog {
  info(message: string): void;
  debug(message: string): void;
}

export interface MseServerOptions {
  readonly hub: Hub;
  readonly logger?: MseLog;
}

const SILENT: MseLog = { info() {}, debug() {} };

/**
 * The MSE door: fragmented MP4 over WebSocket, for `MediaSource` in a page. `ws` does the handshake and reads what the
 * page sends; media goes past it, in frames that are made once for all pages.
 */
export class MseServer {
  readonly #hub: Hub;
  readonly #log: MseLog;
  readonly #watch: SocketWatch;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE,
    clientTracking: true,
  });
  #nextId = 1;
  #closed = false;

  constructor(options: MseServerOptions) {
    this.#hub = options.hub;
    this.#log = options.logger ?? SILENT;
    this.#watch = new SocketWatch(options.hub.options.clock);
  }

  /**
   * Takes over an upgrade request for `/<stream>/mse`; who may come in was asked before.
   * @throws NamedError STREAM_NAME_INVALID
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, streamName: string): void {
    const name = parseStreamName(streamName);
    if (this.#closed) return refuse(socket, '503 Service Unavailable', 'The server is stopping.');
    if (!(socket instanceof Socket))
      return refuse(socket, '500 Internal Server Error', 'This is no TCP socket.');
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) =>
      this.#accept(webSocket, socket, name),
    );
  }

  /** Open pages. */
  get sessions(): number {
    return this.#webSockets.clients.size;
  }

  /** Closes every page's socket. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    for (const webSocket of this.#webSockets.clients) {
      webSocket.close(GOING_AWAY, 'The server is stopping.');
      setTimeout(() => webSocket.terminate(), CLOSE_MS).unref();
    }
    this.#webSockets.close();
  }

  /** Nobody has so much to say: the page hears the reason, and is gone a moment later if it goes on. */
  #turnOut(webSocket: WebSocket): void {
    if (webSocket.readyState !== webSocket.OPEN) return;
    webSocket.close(TOO_MUCH, `More than ${MAX_MESSAGES} messages in a second.`);
    // What it says meanwhile must not be read.
    webSocket.pause();
    setTimeout(() => webSocket.terminate(), CLOSE_MS).unref();
  }

  #accept(webSocket: WebSocket, socket: Socket, streamName: string): void {
    const id = `mse-${this.#nextId++}`;
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    socket.setKeepAlive(true, 30_000);
    this.#watch.add(webSocket, socket);
    const transport = new WebSocketTransport(webSocket, socket, () => {
      const stream = this.#hub.get(streamName);
      return stream && stream.state !== 'ended' ? TOO_SLOW : STREAM_GONE;
    });
    this.#log.debug(`MSE: ${id} from ${remote} watches "${streamName}".`);
    const session = new MseSession({
      hub: this.#hub,
      id,
      streamName,
      remote,
      transport,
      onEnd: (reason) => this.#log.info(`MSE: ${id} no longer watches "${streamName}". ${reason}`),
    });
    const limit = new RateLimit(MAX_MESSAGES);
    const isTooMuch = () => {
      if (limit.take(this.#hub.options.clock.now())) return false;
      this.#turnOut(webSocket);
      return true;
    };
    webSocket.on('message', (data, binary) => {
      if (!isTooMuch() && !binary && Buffer.isBuffer(data)) session.receive(data.toString());
    });
    webSocket.on('ping', isTooMuch);
    // A message that is too long or no WebSocket at all; `close` follows.
    webSocket.on('error', (error) => this.#log.debug(`MSE: ${id}: ${error.message}.`));
    webSocket.on('close', (code) => {
      session.close();
      this.#log.debug(`MSE: ${id} is gone (${code}).`);
    });
  }
}

function refuse(socket: Duplex, status: string, sentence: string): void {
  const length = Buffer.byteLength(sentence) + 1;
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${length}\r\n\r\n${sentence}\n`,
  );
}
