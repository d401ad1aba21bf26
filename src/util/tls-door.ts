import type { AddressInfo, Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server } from 'node:tls';
import { type CertificateFiles, loadCertificate } from './certificate.ts';
import { listensOn, TcpPort } from './tcp-port.ts';

/** Where a protocol is served over TLS, and as whom. */
export interface TlsWish {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly files: CertificateFiles;
}

/** What `take` takes: nothing in it can fail any more. */
export interface PreparedTls {
  readonly wish: TlsWish | undefined;
  readonly context: SecureContextOptions | undefined;
  /** Undefined where the port stays. */
  readonly port: TcpPort | undefined;
  /** Nobody wants it after all; of no effect once it was taken. */
  release(): void;
}

export interface TlsDoorOptions {
  /** What people call it: `RTSPS`. */
  readonly name: string;
  /** The key of the configuration that names the port, for errors. */
  readonly setting: string;
  readonly log: {
    info(message: string): void;
    warn(message: string): void;
    debug(message: string): void;
  };
  readonly maxConnections: number;
  /** What it is called in ALPN (RFC 7301), for clients that ask. */
  readonly protocols?: readonly string[];
  /** The handshake is done. */
  readonly accept: (socket: Socket) => void;
}

const SOCKETS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
const HANDSHAKE_MS = 10_000;

/** The port of a protocol inside TLS. Whether it is open, and what certificate it shows, may change at any time. */
export class TlsDoor {
  readonly #options: TlsDoorOptions;
  /** The listening socket. */
  readonly server: Server;
  /** Connections whose handshake is not done are in here too. */
  readonly #sockets = new Set<Socket>();
  #wish: TlsWish | undefined;

  constructor(options: TlsDoorOptions) {
    const { name, log, maxConnections, accept, protocols } = options;
    this.#options = options;
    const alpn = protocols && { ALPNProtocols: [...protocols] };
    this.server = createServer({ ...SOCKETS, ...alpn, handshakeTimeout: HANDSHAKE_MS }, accept);
    this.server.maxConnections = maxConnections;
    this.server.on('error', (error) => log.warn(`${name}: ${error.message}`));
    this.server.on('tlsClientError', (error, socket) => {
      log.debug(`${name}: no handshake with ${socket.remoteAddress ?? 'a client'}: ${error.message}`);
    });
    this.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Undefined while it is closed. */
  get port(): number | undefined {
    return (this.server.address() as AddressInfo | null)?.port;
  }

  /**
   * Makes ready that it opens, moves, or shows another certificate; without a wish, that it closes.
   * @throws NamedError TLS_FILE_UNREADABLE, TLS_CERTIFICATE_INVALID, PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE
   */
  async prepare(wish: TlsWish | undefined): Promise<PreparedTls> {
    if (!wish) return { wish, context: undefined, port: undefined, release() {} };
    const context = await loadCertificate(wish.files);
    const address = { host: wish.host, port: wish.port, setting: this.#options.setting };
    const stays = await listensOn(this.server, address);
    const port = stays ? undefined : await TcpPort.take(address);
    return { wish, context, port, release: () => port?.release() };
  }

  /** Connections that there are go on. */
  take({ wish, context, port }: PreparedTls): void {
    this.#wish = wish;
    if (context) this.server.setSecureContext(context);
    if (port) port.giveTo(this.server);
    else if (!wish && this.server.listening) this.server.close();
  }

  /** The files of the certificate changed. One that cannot be used leaves the former in place. */
  async reload(): Promise<void> {
    const wish = this.#wish;
    const { name, log } = this.#options;
    if (!wish) return;
    try {
      const context = await loadCertificate(wish.files);
      if (wish !== this.#wish) return;
      this.server.setSecureContext(context);
      log.info(`${name}: the certificate was read anew; it goes for new connections.`);
    } catch (error) {
      const { message } = error as Error;
      log.warn(`${name}: the former certificate stays in use. ${message}`);
    }
  }

  /** Stops listening, and ends the handshakes under way. Idempotent. */
  async close(): Promise<void> {
    this.#wish = undefined;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }
}
