import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { flvHeader, flvTag } from '#containers/flv/write.ts';
import { FlvWriter } from '#containers/flv/writer.ts';
import { selectFlvTracks } from '#feeds/flv/tracks.ts';
import { type Access, openAccess } from '#hub/access.ts';
import { credentialsOf, refusalHeaders } from '#hub/http-credentials.ts';
import type { Hub } from '#hub/hub.ts';
import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Transport } from '#hub/transport.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { SocketWatch } from '#util/socket-watch.ts';
import { HttpFlvTransport, WebSocketFlvTransport } from './transport.ts';

export interface FlvLog {
  info(message: string): void;
  debug(message: string): void;
}

export interface FlvServerOptions {
  readonly hub: Hub;
  readonly access?: Access;
  readonly log?: FlvLog;
}

/** Longest message of a WebSocket client, which has nothing to say. */
const METHODS = 'GET, HEAD, OPTIONS';
const MAX_MESSAGE = 4096;
const GOING_AWAY = 1001;
const SILENT: FlvLog = { info() {}, debug() {} };

/** FLV over HTTP and over WebSocket, `/<stream>/live.flv`: one feed, whose bytes all readers of both share. */
export class FlvServer {
  readonly #options: FlvServerOptions;
  readonly #log: FlvLog;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE,
    clientTracking: true,
  });
  readonly #watch: SocketWatch;
  readonly #readers = new Set<Reader>();
  #nextId = 1;
  #closed = false;

  constructor(options: FlvServerOptions) {
    this.#options = options;
    this.#log = options.log ?? SILENT;
    this.#watch = new SocketWatch(options.hub.options.clock);
  }

  /** Answers a request for the stream; owns the response from then on. */
  handleRequest(
    request: IncomingMessage,
    response: ServerResponse,
    target: { readonly stream: string; readonly query: URLSearchParams },
  ): void {
    response.setHeader('Cache-Control', 'no-store');
    if (request.method === 'OPTIONS') return void response.writeHead(204, { allow: METHODS }).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', METHODS);
      const sentence = `live.flv can only be read: use GET instead of ${request.method}.`;
      return answer(request, response, new NamedError('METHOD_NOT_ALLOWED', sentence, 405));
    }
    const { socket } = request;
    this.#enter(request, target).then(
      (stream) => {
        if (socket.destroyed) return;
        response.setHeader('Content-Type', 'video/x-flv');
        // The body is what comes until the connection ends: chunks of HTTP would have to be made for each reader.
        response.removeHeader('Transfer-Encoding');
        response.shouldKeepAlive = false;
        response.writeHead(200);
        if (request.method === 'HEAD') return void response.end();
        response.flushHeaders();
        socket.setNoDelay(true);
        socket.setTimeout(0);
        const transport = new HttpFlvTransport(socket);
        this.#read(stream, socket, transport);
      },
      (error: unknown) => answer(request, response, error),
    );
  }

  /** Takes over an upgrade request for `/<stream>/live.flv`; who may come in was asked before. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, stream: string): void {
    if (!(socket instanceof Socket)) return void socket.destroy();
    this.#find(request, stream).then(
      (found) => {
        if (socket.destroyed) return;
        this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
          this.#watch.add(webSocket, socket);
          webSocket.on('error', (error) => this.#log.debug(`FLV: ${error.message}.`));
          this.#read(found, socket, new WebSocketFlvTransport(webSocket, socket));
        });
      },
      (error: unknown) => {
        const status = error instanceof NamedError ? error.status : 500;
        const body = Buffer.from(`${messageOf(error)}\n`);
        socket.end(
          `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
            `Content-Length: ${body.length}\r\n\r\n${body.toString()}`,
        );
      },
    );
  }

  /** Ends every reader. Idempotent. */
  close(reason = 'The server is stopping.'): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    for (const reader of [...this.#readers]) reader.close(reason);
    for (const webSocket of this.#webSockets.clients) webSocket.close(GOING_AWAY, reason);
    this.#webSockets.close();
  }

  /** The stream, when it may be read. */
  async #enter(
    request: IncomingMessage,
    { stream, query }: { readonly stream: string; readonly query: URLSearchParams },
  ): Promise<Stream> {
    const { access = openAccess } = this.#options;
    const { socket, headers } = request;
    const { onRevoked } = await access.check({
      action: 'read',
      stream,
      door: 'flv',
      remote: (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, ''),
      credentials: credentialsOf(headers, query),
    });
    const leave = onRevoked?.(() => socket.destroy());
    if (leave) socket.once('close', leave);
    return this.#find(request, stream);
  }

  /** The stream, when it has something that FLV can carry. */
  async #find(request: IncomingMessage, name: string): Promise<Stream> {
    const { hub } = this.#options;
    const gone = new AbortController();
    const abort = () => gone.abort();
    request.socket.once('close', abort);
    try {
      const stream = await hub.wanted(name, gone.signal);
      selectFlvTracks(stream);
      return stream;
    } finally {
      request.socket.off('close', abort);
    }
  }

  #read(stream: Stream, socket: Socket, transport: Transport): void {
    const { hub } = this.#options;
    const id = `flv-${this.#nextId++}`;
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    const tracks = selectFlvTracks(stream);
    const ids = tracks.map((track) => track.id);
    const feed = stream.feed(`flv:${ids.join()}`, ids, () => new FlvWriter(tracks, flvTag));
    const reader = new Reader({
      id,
      door: 'flv',
      remote,
      transport,
      clock: hub.options.clock,
      limits: hub.options.readerLimits,
      onClose: (reason) => {
        this.#readers.delete(reader);
        feed.detach(reader);
        this.#log.info(`FLV: ${id} no longer reads "${stream.name}". ${reason}`);
      },
    });
    this.#readers.add(reader);
    socket.once('close', () => reader.close('The client is gone.'));
    this.#log.debug(`FLV: ${id} from ${remote} reads "${stream.name}".`);
    transport.write(flvHeader(tracks));
    feed.attach(reader);
  }
}

function answer(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const { code, status } = error instanceof NamedError ? error : { code: 'INTERNAL_ERROR', status: 500 };
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  for (const [name, value] of Object.entries(refusalHeaders(error, request.headers)))
    response.setHeader(name, value);
  response.end(JSON.stringify({ error: { code, message: messageOf(error) } }));
}
