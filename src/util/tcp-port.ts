import { lookup } from 'node:dns/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { NamedError } from './named-error.ts';

/** Where a server is to listen. */
export interface TcpAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The key of the configuration that names the port, for errors. */
  readonly setting: string;
}

/**
 * A TCP port that was taken before the server is there that will listen on it: a server that moves learns that the new
 * port is busy while it still has the old one.
 */
export class TcpPort {
  readonly port: number;
  #holder: Server | undefined;

  private constructor(holder: Server) {
    this.#holder = holder;
    this.port = (holder.address() as AddressInfo).port;
  }

  /**
   * Takes a port. Give it to a server, or release it.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  static async take(address: TcpAddress): Promise<TcpPort> {
    // Who comes before the server is there has to come again.
    const holder = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      holder.once('error', (error) => reject(listenFailure(error, address)));
      holder.listen({ host: address.host, port: address.port }, resolve);
    });
    return new TcpPort(holder);
  }

  /** The server goes on listening here. It leaves the port that it had, and keeps its connections. */
  giveTo(server: Server): void {
    const holder = this.#holder;
    if (!holder) throw new Error('The port has been given away.');
    this.#holder = undefined;
    if (server.listening) server.close();
    // The two share the handle now, so the holder must not be closed.
    server.listen(holder);
  }

  /** Nobody wants it after all. Idempotent. */
  release(): void {
    this.#holder?.close();
    this.#holder = undefined;
  }
}

/** True when the server listens there already: `localhost` and `127.0.0.1` are one address. */
export async function listensOn(server: Server, { host, port }: TcpAddress): Promise<boolean> {
  const own = server.address();
  if (own === null || typeof own === 'string' || own.port !== port) return false;
  const { address } = await lookup(host).catch(() => ({ address: host }));
  return own.address === address;
}

/** Why a server cannot listen, with the way out; `kind` is what the port is called in sentences. */
export function listenFailure(
  error: NodeJS.ErrnoException,
  { host, port, setting }: TcpAddress,
  kind = 'port',
): NamedError {
  const failure = (code: string, status: number, sentence: string) =>
    new NamedError(code, `${sentence}.`, status, { cause: error });
  switch (error.code) {
    case 'EADDRINUSE':
      return failure(
        'PORT_BUSY',
        409,
        `${kind.replace(/^p/, 'P')} ${port} on ${host} is in use by another program. Stop that program, or set ${setting} in sluice.yml to another ${kind}, or to 0 for any that is free`,
      );
    case 'EACCES':
      return failure(
        'PORT_FORBIDDEN',
        500,
        `The system does not give ${kind} ${port} on ${host} away: it reserves ports below 1024. Choose another port with ${setting} in sluice.yml`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return failure(
        'ADDRESS_UNAVAILABLE',
        500,
        `Nothing can listen on ${host}:${port}, because this machine has no address ${host}. Correct "host" in sluice.yml`,
      );
    default:
      return failure(
        'LISTEN_FAILED',
        500,
        `Nothing can listen on ${host}:${port} (${setting}): ${error.message}`,
      );
  }
}
