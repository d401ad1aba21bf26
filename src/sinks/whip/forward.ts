import { parseWebRtcAddress } from '#clients/webrtc/address.ts';
import { ClientPeer } from '#clients/webrtc/client-peer.ts';
import { HttpSession } from '#clients/webrtc/http-session.ts';
import { withOuterCandidates } from '#clients/webrtc/outer-candidates.ts';
import { formatsKnown } from '#feeds/rtp/formats-known.ts';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { WebRtcFeedWriter } from '#feeds/webrtc/feed-writer.ts';
import type { Feed } from '#hub/feed.ts';
import type { HubOptions } from '#hub/hub.ts';
import type { Rendition } from '#hub/rendition.ts';
import { parseRtcp, type RtcpPacket } from '#protocols/rtcp/packet.ts';
import { answeredPayloadTypes, buildClientOffer } from '#protocols/sdp/webrtc-client-offer.ts';
import { parseWebRtcAnswer } from '#protocols/sdp/webrtc-offer.ts';
import { NamedError } from '#util/named-error.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget, OpenForward } from '../contract.ts';
import { ForwardReader } from '../forward-reader.ts';
import { conversionOf, type SentTrack, sentTracks } from './from-stream.ts';
import { PacketSender } from './packet-sender.ts';

/** Where the RTP of each stream stands, as all forwards over WHIP have it. */
const sequences = new RtpSequences();

export interface WhipForwardOptions {
  /** Limits of feeds and readers, asked for anew at each attempt. */
  readonly hub: { readonly options: Pick<HubOptions, 'feedLimits' | 'readerLimits'> };
}

/** Publishes streams on other servers by WHIP (RFC 9725); addresses as `parseWebRtcAddress` reads them. */
export function whipForward(options: WhipForwardOptions): OpenForward {
  return (target, events) => new WhipForward(target, events, options);
}

/** One attempt: asks over HTTP, connects, and sends the packets of a feed until either side ends. */
class WhipForward implements ForwardConnection {
  readonly #target: ForwardTarget;
  readonly #events: ForwardEvents;
  readonly #options: WhipForwardOptions;
  readonly #abort = new AbortController();
  readonly #stopListening: (() => void)[] = [];
  readonly #renditions: Rendition[] = [];
  readonly #opening: Promise<void>;
  #peer: ClientPeer | undefined;
  #session: HttpSession | undefined;
  #sender: PacketSender | undefined;
  #feed: Feed | undefined;
  #reader: ForwardReader | undefined;
  #closing: Promise<void> | undefined;
  #over = false;

