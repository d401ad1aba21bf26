import { PacketSender } from '#feeds/webrtc/packet-sender.ts';
import type { Feed } from '#hub/feed.ts';
import { Reader, type ReaderLimits } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Transport } from '#hub/transport.ts';
import type { DtlsIdentity } from '#protocols/dtls/endpoint.ts';
import { parseRtcp, type RtcpPacket } from '#protocols/rtcp/packet.ts';
import type { AnsweredTrack } from '#protocols/sdp/webrtc-answer.ts';
import type { Clock } from '#util/clock.ts';
import type { MediaDoor } from './media-door.ts';
import { ServerPeer } from './server-peer.ts';

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
  readonly peer: ServerPeer;
  readonly #options: ReadSessionOptions;
  readonly #sender: PacketSender;
  #feed: Feed | undefined;
  #reader: Reader | undefined;
  #closed = false;

  private constructor(options: ReadSessionOptions, peer: ServerPeer) {
    this.#options = options;
    this.peer = peer;
    this.#sender = new PacketSender({
      clock: options.clock,
      payloadTypes: new Map(options.tracks.map(({ ssrc, format }) => [ssrc, format.payloadType])),
      sendRtp: (packet, payloadType) => peer.sendRtp(packet, payloadType),
      sendRtcp: (packet) => peer.sendRtcp(packet),
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
    this.#sender.write(bytes);
  }

  get backlog(): number {
    return this.#sender.backlog;
  }

  onDrain(callback: () => void): void {
    this.#sender.onDrain(callback);
  }

  /** Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sender.close();
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
    if (packet.type === 'keyframe-request') this.#options.stream.requestKeyframe();
    else if (packet.type === 'goodbye') this.close('The browser said goodbye.');
    else this.#sender.feedback(packet, this.#feed);
    if (this.#reader) this.#reader.lost = this.#sender.lost;
  }
}
