import { eachFrame } from '#feeds/rtp/frames.ts';
import { Pacer, type PacketTarget } from '#feeds/rtp/pacer.ts';
import type { Transport } from '#hub/transport.ts';
import type { ChannelPair } from '#protocols/rtsp/application.ts';
import { INTERLEAVED_HEADER_SIZE, serializeInterleaved } from '#protocols/rtsp/message.ts';
import type { Clock } from '#util/clock.ts';
import type { UdpPorts } from './udp-ports.ts';

/** The RTSP connection, as far as media travels in it. */
export interface ConnectionPath {
  write(bytes: Buffer): void;
  /** Bytes that wait in it. */
  readonly backlog: number;
  onDrain(callback: () => void): void;
}

export interface MediaPathsOptions {
  readonly connection: ConnectionPath;
  readonly udp: UdpPorts | undefined;
  readonly clock: Clock;
  /** Of the client. */
  readonly address: string;
  /** A packet of the client came over UDP, on the channel that stands for its track. */
  readonly receive: (channel: number, bytes: Buffer) => void;
}

/**
 * The ways of one session's media: each channel leads into the RTSP connection, or to a UDP port of the client. Readers
 * over TCP and over UDP take the same bytes from the same feed, RTP packets framed for the connection (RFC 2326 section
 * 10.12); for UDP the frames are taken apart again, which copies nothing.
 */
export class MediaPaths implements Transport {
  readonly #options: MediaPathsOptions;
  readonly #pacer: Pacer | undefined;
  readonly #targets = new Map<number, PacketTarget>();
  /** By the first channel of a track. */
  readonly #registrations = new Map<number, () => void>();

  constructor(options: MediaPathsOptions) {
    const { udp, clock, address } = options;
    this.#options = options;
    this.#pacer =
      udp &&
      new Pacer({
        clock,
        send: ({ bytes, to }) => udp.send(to.from, bytes, to.port, address),
        isBlocked: () => udp.isFull,
      });
  }

  /** Leads a track's channels to UDP ports of the client, or without ports into the connection. */
  lead(channels: ChannelPair, clientPorts: readonly [number, number] | undefined): void {
    for (const channel of channels) this.#targets.delete(channel);
    this.#registrations.get(channels[0])?.();
    this.#registrations.delete(channels[0]);
    const { udp, address, receive } = this.#options;
    if (!clientPorts || !udp) return;
    this.#targets.set(channels[0], { from: 0, port: clientPorts[0] });
    this.#targets.set(channels[1], { from: 1, port: clientPorts[1] });
    const take = (port: 0 | 1, bytes: Buffer) => receive(channels[port], bytes);
    this.#registrations.set(channels[0], udp.register({ address, ports: clientPorts, receive: take }));
  }

  /** Framed packets, one behind the other. */
  write(bytes: Buffer): void {
    const pacer = this.#pacer;
    if (!pacer || this.#targets.size === 0) {
      this.#options.connection.write(bytes);
      return;
    }
    eachFrame(bytes, (channel, start, end) => {
      const to = this.#targets.get(channel);
      if (to) pacer.push({ bytes: bytes.subarray(start, end), to });
      else this.#options.connection.write(bytes.subarray(start - INTERLEAVED_HEADER_SIZE, end));
    });
    pacer.flush();
  }

  /** One packet of our own, such as a report. */
  send(channel: number, packet: Buffer): void {
    const { connection, udp, address } = this.#options;
    const to = this.#targets.get(channel);
    if (to) udp?.send(to.from, packet, to.port, address);
    else connection.write(serializeInterleaved(channel, packet));
  }

  get backlog(): number {
    return this.#options.connection.backlog + (this.#pacer?.backlog ?? 0);
  }

  onDrain(callback: () => void): void {
    this.#options.connection.onDrain(callback);
    this.#pacer?.onDrain(callback);
  }

  /** Nothing is taken or sent over UDP any more. The connection is closed by the session. Idempotent. */
  close(): void {
    this.#pacer?.close();
    for (const unregister of this.#registrations.values()) unregister();
    this.#registrations.clear();
  }
}
