import { createServer, type Server, type Socket } from 'node:net';
import type { Hub } from '#hub/hub.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
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
  #nextId = 1;
  #closing: Promise<void> | undefined;

  constructor(options: RtspServerOptions) {
    this.#options = options;
    this.#log = options.log ?? SILENT;
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
  listen(): Promise<{ port: number }> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => reject(explain(error, host, port));
      this.#server.once('error', failed);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => this.#log.warn(`RTSP: ${error.message}`));
        const address = this.#server.address();
        resolve({ port: address !== null && typeof address === 'object' ? address.port : port });
      });
    });
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
      timeoutMs: this.#options.sessionTimeoutMs ?? 60_000,
      log: this.#log,
      sequences: this.#sequences,
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): NamedError {
  const where = `RTSP cannot listen on ${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new NamedError(
        'PORT_BUSY',
        `${where}: port ${port} is used by another program. End that program, or choose another port by the setting rtsp.port.`,
        500,
        { cause: error },
      );
    case 'EACCES':
      return new NamedError(
        'PORT_FORBIDDEN',
        `${where}: the system reserves ports below 1024. Choose another port by the setting rtsp.port.`,
        500,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new NamedError(
        'ADDRESS_UNAVAILABLE',
        `${where}: this machine has no address ${host}. Correct the setting host.`,
        500,
        { cause: error },
      );
    default:
      return new NamedError('LISTEN_FAILED', `${where}: ${error.message}.`, 500, { cause: error });
  }
}
