import { randomInt } from 'node:crypto';
import { Pacer } from '#feeds/rtp/pacer.ts';
import type { Feed } from '#hub/feed.ts';
import type { ReaderLimits } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { DtlsIdentity } from '#protocols/dtls/endpoint.ts';
import { parseRtcp, type RtcpPacket, readdressReport } from '#protocols/rtcp/packet.ts';
import { hasDataChannels, type SentTrack } from '#protocols/sdp/webrtc-answer.ts';
import type { WebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import type { Clock } from '#util/clock.ts';
import { RateLimit } from '#util/rate-limit.ts';
import { StreamReading } from './from-stream.ts';
import type { MediaDoor } from './media-door.ts';
import { OutgoingLine, type OutgoingPacket } from './outgoing-line.ts';
import { type JoinResults, ResultsChannel } from './results-channel.ts';
import { ServerPeer } from './server-peer.ts';

/** Packets that a viewer is sent again in a second, twice what 2 Mbit/s has: a hole must not become a flood. */
const MAX_RESENT = 512;
/** A viewer that has not taken so many bytes yet misses packets because of that, and is sent none again. */
const MAX_RESEND_BACKLOG = 256 << 10;
/** At most one group of pictures is sent again to a viewer in so many milliseconds. */
const REPLAY_MS = 2000;

export interface ReadSessionOptions {
  readonly id: string;
  /** Of its address. */
  readonly key: string;
  readonly stream: Stream;
  readonly offer: WebRtcOffer;
  /** As the answer has them. */
  readonly tracks: readonly SentTrack[];
  /** The feed that has these tracks. */
  readonly openFeed: (tracks: readonly Track[]) => Feed;
  /** The source of a track in feeds of its stream. */
  readonly sourceOf: (track: Track) => number;
  readonly joinResults: JoinResults;
  readonly identity: DtlsIdentity;
  readonly door: MediaDoor;
  readonly clock: Clock;
  readonly limits: ReaderLimits;
  readonly remote: string;
  /** Called once, when the session is over for whatever reason. */
  readonly onEnd: (reason: string) => void;
}

/** A packet on its way out: as whose it goes; one of RTCP as it is. */
type Outgoing = OutgoingPacket | { readonly bytes: Buffer; readonly payloadType?: never };

/** One browser that reads: a connection of its own around the packets of feeds that all share. */
export class ReadSession {
  readonly peer: ServerPeer;
  readonly #options: ReadSessionOptions;
  readonly #lines: readonly OutgoingLine[];
  readonly #reading: StreamReading;
  readonly #results: ResultsChannel | undefined;
  readonly #pacer: Pacer<Outgoing>;
  readonly #resent = new RateLimit(MAX_RESENT);
  readonly #lost = new Map<number, number>();
  #replayedAt = 0;
  #closed = false;

  private constructor(options: ReadSessionOptions, peer: ServerPeer) {
    this.#options = options;
    this.peer = peer;
    const { clock, tracks, offer, stream } = options;
    // RFC 3550 section 5.1: numbers begin at random; the upper half is left free so that clients see no early wrap.
    const random = () => randomInt(0, 2 ** 15);
    this.#lines = tracks.map((one) => new OutgoingLine(one, { sequence: random(), rtxSequence: random() }));
    this.#pacer = new Pacer({
      clock,
      send: (packet) => this.#send(packet),
      isBlocked: () => peer.isBlocked,
    });
    this.#pacer.onDrain(() => this.#reading.drained());
    this.#reading = new StreamReading({
      ...options,
      sent: tracks,
      lines: new Map(this.#lines.map((line) => [line.mid, line])),
      onPacket: (bytes, line, sequence) => this.#pacer.push(line.dressed(bytes, sequence)),
      onReport: (report, { ssrc }) => this.#pacer.push({ bytes: readdressReport(report, ssrc) }),
      onWritten: () => this.#pacer.flush(),
      backlog: () => this.#pacer.backlog,
      onEnd: (reason) => this.close(reason),
    });
    const channels = offer.medias.find(hasDataChannels);
    this.#results =
      channels &&
      new ResultsChannel({
        clock,
        stream: stream.name,
        remotePort: channels.sctp.port,
        maxMessageSize: channels.sctp.maxMessageSize,
        join: options.joinResults,
        send: (packet) => peer.sendData(packet),
      });
  }

  static async open(options: ReadSessionOptions): Promise<ReadSession> {
    const peer: ServerPeer = await ServerPeer.open({
      ...options,
      fingerprint: options.offer.fingerprint,
      onOpen: () => session.#join(),
      onRtcp: (bytes) => {
        for (const packet of parseRtcp(bytes)) session.#feedback(packet);
      },
      onData: (packet) => session.#results?.receive(packet),
      onClose: (reason) => session.close(reason),
    });
    const session = new ReadSession(options, peer);
    return session;
  }

  get key(): string {
    return this.#options.key;
  }

  get streamName(): string {
    return this.#options.stream.name;
  }

  /** Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reading.close(reason);
    this.#results?.close();
    this.#pacer.close();
    this.peer.close();
    this.#options.onEnd(reason);
  }

  #join(): void {
    if (this.#closed) return;
    // The first pictures are under way: what the viewer asks for meanwhile was asked before they came.
    this.#replayedAt = this.#options.clock.now();
    this.#reading.start();
  }

  #feedback(packet: RtcpPacket): void {
    if (this.#closed) return;
    if (packet.type === 'keyframe-request') this.#giveKeyframe();
    else if (packet.type === 'nack') this.#resend(packet.ssrc, packet.sequences);
    else if (packet.type === 'goodbye') this.close('The browser said goodbye.');
    else if (packet.type === 'receiver-report' || packet.type === 'sender-report') {
      for (const { ssrc, lost } of packet.reports) {
        if (this.#lineOf(ssrc)) this.#lost.set(ssrc, Math.max(0, lost));
      }
      const { reader } = this.#reading;
      if (reader && this.#lost.size > 0) {
        reader.lost = [...this.#lost.values()].reduce((sum, lost) => sum + lost, 0);
      }
    }
  }

  /** Who can make a keyframe is asked; else the last one comes again, with all that was built on it. */
  #giveKeyframe(): void {
    const { stream, clock } = this.#options;
    const { trackIds, current } = this.#reading;
    if (stream.canRequestKeyframe(trackIds)) return stream.requestKeyframe(trackIds);
    const now = clock.now();
    if (now - this.#replayedAt < REPLAY_MS || !current?.replay()) return;
    this.#replayedAt = now;
  }

  #resend(ssrc: number, sequences: readonly number[]): void {
    const line = this.#lineOf(ssrc);
    const { current } = this.#reading;
    if (!line || !current) return;
    const now = this.#options.clock.now();
    for (const sequence of sequences) {
      if (this.#pacer.backlog > MAX_RESEND_BACKLOG) break;
      const packet = current.sent(line, sequence);
      if (!packet) continue;
      if (!this.#resent.take(now)) break;
      this.#pacer.push(line.again(packet, sequence));
    }
    this.#pacer.flush();
  }

  #lineOf(ssrc: number): OutgoingLine | undefined {
    return this.#lines.find((line) => line.ssrc === ssrc);
  }

  #send(packet: Outgoing): void {
    if (packet.payloadType === undefined) this.peer.sendRtcp(packet.bytes);
    else this.peer.sendRtp(packet.bytes, packet.payloadType, packet);
  }
}
