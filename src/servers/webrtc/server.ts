import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import type { Access, Identity } from '#hub/access.ts';
import { credentialsOf } from '#hub/http-credentials.ts';
import type { Hub } from '#hub/hub.ts';
import { buildWebRtcAnswer, matchTracks } from '#protocols/sdp/webrtc-answer.ts';
import { parseWebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import { NamedError } from '#util/named-error.ts';
import { type DtlsIdentity, makeIdentity } from './dtls.ts';
import { WebRtcFeedWriter } from './feed-writer.ts';
import { answer, answerError, readBody, SDP, SDP_FRAGMENT } from './http.ts';
import { ReadSession, type ViewerTrack } from './session.ts';
import { UdpDoor } from './udp-door.ts';

/** Sessions at a time, those that are still connecting included. */
const MAX_SESSIONS = 2000;

export interface WebRtcLog {
  info(message: string): void;
  debug(message: string): void;
  error(details: object, message: string): void;
}

/** How media travel. */
export interface WebRtcMedia {
  /** UDP port; 0: any free one. */
  readonly port: number;
  /** Further addresses under which browsers reach this machine. */
  readonly addresses: readonly string[];
}

/** Made ready by `prepareMedia`: give it to `setMedia`, or release it. */
export interface PreparedWebRtc {
  readonly media: WebRtcMedia;
  readonly door: UdpDoor;
  readonly host: string;
  release(): void;
}

/** What a request asks for, as the HTTP port understood its address. */
export interface WhepTarget {
  readonly stream: string;
  /** Id of a session; empty where a new one is wanted. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

export interface WebRtcServerOptions {
  readonly hub: Hub;
  readonly access: Access;
  readonly log: WebRtcLog;
}

/**
 * The WebRTC door: WHEP over HTTP (draft-ietf-wish-whep, the client offers), media of all sessions over one UDP port.
 * ICE lite, DTLS passive, SRTP.
 */
export class WebRtcServer {
  readonly #options: WebRtcServerOptions;
  readonly #sequences = new RtpSequences();
  readonly #sessions = new Map<string, ReadSession>();
  readonly #retired = new Set<UdpDoor>();
  #current: PreparedWebRtc | undefined;
  #identity: Promise<DtlsIdentity> | undefined;
  #opening = 0;
  #closed = false;

  constructor(options: WebRtcServerOptions) {
    this.#options = options;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get port(): number | undefined {
    return this.#current?.door.port;
  }

  /**
   * Opens the UDP port on `name`, unless the one that is open will do.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED
   */
  async prepareMedia(media: WebRtcMedia, name: string): Promise<PreparedWebRtc> {
    const { address: host } = await lookup(name).catch(() => ({ address: name }));
    const former = this.#current;
    if (former?.host === host && former.media.port === media.port) return { ...former, media, release() {} };
    const door = await UdpDoor.open(host, media.port);
    const release = () => {
      if (this.#current?.door !== door) void door.close();
    };
    return { media, door, host, release };
  }

  /** Goes for sessions that begin from now on; those that there are keep their port. */
  setMedia(prepared: PreparedWebRtc): void {
    const former = this.#current?.door;
    if (former && former !== prepared.door) this.#retired.add(former);
    this.#current = prepared;
    this.#closeRetired();
  }

  /** Answers a request for `/<stream>/whep` or `/<stream>/whep/<session>`. */
  readonly whep = (request: IncomingMessage, response: ServerResponse, target: WhepTarget): void => {
    const answered = target.rest === '' ? this.#collection : this.#session;
    answered.call(this, request, response, target).catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      if (error instanceof NamedError) return answerError(request, response, error);
      this.#options.log.error({ err: error }, `${request.method} ${target.stream}/whep`);
      const sentence = 'Something broke inside Sluice while it answered. The log of the server says more.';
      answerError(request, response, new NamedError('INTERNAL_ERROR', sentence, 500));
    });
  };

  /** Ends every session. Idempotent. */
  async close(reason: string): Promise<void> {
    this.#closed = true;
    for (const session of [...this.#sessions.values()]) session.close(reason);
    await Promise.all([this.#current?.door.close(), ...[...this.#retired].map((door) => door.close())]);
  }

  async #collection(request: IncomingMessage, response: ServerResponse, target: WhepTarget): Promise<void> {
    if (request.method === 'OPTIONS') return this.#preflight(response, 'POST, OPTIONS');
    if (request.method !== 'POST') throw methodNotAllowed(response, 'POST, OPTIONS');
    const viewer = await this.#check(request, target);
    const text = await readBody(request, SDP);
    const { id, sdp, etag } = await this.#read(target.stream, text, request, viewer);
    const path = (request.url ?? '').split('?', 1)[0];
    answer(
      response,
      201,
      { 'content-type': SDP, location: `${path}/${id}`, etag, 'accept-patch': SDP_FRAGMENT },
      sdp,
    );
  }

  async #session(request: IncomingMessage, response: ServerResponse, target: WhepTarget): Promise<void> {
    if (request.method === 'OPTIONS') return this.#preflight(response, 'DELETE, PATCH, OPTIONS');
    if (request.method !== 'DELETE' && request.method !== 'PATCH') {
      throw methodNotAllowed(response, 'DELETE, PATCH, OPTIONS');
    }
    await this.#check(request, target);
    const session = this.#sessions.get(target.rest);
    if (session?.streamName !== target.stream) {
      const sentence = `There is no WebRTC session "${target.rest}" of "${target.stream}": it has ended, or never was.`;
      throw new NamedError('WEBRTC_SESSION_UNKNOWN', sentence, 404);
    }
    if (request.method === 'DELETE') {
      session.close('The viewer left.');
      return answer(response, 200);
    }
    await readBody(request, SDP_FRAGMENT);
    const match = request.headers['if-match'];
    if (match === undefined) {
      const sentence = 'PATCH needs If-Match: the ETag of the session to trickle, or * to restart ICE.';
      throw new NamedError('PRECONDITION_REQUIRED', sentence, 428);
    }
    if (match === '*') {
      session.restartIce();
      const { ufrag, password } = session.ice;
      const lines = ['a=ice-lite', `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`];
      return answer(
        response,
        200,
        { 'content-type': SDP_FRAGMENT, etag: session.etag },
        `${lines.join('\r\n')}\r\n`,
      );
    }
    if (match !== session.etag) {
      const sentence = `If-Match is ${match}, and ICE of this session is at ${session.etag} now.`;
      throw new NamedError('PRECONDITION_FAILED', sentence, 412);
    }
    // A lite agent needs no candidates of the other side: it answers where checks come from.
    answer(response, 204);
  }

  #preflight(response: ServerResponse, methods: string): void {
    answer(response, 204, {
      'access-control-allow-methods': methods,
      'access-control-allow-headers': 'Authorization, Content-Type, If-Match',
      'accept-post': SDP,
    });
  }

  async #check(request: IncomingMessage, { stream, query }: WhepTarget): Promise<Identity> {
    const remote = request.socket.remoteAddress ?? '';
    const credentials = credentialsOf(request.headers, query);
    return this.#options.access.check({ action: 'read', stream, door: 'webrtc', remote, credentials });
  }

  async #read(name: string, text: string, request: IncomingMessage, viewer: Identity) {
    const { hub, log } = this.#options;
    const current = this.#current;
    if (!current || this.#closed || this.#sessions.size + this.#opening >= MAX_SESSIONS) {
      throw new NamedError(
        'WEBRTC_FULL',
        `The server takes no more than ${MAX_SESSIONS} WebRTC sessions.`,
        503,
      );
    }
    const offer = parseWebRtcOffer(text);
    this.#opening++;
    try {
      const stream = await hub.wanted(name);
      const matched = matchTracks(offer, stream.tracks);
      if (matched.length === 0) {
        const codecs = stream.tracks.map(({ format }) => format.codec).join(', ');
        const sentence = `The stream "${name}" (${codecs}) has no track that this browser can play over WebRTC. Watch it by MSE.`;
        throw new NamedError('WEBRTC_NO_COMMON_CODEC', sentence, 406);
      }
      const tracks: ViewerTrack[] = matched.map((one) => ({
        ...one,
        ssrc: this.#sequences.ssrc(stream, one.track.id),
      }));
      const identity = await (this.#identity ??= makeIdentity());
      const id = randomUUID();
      const remote = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
      const session = await ReadSession.open({
        id,
        stream,
        tracks,
        openFeed: () => this.#feed(stream, tracks),
        identity,
        fingerprint: offer.fingerprint,
        door: current.door,
        clock: hub.options.clock,
        limits: hub.options.readerLimits,
        remote,
        onEnd: (reason) => {
          off();
          forget?.();
          this.#sessions.delete(id);
          this.#closeRetired();
          log.info(`WebRTC: ${remote} no longer watches "${name}". ${reason}`);
        },
      });
      const off = stream.events.on('ended', (reason) => session.close(reason));
      const forget = viewer.onRevoked?.((reason) => session.close(reason));
      this.#sessions.set(id, session);
      log.debug(`WebRTC: ${id} from ${remote} watches "${name}".`);
      const addresses = [...new Set([...current.media.addresses, ...current.door.addresses])];
      const sdp = buildWebRtcAnswer({
        offer,
        tracks,
        ice: session.ice,
        fingerprint: identity.fingerprint,
        candidates: addresses.map((address) => ({ address, port: current.door.port })),
        cname: name,
      });
      return { id, sdp, etag: session.etag };
    } finally {
      this.#opening--;
    }
  }

  #feed(stream: Awaited<ReturnType<Hub['wanted']>>, tracks: readonly ViewerTrack[]) {
    const ordered = tracks.toSorted((a, b) => a.track.id - b.track.id);
    const ids = ordered.map(({ track }) => track.id);
    const key = `webrtc ${ids.join(' ')}`;
    return stream.feed(
      key,
      ids,
      () =>
        new WebRtcFeedWriter({
          tracks: ordered.map(({ track, format }, i) => ({
            track,
            payloadType: format.payloadType,
            channels: [i * 2, i * 2 + 1],
            sequence: this.#sequences.of(stream, key, track.id),
          })),
          limits: this.#options.hub.options.feedLimits,
          cname: stream.name,
        }),
    );
  }

  #closeRetired(): void {
    for (const door of this.#retired) {
      if ([...this.#sessions.values()].some((session) => session.door === door)) continue;
      this.#retired.delete(door);
      void door.close();
    }
  }
}

function methodNotAllowed(response: ServerResponse, methods: string): NamedError {
  response.setHeader('allow', methods);
  return new NamedError('METHOD_NOT_ALLOWED', `Only ${methods} can be asked for here.`, 405);
}
