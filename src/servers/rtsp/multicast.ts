import { createSocket, type Socket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { eachFrame } from '#feeds/rtp/frames.ts';
import { canBeSent, openRtpFeed } from '#feeds/rtp/open-feed.ts';
import { Pacer } from '#feeds/rtp/pacer.ts';
import type { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import type { Feed } from '#hub/feed.ts';
import type { Hub } from '#hub/hub.ts';
import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { ChannelPair, MulticastGroup } from '#protocols/rtsp/application.ts';
import type { Clock } from '#util/clock.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { closeUdp } from '#util/udp-pair.ts';

/** Where and how media are sent to many at a time. */
export interface MulticastSettings {
  /** First of the group addresses, IPv4, and how many follow; each stream in use has one of its own. */
  readonly first: string;
  readonly count: number;
  /** Even: RTP of the first track of the first stream; RTCP is the next one, and each stream has eight. */
  readonly port: number;
  /** Routers that may hand the packets on. */
  readonly ttl: number;
}

/**
 * Ports of each stream. Groups have ports of their own besides addresses of their own, because programs that bind a port
 * for all addresses get what comes to it for any group that somebody on their machine has joined.
 */
export const PORTS_PER_STREAM = 8;

/** Bytes that may wait for the kernel before senders hold back. */
const SEND_QUEUE = 1 << 20;

export interface MulticastOptions {
  readonly settings: MulticastSettings;
  readonly hub: Hub;
  readonly sequences: RtpSequences;
  readonly clock: Clock;
}

/** One session's claim on the group of a stream. */
export interface MulticastSeat {
  /** Where a track is sent. */
  group(trackId: number): MulticastGroup;
  /** PLAY: the tracks are sent from now on, if they were not. */
  begin(): void;
  /** The session needs them no longer. Idempotent. */
  leave(): void;
}

/**
 * Sends streams to multicast groups: one reader of the hub for each stream, whoever receives it, and each packet once.
 * A group lives from the first session that sets it up to the last that leaves.
 */
export class Multicast {
  readonly settings: MulticastSettings;
  readonly #options: MulticastOptions;
  readonly #socket: Socket;
  readonly #senders = new Map<Stream, Sender>();
  #retired = false;

  private constructor(options: MulticastOptions, socket: Socket) {
    this.settings = options.settings;
    this.#options = options;
    this.#socket = socket;
  }

  /**
   * Opens the socket that all groups are sent from.
   * @param host our address; where it is none in particular, the system chooses the network
   * @throws NamedError ADDRESS_UNAVAILABLE
   */
  static async open(host: string, options: MulticastOptions): Promise<Multicast> {
    const socket = createSocket('udp4');
    const own = isIPv4(host) && host !== '0.0.0.0' ? host : undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ port: 0, ...(own !== undefined && { address: own }) }, resolve);
      });
      socket.removeAllListeners('error');
      if (own !== undefined) socket.setMulticastInterface(own);
      socket.setMulticastTTL(options.settings.ttl);
      socket.setMulticastLoopback(true);
    } catch (error) {
      await closeUdp(socket).catch(() => {});
      throw new NamedError(
        'ADDRESS_UNAVAILABLE',
        `Multicast (rtsp.transports) cannot be sent from ${host}: ${messageOf(error)}.`,
        500,
        { cause: error },
      );
    }
    // A network that is gone for a while shows by packets that do not come.
    socket.on('error', () => {});
    socket.unref();
    return new Multicast(options, socket);
  }

  /**
   * A session sets up tracks of a stream.
   * @param onEnd the stream is sent no longer
   * @throws NamedError MULTICAST_UNAVAILABLE
   */
  join(stream: Stream, onEnd: (reason: string) => void): MulticastSeat {
    if (this.#retired) {
      const sentence = 'Multicast was changed in the configuration meanwhile: connect again.';
      throw new NamedError('MULTICAST_UNAVAILABLE', sentence, 503);
    }
    const sender = this.#senders.get(stream) ?? this.#open(stream);
    return sender.join(onEnd);
  }

  /** No further session is let in; the socket closes with the last group. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#senders.size === 0) this.#socket.close();
  }

  /** Ends every group. Idempotent. */
  close(reason: string): void {
    if (this.#senders.size === 0) return this.retire();
    this.#retired = true;
    for (const sender of this.#senders.values()) sender.end(reason);
  }

  #open(stream: Stream): Sender {
    const { settings } = this;
    const taken = new Set(this.#senders.values().map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    if (slot >= settings.count) {
      throw new NamedError(
        'MULTICAST_UNAVAILABLE',
        `All ${settings.count} multicast addresses are in use (rtsp.multicast.addresses). Read over TCP or UDP.`,
        503,
      );
    }
    const sender = new Sender({
      ...this.#options,
      stream,
      slot,
      address: addressAt(settings.first, slot),
      socket: this.#socket,
      onEmpty: () => {
        this.#senders.delete(stream);
        if (this.#retired && this.#senders.size === 0) this.#socket.close();
      },
    });
    this.#senders.set(stream, sender);
    return sender;
  }
}

interface SenderOptions extends MulticastOptions {
  readonly stream: Stream;
  /** Its place among the addresses. */
  readonly slot: number;
  readonly address: string;
  readonly socket: Socket;
  readonly onEmpty: () => void;
}

interface Seat {
  readonly onEnd: (reason: string) => void;
}

/** The group of one stream. */
class Sender {
  readonly slot: number;
  readonly #options: SenderOptions;
  readonly #seats = new Set<Seat>();
  /** Ports by track id. */
  readonly #ports: ReadonlyMap<number, readonly [number, number]>;
  /** Port by channel of the feed. */
  readonly #targets: ReadonlyMap<number, number>;
  readonly #channels: ReadonlyMap<number, ChannelPair>;
  readonly #pacer: Pacer<{ readonly bytes: Buffer; readonly port: number }>;
  #feed: Feed | undefined;
  #reader: Reader | undefined;
  #over = false;

  constructor(options: SenderOptions) {
    this.slot = options.slot;
    this.#options = options;
    const { stream, settings, socket, address } = options;
    const tracks = stream.tracks.filter(canBeSent).slice(0, PORTS_PER_STREAM / 2);
    const pairs = tracks.map(({ id }, at) => {
      const port = settings.port + PORTS_PER_STREAM * options.slot + 2 * at;
      return { id, channels: [2 * at, 2 * at + 1] as const, ports: [port, port + 1] as const };
    });
    this.#ports = new Map(pairs.map(({ id, ports }) => [id, ports]));
    this.#channels = new Map(pairs.map(({ id, channels }) => [id, channels]));
    this.#targets = new Map(
      pairs.flatMap(({ channels, ports }) => [
        [channels[0], ports[0]],
        [channels[1], ports[1]],
      ]),
    );
    this.#pacer = new Pacer({
      clock: options.clock,
      send: ({ bytes, port }) => socket.send(bytes, 0, bytes.length, port, address),
      isBlocked: () => socket.getSendQueueSize() > SEND_QUEUE,
    });
  }

  join(onEnd: (reason: string) => void): MulticastSeat {
    const seat: Seat = { onEnd };
    this.#seats.add(seat);
    const { address, settings, stream } = this.#options;
    return {
      group: (id) => {
        const ports = this.#ports.get(id);
        // The group was made before this track was there.
        if (!ports) {
          throw new NamedError(
            'TRACK_NOT_FOUND',
            `Track ${id} of "${stream.name}" is not sent by multicast: it came later.`,
            404,
          );
        }
        return { address, ports, ttl: settings.ttl };
      },
      begin: () => this.#begin(),
      leave: () => {
        if (!this.#seats.delete(seat) || this.#seats.size > 0) return;
        this.#finish('Nobody receives the group any more.');
      },
    };
  }

  /** Everybody is told. */
  end(reason: string): void {
    const seats = [...this.#seats];
    this.#seats.clear();
    this.#finish(reason);
    for (const { onEnd } of seats) onEnd(reason);
  }

  #begin(): void {
    const { stream, hub, sequences, clock, address } = this.#options;
    const pacer = this.#pacer;
    const feed = this.#feed;
    if (feed) {
      // Who comes later has no report yet by which to bring sound and picture together.
      for (const bytes of feed.writer.greeting?.() ?? []) this.#write(bytes);
    } else {
      const limits = hub.options.feedLimits;
      this.#feed = openRtpFeed({ stream, channels: this.#channels, sequences, limits });
      this.#reader = new Reader({
        id: `multicast ${address}`,
        door: 'rtsp',
        remote: address,
        transport: {
          write: (bytes) => this.#write(bytes),
          get backlog() {
            return pacer.backlog;
          },
          onDrain: (callback) => pacer.onDrain(callback),
          close() {},
        },
        clock,
        limits: hub.options.readerLimits,
        onClose: (reason) => this.end(reason),
      });
      this.#feed.attach(this.#reader);
    }
    stream.requestKeyframe();
  }

  /** Framed packets, one behind the other. */
  #write(bytes: Buffer): void {
    eachFrame(bytes, (channel, start, end) => {
      const port = this.#targets.get(channel);
      if (port !== undefined) this.#pacer.push({ bytes: bytes.subarray(start, end), port });
    });
    this.#pacer.flush();
  }

  #finish(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#pacer.close();
    const reader = this.#reader;
    if (reader) {
      this.#feed?.detach(reader);
      reader.close(reason);
    }
    this.#options.onEmpty();
  }
}

/** The address that stands so many behind another one. */
function addressAt(first: string, offset: number): string {
  const number = first.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + offset;
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.');
}
