import { createServer, type Server, type Socket } from 'node:net';
import type { Hub } from '#hub/hub.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { TcpPort } from '#util/tcp-port.ts';
import type { RtspLog } from './log.ts';
import { RtpSequences } from './rtp-sequences.ts';
import { RtspConnection } from './session.ts';

export interface RtspServerOptions {
  readonly hub: Hub;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly log?: RtspLog;
  /** A client that shows no sign of life for so long is disconnected, in ms. */
  readonly sessionTimeoutMs?: number;
  readonly maxConnections?: number;
  readonly clock?: Clock;
}

const SILENT: RtspLog = { info() {}, warn() {}, debug() {} };

/** The RTSP door, over TCP (RFC 2326): publishers and readers of the hub's streams. */
export class RtspServer implements AsyncDisposable {
  readonly #options: RtspServerOptions;
  readonly #log: RtspLog;
  readonly #server: Server;
  readonly #connections = new Set<RtspConnection>();
  readonly #sequences = new RtpSequences();
  #sessionTimeoutMs: number;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  constructor(options: RtspServerOptions) {
    this.#options = options;
    this.#log = options.log ?? SILENT;
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? 60_000;
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.maxConnections ?? 4096;
    this.#server.on('drop', (data) =>
      this.#log.warn(
        `RTSP: ${data?.remoteAddress ?? 'a client'} was turned away, too many connections are open.`,
      ),
    );
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Begins to listen.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE
   */
  async listen(): Promise<{ port: number }> {
    const { host, port } = this.#options;
    const taken = await TcpPort.take({ host, port, setting: 'rtsp.port' });
    this.#server.on('error', (error) => this.#log.warn(`RTSP: ${error.message}`));
    this.moveTo(taken);
    return { port: taken.port };
  }

  /** The listening socket; its connections are the sessions. */
  get tcp(): Server {
    return this.#server;
  }

  /** Goes on listening on another port. Sessions go on. */
  moveTo(port: TcpPort): void {
    port.giveTo(this.#server);
  }

  /** A session that begins from now on, and shows no sign of life for so long, is ended. */
  setSessionTimeout(ms: number): void {
    this.#sessionTimeoutMs = ms;
  }

  /** Stops listening and ends every connection. Idempotent. */
  close(reason = 'The server is shutting down.'): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const connection of this.#connections) connection.close(reason);
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    const connection = new RtspConnection({
      socket,
      id: `rtsp-${this.#nextId++}`,
      hub: this.#options.hub,
      clock: this.#options.clock ?? systemClock,
      timeoutMs: this.#sessionTimeoutMs,
      log: this.#log,
      sequences: this.#sequences,
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}
