import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { IceRemote } from '#protocols/ice/agent.ts';
import { listenFailure } from '#util/tcp-port.ts';
import type { PeerTable } from './peer-table.ts';

const RECEIVE_BUFFER = 4 << 20;
const SEND_BUFFER = 4 << 20;
/** Bytes that may wait for the kernel before senders hold back. */
const SEND_QUEUE = 1 << 20;

/** The one UDP port of all WebRTC sessions. */
export class UdpDoor {
  readonly port: number;
  readonly #socket: Socket;
  #closing: Promise<void> | undefined;

  private constructor(socket: Socket, peers: PeerTable) {
    this.#socket = socket;
    this.port = socket.address().port;
    socket.on('message', (bytes, { address, port }) => {
      peers.receive(bytes, { address, port, protocol: 'udp' });
    });
    // What the network says about single packets; sessions notice by missing checks.
    socket.on('error', () => {});
    socket.setRecvBufferSize(RECEIVE_BUFFER);
    socket.setSendBufferSize(SEND_BUFFER);
  }

  /**
   * @param host an address, not a name
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  static open(host: string, port: number, peers: PeerTable): Promise<UdpDoor> {
    const type = isIPv6(host) ? 'udp6' : 'udp4';
    const family = type === 'udp6' ? 6 : 4;
    // Destinations are addresses always; asking the resolver costs 2 µs for each packet.
    const socket = createSocket({ type, lookup: (name, _, callback) => callback(null, name, family) });
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(listenFailure(error, { host, port, setting: 'webrtc.port' }, 'UDP port'));
      });
      socket.bind({ address: host, port }, () => {
        socket.removeAllListeners('error');
        resolve(new UdpDoor(socket, peers));
      });
    });
  }

  /** More waits for the kernel than it takes soon. */
  get isFull(): boolean {
    return this.#socket.getSendQueueSize() > SEND_QUEUE;
  }

  send(bytes: Buffer, { address, port }: IceRemote): void {
    if (this.#closing) return;
    // Without a callback, which would cost a turn of the event loop for each packet: what the kernel does not take is lost
    // like any other packet, and asked for again.
    this.#socket.send(bytes, port, address);
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#socket.close(() => resolve()));
    return this.#closing;
  }
}
