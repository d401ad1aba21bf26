import { framedPackets } from '#feeds/rtp/frames.ts';
import { Pacer } from '#feeds/rtp/pacer.ts';
import { WebRtcFeedWriter } from '#feeds/webrtc/feed-writer.ts';
import type { Feed } from '#hub/feed.ts';
import type { RtcpPacket } from '#protocols/rtcp/packet.ts';
import { isRtcp } from '#protocols/rtp/packet.ts';
import type { Clock } from '#util/clock.ts';
import { RateLimit } from '#util/rate-limit.ts';

/** Packets that are sent again in a second, twice what 2 Mbit/s has: a hole must not become a flood. */
const MAX_RESENT = 512;
/** A server that has not taken so many bytes yet misses packets because of that, and is sent none again. */
const MAX_RESEND_BACKLOG = 256 << 10;
/** Numbers behind the latest one that are known to have gone out: half of all, as no other can be told apart. */
const MAX_SPAN = 0x7fff;

export interface PacketSenderOptions {
  readonly clock: Clock;
  /** Payload types that were agreed on, by source. */
  readonly payloadTypes: ReadonlyMap<number, number>;
  readonly sendRtp: (packet: Buffer, payloadType: number) => void;
  readonly sendRtcp: (packet: Buffer) => void;
  /** True while the way out takes nothing. */
  readonly isBlocked: () => boolean;
}

/** Sends the packets of a feed over one WebRTC connection, paced, and again where some are missed. */
export class PacketSender {
  readonly #options: PacketSenderOptions;
  readonly #pacer: Pacer<{ readonly bytes: Buffer }>;
  readonly #resent = new RateLimit(MAX_RESENT);
  readonly #lost = new Map<number, number>();
  /** By source: the latest number, and how many before it went out over this connection. */
  readonly #gone = new Map<number, { latest: number; span: number }>();

  constructor(options: PacketSenderOptions) {
    this.#options = options;
    this.#pacer = new Pacer({
      clock: options.clock,
      send: ({ bytes }) => this.#send(bytes),
      isBlocked: options.isBlocked,
    });
  }

  /** Bytes of the feed: packets for all its readers. */
  write(bytes: Buffer): void {
    for (const packet of framedPackets(bytes)) {
      if (!isRtcp(packet)) this.#note(packet.readUInt32BE(8), packet.readUInt16BE(2));
      this.#pacer.push({ bytes: packet });
    }
    this.#pacer.flush();
  }

  get backlog(): number {
    return this.#pacer.backlog;
  }

  onDrain(callback: () => void): void {
    this.#pacer.onDrain(callback);
  }

  /** Packets that the other side says were lost; undefined while it has not said anything. */
  get lost(): number | undefined {
    if (this.#lost.size === 0) return undefined;
    return [...this.#lost.values()].reduce((sum, lost) => sum + lost, 0);
  }

  /** What the other side says about the packets of `feed`. */
  feedback(packet: RtcpPacket, feed: Feed | undefined): void {
    if (packet.type === 'nack') this.#resend(packet.ssrc, packet.sequences, feed);
    else if (packet.type === 'receiver-report' || packet.type === 'sender-report') {
      for (const { ssrc, lost } of packet.reports) {
        if (this.#options.payloadTypes.has(ssrc)) this.#lost.set(ssrc, Math.max(0, lost));
      }
    }
  }

  /** Forgets what waits. Idempotent. */
  close(): void {
    this.#pacer.close();
  }

  #resend(ssrc: number, sequences: readonly number[], feed: Feed | undefined): void {
    const writer = feed?.writer;
    if (!(writer instanceof WebRtcFeedWriter)) return;
    const now = this.#options.clock.now();
    for (const sequence of sequences) {
      if (this.#pacer.backlog > MAX_RESEND_BACKLOG) return;
      const packet = this.#wentOut(ssrc, sequence) ? writer.packet(ssrc, sequence) : undefined;
      if (!packet) continue;
      if (!this.#resent.take(now)) return;
      this.#pacer.push({ bytes: packet });
    }
    this.#pacer.flush();
  }

  #note(ssrc: number, sequence: number): void {
    const gone = this.#gone.get(ssrc);
    if (!gone) return void this.#gone.set(ssrc, { latest: sequence, span: 0 });
    gone.span = Math.min(gone.span + ((sequence - gone.latest) & 0xffff), MAX_SPAN);
    gone.latest = sequence;
  }

  /**
   * The feed may have packets from before this connection. Under the cipher of a connection the first one's number begins
   * the count of rounds, so one before it would take an index that a later packet takes again, which lays both open.
   */
  #wentOut(ssrc: number, sequence: number): boolean {
    const gone = this.#gone.get(ssrc);
    return gone !== undefined && ((gone.latest - sequence) & 0xffff) <= gone.span;
  }

  #send(packet: Buffer): void {
    const { payloadTypes, sendRtp, sendRtcp } = this.#options;
    if (isRtcp(packet)) return sendRtcp(packet);
    const payloadType = payloadTypes.get(packet.readUInt32BE(8));
    if (payloadType !== undefined) sendRtp(packet, payloadType);
  }
}
