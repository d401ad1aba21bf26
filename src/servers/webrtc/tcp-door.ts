import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { IceRemote } from '#protocols/ice/agent.ts';
import { FrameReader, frameHeader } from '#protocols/rtp/stream-framing.ts';
import { listenFailure } from '#util/tcp-port.ts';
import { keyOf, type PeerTable } from './peer-table.ts';

/** Largest packet: what WebRTC sends fits into one of Ethernet. */
const MAX_PACKET = 4096;
/** Bytes that may wait for a connection before its sender holds back, and at which it is given up. */
const SEND_QUEUE = 256 << 10;
const MAX_SEND_QUEUE = 4 << 20;
/** Until a connection belongs to a session. */
const CHECK_MS = 10_000;
/** Clients ask for consent every few seconds (RFC 7675): one that is so silent is gone. */
const IDLE_MS = 45_000;
const MAX_CONNECTIONS = 4000;

/**
 * The TCP port of all WebRTC sessions, for networks that let no UDP through: passive candidates (RFC 6544), each packet
 * behind its size (RFC 4571).
 */
export class TcpDoor {
  readonly port: number;
  readonly #server: Server;
  readonly #peers: PeerTable;
  readonly #sockets = new Map<string, Socket>();
  #closing: Promise<void> | undefined;

  private constructor(server: Server, peers: PeerTable) {
    this.#server = server;
    this.#peers = peers;
    this.port = (server.address() as AddressInfo).port;
    server.maxConnections = MAX_CONNECTIONS;
    // Single connections that could not be taken; their clients try again.
    server.on('error', () => {});
    server.on('connection', (socket) => this.#connected(socket));
  }

  /**
   * @param host an address, not a name
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  static open(host: string, port: number, peers: PeerTable): Promise<TcpDoor> {
    const server = createServer({ noDelay: true, keepAlive: true });
    return new Promise((resolve, reject) => {
      server.once('error', (error) =>
        reject(listenFailure(error, { host, port, setting: 'webrtc.port' }, 'TCP port of WebRTC')),
      );
      server.listen({ host, port }, () => {
        server.removeAllListeners('error');
        resolve(new TcpDoor(server, peers));
      });
    });
  }

  has(remote: IceRemote): boolean {
    return this.#sockets.has(keyOf(remote));
  }

  /** More waits for that connection than it takes soon; true also where there is none. */
  isFull(remote: IceRemote): boolean {
    return (this.#sockets.get(keyOf(remote))?.writableLength ?? Number.POSITIVE_INFINITY) > SEND_QUEUE;
  }

  send(bytes: Buffer, remote: IceRemote): void {
    const socket = this.#sockets.get(keyOf(remote));
    if (!socket?.writable) return;
    if (socket.writableLength > MAX_SEND_QUEUE) return void socket.destroy();
    // What a picture has is written in one go.
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(frameHeader(bytes.length));
    socket.write(bytes);
  }

  /** Takes no connections any more; resolves when those that there are have ended. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets.values()) socket.destroy();
    });
    return this.#closing;
  }

  #connected(socket: Socket): void {
    const { remoteAddress: address = '', remotePort: port = 0 } = socket;
    const from: IceRemote = { address, port, protocol: 'tcp' };
    const reader = new FrameReader(MAX_PACKET);
    this.#sockets.set(keyOf(from), socket);
    let deadline: NodeJS.Timeout | undefined = setTimeout(() => socket.destroy(), CHECK_MS).unref();
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      for (const packet of reader.push(bytes) ?? [undefined]) {
        if (packet) this.#peers.receive(packet, from);
        // Who begins with anything but a valid check is no client of WebRTC, and who goes on after the end is none any more.
        if (!packet || !this.#peers.knows(from)) return void socket.destroy();
      }
      if (deadline && this.#peers.knows(from)) {
        clearTimeout(deadline);
        deadline = undefined;
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(deadline);
      this.#sockets.delete(keyOf(from));
      this.#peers.forget(from);
    });
  }
}
