import { Pacer } from '#feeds/rtp/pacer.ts';
import { framedPackets, WebRtcFeedWriter } from '#feeds/webrtc/feed-writer.ts';
import type { Feed } from '#hub/feed.ts';
import { Reader, type ReaderLimits } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Transport } from '#hub/transport.ts';
import type { DtlsIdentity } from '#protocols/dtls/endpoint.ts';
import { parseRtcp, type RtcpPacket } from '#protocols/rtcp/packet.ts';
import { isRtcp } from '#protocols/rtp/packet.ts';
import type { AnsweredTrack } from '#protocols/sdp/webrtc-answer.ts';
import type { Clock } from '#util/clock.ts';
import { RateLimit } from '#util/rate-limit.ts';
import type { MediaDoor } from './media-door.ts';
import { ServerPeer } from './server-peer.ts';

/** Packets that a viewer is sent again in a second, twice what 2 Mbit/s has: a hole must not become a flood. */
const MAX_RESENT = 512;

export interface ViewerTrack extends AnsweredTrack {
  readonly ssrc: number;
}

export interface ReadSessionOptions {
  readonly id: string;
  readonly stream: Stream;
  readonly tracks: readonly ViewerTrack[];
  /** The feed that has these tracks; asked for when the keys are there. */
  readonly openFeed: () => Feed;
  readonly identity: DtlsIdentity;
  /** SHA-256 of the browser's certificate. */
  readonly fingerprint: string;
  readonly door: MediaDoor;
  readonly clock: Clock;
  readonly limits: ReaderLimits;
  readonly remote: string;
  /** Called once, when the session is over for whatever reason. */
  readonly onEnd: (reason: string) => void;
}

/** One browser that reads: a connection of its own around the packets of a feed that all share. */
export class ReadSession implements Transport {
  readonly #options: ReadSessionOptions;
  readonly #payloadTypes: ReadonlyMap<number, number>;
  readonly #pacer: Pacer<{ readonly bytes: Buffer }>;
  readonly #resent = new RateLimit(MAX_RESENT);
  readonly #lost = new Map<number, number>();
  readonly peer: ServerPeer;
  #feed: Feed | undefined;
  #reader: Reader | undefined;
  #closed = false;

  private constructor(options: ReadSessionOptions, peer: ServerPeer) {
    this.#options = options;
    this.peer = peer;
    this.#payloadTypes = new Map(options.tracks.map(({ ssrc, format }) => [ssrc, format.payloadType]));
    this.#pacer = new Pacer({
      clock: options.clock,
      send: ({ bytes }) => this.#send(bytes),
      isBlocked: () => peer.isBlocked,
    });
  }

  static async open(options: ReadSessionOptions): Promise<ReadSession> {
    const peer: ServerPeer = await ServerPeer.open({
      ...options,
      onOpen: () => session.#join(),
      onRtcp: (bytes) => {
        for (const packet of parseRtcp(bytes)) session.#feedback(packet);
      },
      onClose: (reason) => session.close(reason),
    });
    const session = new ReadSession(options, peer);
    return session;
  }

  get id(): string {
    return this.#options.id;
  }

  get streamName(): string {
    return this.#options.stream.name;
  }

  /** Bytes of the feed: packets for all viewers. */
  write(bytes: Buffer): void {
    for (const packet of framedPackets(bytes)) this.#pacer.push({ bytes: packet });
    this.#pacer.flush();
  }

  get backlog(): number {
    return this.#pacer.backlog;
  }

  onDrain(callback: () => void): void {
    this.#pacer.onDrain(callback);
  }

  /** Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pacer.close();
    this.peer.close();
    if (this.#feed && this.#reader) this.#feed.detach(this.#reader);
    this.#reader?.close(reason);
    this.#options.onEnd(reason);
  }

  #join(): void {
    if (this.#closed) return;
    const { id, remote: address, clock, limits, openFeed } = this.#options;
    try {
      this.#feed = openFeed();
    } catch {
      return this.close('The stream has ended.');
    }
    this.#reader = new Reader({
      id,
      door: 'webrtc',
      remote: address,
      transport: this,
      clock,
      limits,
      onClose: (reason) => this.close(reason),
    });
    this.#feed.attach(this.#reader);
    if (this.#reader.counters.units === 0) this.#options.stream.requestKeyframe();
  }

  #feedback(packet: RtcpPacket): void {
    const { stream } = this.#options;
    if (packet.type === 'keyframe-request') stream.requestKeyframe();
    else if (packet.type === 'nack') this.#resend(packet.ssrc, packet.sequences);
    else if (packet.type === 'goodbye') this.close('The browser said goodbye.');
    else if (packet.type === 'receiver-report' || packet.type === 'sender-report') {
      for (const { ssrc, lost } of packet.reports) {
        if (this.#payloadTypes.has(ssrc)) this.#lost.set(ssrc, Math.max(0, lost));
      }
      if (this.#reader && this.#lost.size > 0) {
        this.#reader.lost = [...this.#lost.values()].reduce((sum, lost) => sum + lost, 0);
      }
    }
  }

  #resend(ssrc: number, sequences: readonly number[]): void {
    const writer = this.#feed?.writer;
    if (!(writer instanceof WebRtcFeedWriter)) return;
    const now = this.#options.clock.now();
    for (const sequence of sequences) {
      const packet = writer.packet(ssrc, sequence);
      if (!packet) continue;
      if (!this.#resent.take(now)) return;
      this.#pacer.push({ bytes: packet });
    }
    this.#pacer.flush();
  }

  #send(packet: Buffer): void {
    if (isRtcp(packet)) return this.peer.sendRtcp(packet);
    const payloadType = this.#payloadTypes.get(packet.readUInt32BE(8));
    if (payloadType !== undefined) this.peer.sendRtp(packet, payloadType);
  }
}
