import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type IceRemote, localFragment } from '#protocols/ice/lite-agent.ts';
import { parseStun, STUN, type StunMessage } from '#protocols/stun/message.ts';
import { listenFailure } from '#util/tcp-port.ts';

/** A session as the port knows it. */
export interface UdpPeer {
  /** A STUN message for it; true when packets from there belong to it from now on. */
  check(message: StunMessage, from: IceRemote): boolean;
  /** Any other datagram from an address that belongs to it. */
  receive(bytes: Buffer, from: IceRemote): void;
}

const RECEIVE_BUFFER = 4 << 20;
const SEND_BUFFER = 4 << 20;
/** Bytes that may wait for the kernel before senders hold back. */
const SEND_QUEUE = 1 << 20;
/** Addresses of one session: of each of its networks one, and some that changed. */
const MAX_ADDRESSES = 16;

/** The one UDP port of all WebRTC sessions: they are told apart by their ICE fragment, then by their address. */
export class UdpDoor {
  readonly port: number;
  readonly counters = { unknown: 0, unsent: 0 };
  readonly #socket: Socket;
  readonly #host: string;
  readonly #fragments = new Map<string, UdpPeer>();
  readonly #addresses = new Map<string, UdpPeer>();
  #closing: Promise<void> | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    this.port = socket.address().port;
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    // What the network says about single packets; sessions notice by missing checks.
    socket.on('error', () => this.counters.unsent++);
    socket.setRecvBufferSize(RECEIVE_BUFFER);
    socket.setSendBufferSize(SEND_BUFFER);
  }

  /**
   * @param host an address, not a name
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  static open(host: string, port: number): Promise<UdpDoor> {
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
        resolve(new UdpDoor(socket, host));
      });
    });
  }

  /** Addresses under which this port can be reached on this machine. */
  get addresses(): string[] {
    if (this.#host !== '0.0.0.0' && this.#host !== '::') return [this.#host];
    const families = this.#host === '::' ? ['IPv4', 'IPv6'] : ['IPv4'];
    return Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).flatMap(({ internal, family, address }) =>
        // Link-local addresses mean nothing without their interface.
        !internal && families.includes(family) && !/^fe80:/i.test(address) ? [address] : [],
      ),
    );
  }

  /** More waits for the kernel than it takes soon. */
  get isFull(): boolean {
    return this.#socket.getSendQueueSize() > SEND_QUEUE;
  }

  /** Checks for `fragment` go to the peer. */
  register(fragment: string, peer: UdpPeer): void {
    this.#fragments.set(fragment, peer);
  }

  /** Nothing goes to the peer any more. */
  unregister(peer: UdpPeer): void {
    for (const map of [this.#fragments, this.#addresses]) {
      for (const [key, is] of map) if (is === peer) map.delete(key);
    }
  }

  send(bytes: Buffer, { address, port }: IceRemote): void {
    if (this.#closing) return;
    this.#socket.send(bytes, port, address, (error) => {
      if (error) this.counters.unsent++;
    });
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#socket.close(() => resolve()));
    return this.#closing;
  }

  #receive(bytes: Buffer, { address, port }: IceRemote): void {
    const from = { address, port };
    // The first byte tells what it is (RFC 7983).
    if ((bytes[0] ?? 0) < 4) return this.#check(bytes, from);
    const peer = this.#addresses.get(`${address}|${port}`);
    if (peer) peer.receive(bytes, from);
    else this.counters.unknown++;
  }

  #check(bytes: Buffer, from: IceRemote): void {
    const message = parseStun(bytes);
    const username = message?.attributes.get(STUN.username)?.toString('utf8');
    const peer = username === undefined ? undefined : this.#fragments.get(localFragment(username));
    if (!message || !peer) {
      this.counters.unknown++;
      return;
    }
    if (!peer.check(message, from)) return;
    const key = `${from.address}|${from.port}`;
    if (this.#addresses.get(key) === peer) return;
    const own = [...this.#addresses].filter(([, is]) => is === peer);
    if (own.length >= MAX_ADDRESSES && own[0]) this.#addresses.delete(own[0][0]);
    this.#addresses.set(key, peer);
  }
}
