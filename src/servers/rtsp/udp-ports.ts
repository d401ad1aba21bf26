import type { RemoteInfo, Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { listenFailure } from '#util/tcp-port.ts';
import { bindUdpPair, closeUdp } from '#util/udp-pair.ts';
import type { RtspLog } from './log.ts';

/** Of the pair of ports: 0 is RTP, 1 is RTCP. */
export type PortIndex = 0 | 1;

/** One track of one session, as the ports know it. */
export interface UdpClient {
  /** The address of its RTSP connection: nobody is sent media who did not ask for it. */
  readonly address: string;
  /** Its own ports of RTP and RTCP. */
  readonly ports: readonly [number, number];
  receive(port: PortIndex, bytes: Buffer): void;
}

/** What the kernel may hold of what arrived and was not read yet: a keyframe of several publishers at once. */
const RECEIVE_BUFFER = 4 << 20;
const SEND_BUFFER = 1 << 20;

/** Bytes that may wait for the kernel before senders hold back. */
const SEND_QUEUE = 1 << 20;

/** The Synchronisation source last seen from a client, to tell two apart that share an address and a port. */
interface Registered {
  readonly client: UdpClient;
  ssrc: number | undefined;
}

/**
 * The pair of UDP ports through which the media of all sessions goes, RTP through the even one and RTCP through the
 * next. Packets from addresses that belong to no session are dropped and counted.
 */
export class UdpPorts {
  /** Our ports of RTP and RTCP. */
  readonly ports: readonly [number, number];
  /** Packets dropped because nobody expected them, and packets that could not be sent. */
  readonly counters = { unknown: 0, unsent: 0 };
  readonly #sockets: readonly [Socket, Socket];
  readonly #log: RtspLog;
  readonly #isV6: boolean;
  readonly #clients = new Map<string, Registered[]>();
  #closing: Promise<unknown> | undefined;

  private constructor(sockets: readonly [Socket, Socket], log: RtspLog) {
    this.#sockets = sockets;
    this.#log = log;
    this.ports = [sockets[0].address().port, sockets[1].address().port];
    this.#isV6 = sockets[0].address().family === 'IPv6';
    for (const index of [0, 1] as const) {
      const socket = sockets[index];
      socket.on('message', (bytes, from) => this.#receive(index, bytes, from));
      socket.on('error', (error) => this.#failed(error));
      // As much as the system lets us have.
      attempt(() => socket.setRecvBufferSize(RECEIVE_BUFFER));
      attempt(() => socket.setSendBufferSize(SEND_BUFFER));
    }
  }

  /**
   * Opens the pair on `host`, an address (not a name). `port` is even, or 0 for any free pair.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  static async open(options: { host: string; port: number; log: RtspLog }): Promise<UdpPorts> {
    const { host, port, log } = options;
    try {
      return new UdpPorts(await bindUdpPair(host, port), log);
    } catch (error) {
      const cause = error as NodeJS.ErrnoException & { port?: number };
      throw listenFailure(cause, { host, port: cause.port ?? port, setting: 'rtsp.udpPort' }, 'UDP port');
    }
  }

  /** Takes packets of a client from now on, until the returned function is called. */
  register(client: UdpClient): () => void {
    const registered: Registered = { client, ssrc: undefined };
    const keys = client.ports.map((port) => keyOf(client.address, port));
    for (const key of keys) this.#clients.set(key, [...(this.#clients.get(key) ?? []), registered]);
    return () => {
      for (const key of keys) {
        const rest = (this.#clients.get(key) ?? []).filter((one) => one !== registered);
        if (rest.length > 0) this.#clients.set(key, rest);
        else this.#clients.delete(key);
      }
    };
  }

  /** Sends one packet from one of our ports; what UDP cannot deliver is lost. */
  send(from: PortIndex, bytes: Buffer, port: number, address: string): void {
    if (this.#closing) return;
    const to = this.#isV6 && !isIPv6(address) ? `::ffff:${address}` : address;
    this.#sockets[from].send(bytes, 0, bytes.length, port, to);
  }

  /** True while so much waits for the kernel that senders must hold back. */
  get isFull(): boolean {
    return this.#sockets[0].getSendQueueSize() > SEND_QUEUE;
  }

  /** Idempotent. */
  close(): Promise<unknown> {
    this.#closing ??= Promise.all(this.#sockets.map(closeUdp));
    return this.#closing;
  }

  #receive(index: PortIndex, bytes: Buffer, from: RemoteInfo): void {
    const candidates = this.#clients.get(keyOf(from.address, from.port));
    // In RTCP the source that speaks comes first, in RTP third.
    const at = index === 0 ? 8 : 4;
    const ssrc = bytes.length >= at + 4 ? bytes.readUInt32BE(at) : undefined;
    const found = candidates && choose(candidates, ssrc);
    if (!found) {
      this.counters.unknown++;
      return;
    }
    // A receiver's reports carry its own source, which may be another than that of the media it sends.
    if (index === 0 || found.ssrc === undefined) found.ssrc = ssrc;
    found.client.receive(index, bytes);
  }

  #failed(error: Error): void {
    if (this.counters.unsent++ === 0) this.#log.warn(`RTSP over UDP: ${error.message}`);
  }
}

/** Of several who share an address and a port, the one with this source, else the newest of whom none is known. */
function choose(candidates: readonly Registered[], ssrc: number | undefined): Registered | undefined {
  if (candidates.length === 1) return candidates[0];
  return (
    candidates.find((one) => one.ssrc !== undefined && one.ssrc === ssrc) ??
    candidates.findLast((one) => one.ssrc === undefined)
  );
}

function keyOf(address: string, port: number): string {
  return `${plainAddress(address)} ${port}`;
}

/** An IPv4 address without the clothes of IPv6. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // The system's own size is enough for most.
  }
}
