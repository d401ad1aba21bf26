import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import type { IncomingMessage } from 'node:http';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { WebRtcFeedWriter } from '#feeds/webrtc/feed-writer.ts';
import type { Access, Identity } from '#hub/access.ts';
import type { Feed } from '#hub/feed.ts';
import type { Hub } from '#hub/hub.ts';
import { parsePublishedName } from '#hub/name.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import { type DtlsIdentity, makeIdentity } from '#protocols/dtls/endpoint.ts';
import { buildWebRtcAnswer, type SentTrack } from '#protocols/sdp/webrtc-answer.ts';
import { parseWebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import { buildPublishAnswer, matchPublished } from '#protocols/sdp/webrtc-receive.ts';
import { AccessRefusal } from '#util/access-refusal.ts';
import { clientNetwork } from '#util/client-network.ts';
import { NamedError } from '#util/named-error.ts';
import { chooseTracks } from './from-stream.ts';
import type { IceServer } from './ice-servers.ts';
import { maxDelayOf, playoutDelay } from './max-delay.ts';
import { MediaDoor, type MediaTransport } from './media-door.ts';
import { PublishSession } from './publish-session.ts';
import { ReadSession } from './read-session.ts';
import type { JoinResults } from './results-channel.ts';
import type { ServerPeer } from './server-peer.ts';
import { type SignaledSession, Signaling, type WebRtcLog } from './signaling.ts';

/** Sessions at a time, those that are still connecting included. */
const MAX_SESSIONS = 2000;
/** When who is refused for that may come again. */
const RETRY_SECONDS = 10;
/** Of packets in a feed: each viewer has agreed on its own, which takes the place of this one. */
const PAYLOAD_TYPE = 96;

/** How media travel. */
export interface WebRtcMedia {
  /** UDP and TCP port; 0: any free one. */
  readonly port: number;
  readonly transports: readonly MediaTransport[];
  /** Further addresses under which browsers reach this machine. */
  readonly addresses: readonly string[];
  /** What clients are told of beside that. */
  readonly iceServers: readonly IceServer[];
  /** Sessions at a time of one user behind one address. */
  readonly sessionsPerClient: number;
}

/** Made ready by `prepareMedia`: give it to `setMedia`, or release it. */
export interface PreparedWebRtc {
  readonly media: WebRtcMedia;
  readonly door: MediaDoor;
  readonly host: string;
  release(): void;
}

export interface WebRtcServerOptions {
  readonly hub: Hub;
  readonly access: Access;
  /** Lets viewers with a data channel in to the results of their stream. */
  readonly results: JoinResults;
  readonly log: WebRtcLog;
}

/** Who comes, from where, and how the media will travel. */
interface Arrival {
  readonly id: string;
  readonly key: string;
  readonly remote: string;
  readonly current: PreparedWebRtc;
  readonly identity: DtlsIdentity;
  /** To be called when the session is over. Idempotent. */
  readonly leave: () => void;
}

/**
 * The WebRTC door: WHIP and WHEP over HTTP, media of all sessions over one port. ICE lite, DTLS passive, SRTP.
 */
export class WebRtcServer {
  /** Answers requests for `/<stream>/whip` and `/<stream>/whip/<session>`. */
  readonly whip: Signaling<PublishSession>['handle'];
  /** Answers requests for `/<stream>/whep` and `/<stream>/whep/<session>`. */
  readonly whep: Signaling<ReadSession>['handle'];
  readonly #options: WebRtcServerOptions;
  readonly #sequences = new RtpSequences();
  readonly #publishing: Signaling<PublishSession>;
  readonly #reading: Signaling<ReadSession>;
  readonly #retired = new Set<MediaDoor>();
  readonly #clients = new Map<string, number>();
  #current: PreparedWebRtc | undefined;
  #identity: Promise<DtlsIdentity> | undefined;
  #opening = 0;
  #closed = false;

  constructor(options: WebRtcServerOptions) {
    this.#options = options;
    const { access, log } = options;
    const common = { access, log, iceServers: () => this.#current?.media.iceServers ?? [] };
    this.#publishing = new Signaling({
      ...common,
      door: 'whip',
      action: 'publish',
      goodbye: 'The publisher left.',
      open: (name, offer, request, who) =>
        this.#opened(request, who, (arrival) => this.#publish(name, offer, who, arrival)),
    });
    this.#reading = new Signaling({
      ...common,
      door: 'whep',
      action: 'read',
      goodbye: 'The viewer left.',
      open: (name, offer, request, who, query) =>
        this.#opened(request, who, (arrival) => this.#read(name, offer, who, arrival, maxDelayOf(query))),
    });
    this.whip = this.#publishing.handle;
    this.whep = this.#reading.handle;
  }

  get sessions(): number {
    return this.#all.length;
  }

  get port(): number | undefined {
    return this.#current?.door.port;
  }

  /**
   * Opens the port on `name`, unless the one that is open will do.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  async prepareMedia(media: WebRtcMedia, name: string): Promise<PreparedWebRtc> {
    const { address: host } = await lookup(name).catch(() => ({ address: name }));
    const former = this.#current;
    const isTaken = () => this.#current?.media === media;
    if (former?.host === host && former.media.port === media.port) {
      const takeBack = await former.door.add(media.transports);
      return { ...former, media, release: () => void (isTaken() || takeBack()) };
    }
    const door = await MediaDoor.open(host, media.port, media.transports);
    return { media, door, host, release: () => void (isTaken() || door.close()) };
  }

  /** Goes for sessions that begin from now on; those that there are keep their port. */
  setMedia(prepared: PreparedWebRtc): void {
    const former = this.#current?.door;
    if (former && former !== prepared.door) this.#retired.add(former);
    this.#current = prepared;
    prepared.door.keep(prepared.media.transports);
    this.#closeRetired();
  }

  /** Ends every session. Idempotent. */
  async close(reason: string): Promise<void> {
    this.#closed = true;
    for (const session of this.#all) session.close(reason);
    await Promise.all([this.#current?.door.close(), ...[...this.#retired].map((door) => door.close())]);
  }

  get #all(): SignaledSession[] {
    return [...this.#publishing.sessions.values(), ...this.#reading.sessions.values()];
  }

  /**
   * Opens a session, unless there are as many as may be.
   * @throws AccessRefusal WEBRTC_FULL, WEBRTC_CLIENT_FULL
   */
  async #opened<T extends { readonly session: SignaledSession }>(
    request: IncomingMessage,
    who: Identity,
    open: (arrival: Arrival) => Promise<T>,
  ): Promise<T> {
    const current = this.#current;
    if (!current || this.#closed || this.sessions + this.#opening >= MAX_SESSIONS) {
      const sentence = `The server takes no more than ${MAX_SESSIONS} WebRTC sessions.`;
      throw new AccessRefusal('WEBRTC_FULL', sentence, 503, { retryAfterSeconds: RETRY_SECONDS });
    }
    const leave = this.#enter(request, who, current.media.sessionsPerClient);
    this.#opening++;
    try {
      const identity = await (this.#identity ??= makeIdentity());
      const remote = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
      const key = randomBytes(16).toString('base64url');
      const opened = await open({ id: randomUUID(), key, remote, current, identity, leave });
      // What was under way when the server closed has missed that.
      if (this.#closed) opened.session.close('The server stops.');
      return opened;
    } catch (error) {
      leave();
      throw error;
    } finally {
      this.#opening--;
      this.#closeRetired();
    }
  }

  /** Counts a session of a client; what is returned takes it back. */
  #enter({ socket }: IncomingMessage, { user }: Identity, max: number): () => void {
    const client = `${clientNetwork(socket.remoteAddress ?? '')} ${user ?? ''}`;
    const count = (change: number) => {
      const now = (this.#clients.get(client) ?? 0) + change;
      if (now > 0) this.#clients.set(client, now);
      else this.#clients.delete(client);
      return now;
    };
    if (count(1) > max) {
      count(-1);
      const sentence = `There are ${max} WebRTC sessions of this client already. End one, or raise "webrtc.sessionsPerClient".`;
      throw new AccessRefusal('WEBRTC_CLIENT_FULL', sentence, 429, { retryAfterSeconds: RETRY_SECONDS });
    }
    let inside = true;
    return () => {
      if (inside) count(-1);
      inside = false;
    };
  }

  async #publish(name: string, text: string, who: Identity, arrival: Arrival) {
    const { id, key, remote, current, identity, leave } = arrival;
    const { hub, log } = this.#options;
    parsePublishedName(name);
    const offer = parseWebRtcOffer(text);
    const tracks = matchPublished(offer);
    hub.refuseBusy(name);
    const session = await PublishSession.open({
      ...{ id, key, hub, name, tracks, identity, remote },
      fingerprint: offer.fingerprint,
      door: current.door,
      onEnd: (reason) => {
        leave();
        forget?.();
        this.#publishing.sessions.delete(key);
        this.#closeRetired();
        log.info(`WebRTC: ${remote} no longer publishes "${name}". ${reason}`);
      },
    });
    const forget = who.onRevoked?.((reason) => session.close(reason));
    this.#publishing.sessions.set(key, session);
    log.debug(`WebRTC: ${id} from ${remote} publishes "${name}".`);
    const sdp = buildPublishAnswer(offer, tracks, this.#side(session.peer, current, identity));
    return { session, sdp };
  }

  async #read(name: string, text: string, who: Identity, arrival: Arrival, maxDelay: number | undefined) {
    const { id, key, remote, current, identity, leave } = arrival;
    const { hub, log } = this.#options;
    const offer = parseWebRtcOffer(text);
    const stream = await hub.wanted(name);
    const matched = chooseTracks(offer, stream);
    if (matched.length === 0) {
      const codecs = stream.tracks.map(({ format }) => format.codec).join(', ');
      const sentence = `The stream "${name}" (${codecs}) has no track that this browser can play over WebRTC, nor one that can be made so. Watch it by MSE.`;
      throw new NamedError('WEBRTC_NO_COMMON_CODEC', sentence, 406);
    }
    const tracks: SentTrack[] = matched.map((one) => ({
      ...one,
      playoutDelay: playoutDelay(one, maxDelay),
      ssrc: randomInt(1, 2 ** 32),
      rtxSsrc: randomInt(1, 2 ** 32),
    }));
    const session = await ReadSession.open({
      ...{ id, key, stream, offer, tracks, identity, remote },
      openFeed: (wanted) => this.#feed(stream, wanted),
      sourceOf: (track) => this.#sequences.ssrc(stream, track.id),
      joinResults: this.#options.results,
      door: current.door,
      clock: hub.options.clock,
      limits: hub.options.readerLimits,
      onEnd: (reason) => {
        leave();
        off();
        forget?.();
        this.#reading.sessions.delete(key);
        this.#closeRetired();
        log.info(`WebRTC: ${remote} no longer watches "${name}". ${reason}`);
      },
    });
    const off = stream.events.on('ended', (reason) => session.close(reason));
    const forget = who.onRevoked?.((reason) => session.close(reason));
    this.#reading.sessions.set(key, session);
    log.debug(`WebRTC: ${id} from ${remote} watches "${name}".`);
    // One that ended while the session was opened has told nobody here.
    if (stream.state === 'ended') session.close('The stream has ended.');
    const side = this.#side(session.peer, current, identity);
    return { session, sdp: buildWebRtcAnswer({ offer, tracks, ...side, cname: name }) };
  }

  /** Our side of a session's transport, as its answer tells it. */
  #side({ ice }: ServerPeer, { door, media }: PreparedWebRtc, { fingerprint }: DtlsIdentity) {
    return { ice, fingerprint, candidates: door.candidates(media.transports, media.addresses) };
  }

  #feed(stream: Stream, tracks: readonly Track[]): Feed {
    const ordered = tracks.toSorted((a, b) => a.id - b.id);
    const ids = ordered.map(({ id }) => id);
    const key = `webrtc ${ids.join(' ')}`;
    return stream.feed(
      key,
      ids,
      () =>
        new WebRtcFeedWriter({
          tracks: ordered.map((track, i) => ({
            track,
            payloadType: PAYLOAD_TYPE,
            channels: [i * 2, i * 2 + 1],
            sequence: this.#sequences.of(stream, key, track.id),
          })),
          limits: this.#options.hub.options.feedLimits,
          cname: stream.name,
        }),
    );
  }

  #closeRetired(): void {
    // Sessions that are being made may have been told of it.
    if (this.#opening > 0 && !this.#closed) return;
    this.#current?.door.settle();
    for (const door of this.#retired) {
      if (this.#all.some(({ peer }) => peer.door === door)) continue;
      this.#retired.delete(door);
      void door.close();
    }
  }
}
