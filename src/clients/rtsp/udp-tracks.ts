import type { UdpPair } from '#util/udp-pair.ts';
import { bindUdpPair, closeUdp } from '#util/udp-pair.ts';

/** As large as the system lets it be: a keyframe comes in one burst. */
const RECEIVE_BUFFER = 4 << 20;

/** An RTP packet without anything in it, and a receiver report without blocks: they open the way through a firewall. */
const EMPTY_RTP = Buffer.from('800000000000000000000000', 'hex');
const EMPTY_RTCP = Buffer.from('80c9000100000000', 'hex');

interface Peer {
  readonly address: string;
  readonly ports: readonly [number, number];
}

/** The UDP ports of one connection's tracks. What another address than the server's sends is let go by. */
export class UdpTracks {
  readonly #pairs: readonly UdpPair[];
  readonly #peers: (Peer | undefined)[] = [];
  #closed = false;

  private constructor(
    pairs: readonly UdpPair[],
    server: string,
    receive: (track: number, kind: 'rtp' | 'rtcp', bytes: Buffer) => void,
  ) {
    this.#pairs = pairs;
    for (const [track, pair] of pairs.entries()) {
      for (const [index, socket] of pair.entries()) {
        socket.on('message', (bytes, from) => {
          if (plain(from.address) === plain(server)) receive(track, index === 0 ? 'rtp' : 'rtcp', bytes);
        });
        // An unreachable port of the server shows by media that do not come.
        socket.on('error', () => {});
        try {
          socket.setRecvBufferSize(RECEIVE_BUFFER);
        } catch {
          // The system's own size is enough for most.
        }
      }
    }
  }

  /** Opens a pair for each of `count` tracks on `local`, our address of the connection to `server`. */
  static async open(options: {
    readonly count: number;
    readonly local: string;
    readonly server: string;
    readonly receive: (track: number, kind: 'rtp' | 'rtcp', bytes: Buffer) => void;
  }): Promise<UdpTracks> {
    const pairs: UdpPair[] = [];
    try {
      while (pairs.length < options.count) pairs.push(await bindUdpPair(plain(options.local), 0));
    } catch (error) {
      for (const socket of pairs.flat()) socket.close();
      throw error;
    }
    return new UdpTracks(pairs, options.server, options.receive);
  }

  /** Ports of RTP and RTCP by track. */
  get ports(): readonly (readonly [number, number])[] {
    return this.#pairs.map(([rtp, rtcp]) => [rtp.address().port, rtcp.address().port]);
  }

  /** The server has named its ports of a track: a first packet to each lets its own through. */
  meet(track: number, peer: Peer): void {
    this.#peers[track] = { ...peer, address: plain(peer.address) };
    this.#send(track, 0, EMPTY_RTP);
    this.#send(track, 1, EMPTY_RTCP);
  }

  sendRtcp(track: number, packet: Buffer): void {
    this.#send(track, 1, packet);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#pairs.flat().map(closeUdp));
  }

  #send(track: number, index: 0 | 1, packet: Buffer): void {
    const peer = this.#peers[track];
    if (peer && !this.#closed) this.#pairs[track]?.[index].send(packet, peer.ports[index], peer.address);
  }
}

/** An IPv4 address without the clothes of IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
