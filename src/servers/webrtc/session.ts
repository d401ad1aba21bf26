import { randomBytes } from 'node:crypto';
import { Pacer } from '#feeds/rtp/pacer.ts';
import type { Feed } from '#hub/feed.ts';
import { Reader, type ReaderLimits } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Transport } from '#hub/transport.ts';
import { IceLiteAgent, type IceRemote } from '#protocols/ice/lite-agent.ts';
import { parseRtcp, type RtcpPacket } from '#protocols/rtcp/packet.ts';
import { isRtcp } from '#protocols/rtp/packet.ts';
import type { AnsweredTrack } from '#protocols/sdp/webrtc-answer.ts';
import type { MasterKey } from '#protocols/srtp/keys.ts';
import { SrtpReceiver, SrtpSender } from '#protocols/srtp/srtp.ts';
import type { StunMessage } from '#protocols/stun/message.ts';
import type { Clock } from '#util/clock.ts';
import { RateLimit } from '#util/rate-limit.ts';
import { DtlsEndpoint, type DtlsIdentity } from './dtls.ts';
import { framedPackets, WebRtcFeedWriter } from './feed-writer.ts';
import type { UdpDoor, UdpPeer } from './udp-door.ts';

/** From the answer to the keys; a browser that may not send UDP never gets there. */
const CONNECT_MS = 20_000;
const WATCH_MS = 2000;
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
  readonly door: UdpDoor;
  readonly clock: Clock;
  readonly limits: ReaderLimits;
  readonly remote: string;
  /** Called once, when the session is over for whatever reason. */
  readonly onEnd: (reason: string) => void;
}

/** One browser that reads: ICE, DTLS and SRTP of its own around the packets of a feed that all share. */
export class ReadSession implements UdpPeer, Transport {
  readonly #options: ReadSessionOptions;
  readonly #agent: IceLiteAgent;
  readonly #payloadTypes: ReadonlyMap<number, number>;
  readonly #pacer: Pacer<{ readonly bytes: Buffer }>;
  readonly #resent = new RateLimit(MAX_RESENT);
  readonly #lost = new Map<number, number>();
  readonly #since: number;
  #dtls: DtlsEndpoint | undefined;
  #sender: SrtpSender | undefined;
  #receiver: SrtpReceiver | undefined;
  #feed: Feed | undefined;
  #reader: Reader | undefined;
  #cancelWatch: () => void;
  #restarts = 0;
  #closed = false;

  private constructor(options: ReadSessionOptions) {
    this.#options = options;
    const { clock, door } = options;
    this.#since = clock.now();
    this.#agent = new IceLiteAgent(newCredentials(), this.#since);
    this.#payloadTypes = new Map(options.tracks.map(({ ssrc, format }) => [ssrc, format.payloadType]));
    this.#pacer = new Pacer({
      clock,
      send: ({ bytes }) => this.#send(bytes),
      isBlocked: () => door.isFull,
    });
    this.#cancelWatch = clock.after(WATCH_MS, () => this.#watch());
  }

  static async open(options: ReadSessionOptions): Promise<ReadSession> {
    const session = new ReadSession(options);
    session.#dtls = await DtlsEndpoint.open({
      identity: options.identity,
      fingerprint: options.fingerprint,
      send: (bytes) => session.#sendTo(bytes),
      onKeys: (local, remote) => session.#join(local, remote),
      onClose: (reason) => session.close(reason),
    });
    options.door.register(session.ice.ufrag, session);
    return session;
  }

  get id(): string {
    return this.#options.id;
  }

  get streamName(): string {
    return this.#options.stream.name;
  }

  get ice(): { readonly ufrag: string; readonly password: string } {
    return this.#agent.local;
  }

  /** Names this state of ICE (RFC 9725 section 4.3.1). */
  get etag(): string {
    return `"${this.id}-${this.#restarts}"`;
  }

  get door(): UdpDoor {
    return this.#options.door;
  }

  /** New credentials, for a browser whose network changed. */
  restartIce(): void {
    this.#restarts++;
    this.#agent.restart(newCredentials(), this.#options.clock.now());
    this.door.register(this.ice.ufrag, this);
  }

  check(message: StunMessage, from: IceRemote): boolean {
    const outcome = this.#agent.receive(message, from, this.#options.clock.now());
    if (!outcome) return false;
    this.door.send(outcome.answer, from);
    return outcome.valid;
  }

  receive(bytes: Buffer): void {
    const first = bytes[0] ?? 0;
    if (first >= 20 && first <= 63) this.#dtls?.receive(bytes);
    else if (first >= 128 && first <= 191 && isRtcp(bytes)) {
      const opened = this.#receiver?.rtcp(bytes);
      if (opened) for (const packet of parseRtcp(opened)) this.#feedback(packet);
    }
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
    this.#cancelWatch();
    this.#pacer.close();
    this.#dtls?.close();
    const { door, onEnd } = this.#options;
    door.unregister(this);
    if (this.#feed && this.#reader) this.#feed.detach(this.#reader);
    this.#reader?.close(reason);
    onEnd(reason);
  }

  #join(local: MasterKey, remote: MasterKey): void {
    if (this.#closed) return;
    const { id, remote: address, clock, limits, openFeed } = this.#options;
    this.#sender = new SrtpSender(local);
    this.#receiver = new SrtpReceiver(remote);
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

  #watch(): void {
    const now = this.#options.clock.now();
    if (!this.#agent.hasConsent(now)) {
      return this.close('The browser has not been heard of for 30 s.');
    }
    if (!this.#sender && now - this.#since > CONNECT_MS) {
      return this.close(
        `The browser did not connect within ${CONNECT_MS / 1000} s: is UDP port ${this.door.port} open to it?`,
      );
    }
    this.#cancelWatch = this.#options.clock.after(WATCH_MS, () => this.#watch());
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
    const sender = this.#sender;
    if (!sender) return;
    if (isRtcp(packet)) return this.#sendTo(sender.rtcp(packet));
    const payloadType = this.#payloadTypes.get(packet.readUInt32BE(8));
    if (payloadType !== undefined) this.#sendTo(sender.rtp(packet, payloadType));
  }

  #sendTo(bytes: Buffer): void {
    const { selected } = this.#agent;
    if (selected && !this.#closed) this.door.send(bytes, selected);
  }
}

/** RFC 8839 section 5.4 asks for 24 bits in the fragment and 128 in the password at least. */
function newCredentials() {
  return { ufrag: randomBytes(6).toString('hex'), password: randomBytes(18).toString('hex') };
}