  constructor(target: ForwardTarget, events: ForwardEvents, options: WhipForwardOptions) {
    this.#target = target;
    this.#events = events;
    this.#options = options;
    const { stream } = target;
    this.#stopListening.push(
      stream.events.on('ended', (reason) => this.#end({ reason })),
      stream.events.on('replaced', () => this.#end({ reason: 'The stream has other tracks now.' })),
      stream.events.on('order', () => this.#compare()),
    );
    // Not before the caller has its connection.
    this.#opening = Promise.resolve()
      .then(() => this.#open())
      .catch((error: unknown) => {
        const { message, code } =
          error instanceof NamedError ? error : new NamedError('INTERNAL_ERROR', String(error), 500);
        // What the stream has now may be something else with its next publisher.
        const final = code === 'WEBRTC_ADDRESS_INVALID';
        this.#end({ reason: message, code, ...(final && { final }) });
      });
  }

  get bytesSent(): number {
    return this.#reader?.counters.bytes ?? 0;
  }

  get reader(): ForwardReader | undefined {
    return this.#reader;
  }

  close(reason: string): Promise<void> {
    this.#over = true;
    this.#closing ??= this.#release(reason);
    return this.#closing;
  }

  async #open(): Promise<void> {
    const { url, stream, clock, trust, restricted } = this.#target;
    if (this.#over) return;
    const target = parseWebRtcAddress(url, 'whip');
    await formatsKnown(stream, clock);
    if (this.#over) return;
    const tracks = await sentTracks(stream, sequences, (rendition) => this.#hold(rendition));
    if (this.#over) return;
    const peer = await ClientPeer.open(clock);
    this.#peer = peer;
    if (this.#over) return;
    const { ice, fingerprint, candidates } = peer;
    const sections = tracks.map(({ section }) => section);
    const offer = buildClientOffer(sections, { ice, fingerprint, candidates });
    const { signal } = this.#abort;
    this.#session = await HttpSession.open(target, offer, {
      trust: trust ?? {},
      guarded: restricted ? target.shown : undefined,
      signal,
    });
    if (this.#over) return;
    const said = parseWebRtcAnswer(this.#session.answer);
    const answer = restricted ? withOuterCandidates(said) : said;
    const payloadTypes = new Map<number, number>();
    for (const [i, payloadType] of answeredPayloadTypes(sections, answer).entries()) {
      const one = tracks[i];
      if (!one) continue;
      if (payloadType === undefined) {
        const { codec } = one.track.format;
        const sentence = `${target.shown} does not take ${codec}.`;
        throw new NamedError('FORWARD_CODEC_UNSUPPORTED', sentence, 415);
      }
      payloadTypes.set(one.ssrc, payloadType);
    }
    const sender = new PacketSender({
      clock,
      payloadTypes,
      sendRtp: (packet, payloadType) => peer.sendRtp(packet, payloadType),
      sendRtcp: (packet) => peer.sendRtcp(packet),
      isBlocked: () => peer.isBlocked,
    });
    this.#sender = sender;
    await peer.connect(answer, {
      onOpen: () => this.#join(tracks, sender),
      onRtcp: (bytes) => {
        for (const packet of parseRtcp(bytes)) this.#feedback(packet);
      },
      onClose: (reason) => this.#end({ reason: `${target.shown}: ${reason}`, code: 'WEBRTC_CLOSED' }),
    });
  }

  #hold(rendition: Rendition): void {
    this.#renditions.push(rendition);
    // What stands still for good is worse than an attempt that ends, and is made anew.
    void rendition.failed.then((reason) => this.#end({ reason, code: 'RENDITION_FAILED' }));
  }

  #join(tracks: readonly SentTrack[], sender: PacketSender): void {
    if (this.#over) return;
    const { stream, url } = this.#target;
    const { options } = this.#options.hub;
    const key = `whip ${tracks.map(({ track }) => track.id).join(' ')}`;
    try {
      this.#feed = stream.feed(
        key,
        tracks.map(({ track }) => track.id),
        () =>
          new WebRtcFeedWriter({
            tracks: tracks.map(({ track, section }, i) => ({
              track,
              payloadType: section.formats[0]?.payloadType ?? 96,
              channels: [i * 2, i * 2 + 1],
              sequence: sequences.of(stream, key, track.id),
            })),
            limits: options.feedLimits,
            cname: stream.name,
          }),
      );
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      return this.#end({ reason: error.message, code: error.code });
    }
    const { shown } = parseWebRtcAddress(url, 'whip');
    this.#reader = new ForwardReader({
      target: this.#target,
      feed: this.#feed,
      remote: shown,
      out: sender,
      limits: options.readerLimits,
      onClose: (reason) => this.#end({ reason }),
    });
    this.#reader.join();
    this.#events.onUp();
  }

  /** More is known of the order of the pictures: whether they can be sent as they are. */
  #compare(): void {
    const { stream } = this.#target;
    const sent = this.#feed && stream.tracks.filter(({ id }) => this.#feed?.tracks.has(id));
    if (!sent?.some((track) => conversionOf(stream, track) !== undefined)) return;
    this.#end({
      reason: 'The pictures come in another order than they are shown, and have to be made anew.',
    });
  }

  #feedback(packet: RtcpPacket): void {
    if (packet.type === 'keyframe-request') this.#target.stream.requestKeyframe(this.#feed?.tracks);
    else if (packet.type === 'goodbye') this.#end({ reason: 'The server said goodbye.' });
    else this.#sender?.feedback(packet, this.#feed);
    if (this.#reader) this.#reader.lost = this.#sender?.lost;
  }

  #end(end: Parameters<ForwardEvents['onEnd']>[0]): void {
    if (this.#over) return;
    this.#over = true;
    this.#closing ??= this.#release(end.reason);
    this.#events.onEnd(end);
  }

  async #release(reason: string): Promise<void> {
    for (const stop of this.#stopListening) stop();
    this.#abort.abort();
    this.#sender?.close();
    this.#reader?.leave(reason);
    for (const rendition of this.#renditions) rendition.release();
    await this.#opening;
    await Promise.all([this.#session?.close(), this.#peer?.close()]);
  }
}
