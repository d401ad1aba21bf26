import { createServer, type Server, type Socket } from 'node:net';
import { type Access, openAccess } from '#hub/access.ts';
import type { Hub } from '#hub/hub.ts';
import { TcpPort } from '#util/tcp-port.ts';
import { TlsDoor } from '#util/tls-door.ts';
import type { RtmpLog } from './log.ts';
import { RtmpConnection } from './session.ts';

export interface RtmpServerOptions {
  readonly hub: Hub;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly access?: Access;
  readonly log?: RtmpLog;
  readonly maxConnections?: number;
}

/** A peer that vanished is noticed by probes after 30 s without traffic. */
const SOCKETS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
const SILENT: RtmpLog = { info() {}, warn() {}, debug() {} };

/** The RTMP door: publishers and readers of the hub's streams, also with the codecs of Enhanced RTMP. */
export class RtmpServer implements AsyncDisposable {
  readonly #options: RtmpServerOptions;
  readonly #log: RtmpLog;
  readonly #server: Server;
  /** RTMPS; closed until it is given a port and a certificate. */
  readonly tls: TlsDoor;
  readonly #connections = new Set<RtmpConnection>();
  #nextId = 1;
  #closing: Promise<void> | undefined;

  constructor(options: RtmpServerOptions) {
    this.#options = options;
    this.#log = options.log ?? SILENT;
    this.#server = createServer(SOCKETS, (socket) => this.#accept(socket));
    const maxConnections = options.maxConnections ?? 4096;
    this.#server.maxConnections = maxConnections;
    this.tls = new TlsDoor({
      name: 'RTMPS',
      setting: 'rtmp.tlsPort',
      log: this.#log,
      maxConnections,
      accept: (socket) => this.#accept(socket),
    });
    this.#server.on('drop', (data) =>
      this.#log.warn(
        `RTMP: ${data?.remoteAddress ?? 'a client'} was turned away, too many connections are open.`,
      ),
    );
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The listening socket. */
  get tcp(): Server {
    return this.#server;
  }

  /**
   * Begins to listen.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE
   */
  async listen(): Promise<{ port: number }> {
    const { host, port } = this.#options;
    const taken = await TcpPort.take({ host, port, setting: 'rtmp.port' });
    this.#server.on('error', (error) => this.#log.warn(`RTMP: ${error.message}`));
    this.moveTo(taken);
    return { port: taken.port };
  }

  /** Goes on listening on another port. Sessions go on. */
  moveTo(port: TcpPort): void {
    port.giveTo(this.#server);
  }

  /** Stops listening and ends every connection. Idempotent. */
  close(reason = 'The server is shutting down.'): Promise<void> {
    this.#closing ??= (async () => {
      const listening = new Promise<void>((resolve) => this.#server.close(() => resolve()));
      for (const connection of this.#connections) connection.close(reason);
      await Promise.all([listening, this.tls.close()]);
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    const { hub, access = openAccess } = this.#options;
    const connection = new RtmpConnection({
      socket,
      id: `rtmp-${this.#nextId++}`,
      hub,
      access,
      log: this.#log,
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}
