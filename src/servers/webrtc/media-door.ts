import { networkInterfaces } from 'node:os';
import type { IceRemote } from '#protocols/ice/agent.ts';
import type { IceCandidate } from '#protocols/ice/candidate.ts';
import { NamedError } from '#util/named-error.ts';
import { type MediaPeer, PeerTable } from './peer-table.ts';
import { TcpDoor } from './tcp-door.ts';
import { UdpDoor } from './udp-door.ts';

export type MediaTransport = 'udp' | 'tcp';

/** How often a free UDP port is looked for whose number is free over TCP too. */
const ATTEMPTS = 16;

/** Where the media of all WebRTC sessions come and go: one number, over UDP and TCP. */
export class MediaDoor {
  readonly port: number;
  readonly #host: string;
  readonly #peers: PeerTable;
  #udp: UdpDoor | undefined;
  #wanted: readonly MediaTransport[];
  #tcp: TcpDoor | undefined;
  /** They take no connections any more, and serve those that they have. */
  readonly #former = new Set<TcpDoor>();

  private constructor(host: string, peers: PeerTable, udp: UdpDoor | undefined, tcp: TcpDoor | undefined) {
    this.#host = host;
    this.#peers = peers;
    this.#udp = udp;
    this.#tcp = tcp;
    this.#wanted = [...(udp ? ['udp' as const] : []), ...(tcp ? ['tcp' as const] : [])];
    this.port = udp?.port ?? tcp?.port ?? 0;
  }

  /**
   * @param host an address, not a name
   * @param port 0: any that is free
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  static async open(host: string, port: number, transports: readonly MediaTransport[]): Promise<MediaDoor> {
    const peers = new PeerTable();
    for (let attempt = 1; ; attempt++) {
      const udp = transports.includes('udp') ? await UdpDoor.open(host, port, peers) : undefined;
      try {
        const tcp = transports.includes('tcp')
          ? await TcpDoor.open(host, udp?.port ?? port, peers)
          : undefined;
        return new MediaDoor(host, peers, udp, tcp);
      } catch (error) {
        await udp?.close();
        const isOther = error instanceof NamedError && error.code === 'PORT_BUSY' && port === 0;
        if (!isOther || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Opens what is not open yet; gives what closes it again.
   * @throws NamedError as `open`
   */
  async add(transports: readonly MediaTransport[]): Promise<() => void> {
    const wants = (transport: MediaTransport) => transports.includes(transport);
    const udp =
      wants('udp') && !this.#udp ? await UdpDoor.open(this.#host, this.port, this.#peers) : undefined;
    let tcp: TcpDoor | undefined;
    try {
      if (wants('tcp') && !this.#tcp) tcp = await TcpDoor.open(this.#host, this.port, this.#peers);
    } catch (error) {
      await udp?.close();
      throw error;
    }
    this.#udp ??= udp;
    this.#tcp ??= tcp;
    const before = this.#wanted;
    // Until it is known whether it will be so, nothing of both is closed.
    this.#wanted = [...before, ...transports];
    return () => {
      this.#wanted = before;
      if (udp) this.#udp = undefined;
      if (tcp) this.#tcp = undefined;
      void udp?.close();
      void tcp?.close();
    };
  }

  /** From now on these; `settle` closes what is not among them. */
  keep(transports: readonly MediaTransport[]): void {
    this.#wanted = transports;
  }

  /**
   * Closes what is not wanted any more: over TCP nobody comes in from now on, and those that are connected go on; UDP has
   * one socket for all, which is closed once there is no session.
   */
  settle(): void {
    const tcp = this.#tcp;
    if (tcp && !this.#wanted.includes('tcp')) {
      this.#tcp = undefined;
      this.#former.add(tcp);
      void tcp.drain().then(() => this.#former.delete(tcp));
    }
    if (this.#udp && !this.#wanted.includes('udp') && this.#peers.size === 0) {
      void this.#udp.close();
      this.#udp = undefined;
    }
  }

  /** Ways in: over UDP before TCP, those of `further` addresses before this machine's own. */
  candidates(transports: readonly MediaTransport[], further: readonly string[]): IceCandidate[] {
    const addresses = [...new Set([...further, ...this.#addresses])];
    return (['udp', 'tcp'] as const)
      .filter((protocol) => transports.includes(protocol))
      .flatMap((protocol) => addresses.map((address) => ({ address, port: this.port, protocol })));
  }

  /** More waits on the way there than goes out soon. */
  isFull(remote: IceRemote): boolean {
    return remote.protocol === 'udp'
      ? this.#udp?.isFull === true
      : this.#tcpOf(remote)?.isFull(remote) !== false;
  }

  send(bytes: Buffer, remote: IceRemote): void {
    if (remote.protocol === 'udp') this.#udp?.send(bytes, remote);
    else this.#tcpOf(remote)?.send(bytes, remote);
  }

  /** Checks for `fragment` go to the peer. */
  register(fragment: string, peer: MediaPeer): void {
    this.#peers.register(fragment, peer);
  }

  /** Nothing goes to the peer any more. */
  unregister(peer: MediaPeer): void {
    this.#peers.unregister(peer);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const former = [...this.#former].map((door) => door.close());
    await Promise.all([this.#udp?.close(), this.#tcp?.close(), ...former]);
  }

  #tcpOf(remote: IceRemote): TcpDoor | undefined {
    return [this.#tcp, ...this.#former].find((door) => door?.has(remote));
  }

  /** Addresses under which this port can be reached on this machine. */
  get #addresses(): string[] {
    if (this.#host !== '0.0.0.0' && this.#host !== '::') return [this.#host];
    const families = this.#host === '::' ? ['IPv4', 'IPv6'] : ['IPv4'];
    return Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).flatMap(({ internal, family, address }) =>
        // Link-local addresses mean nothing without their interface.
        !internal && families.includes(family) && !/^fe80:/i.test(address) ? [address] : [],
      ),
    );
  }
}
