import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access, Action, Identity } from '#hub/access.ts';
import { credentialsOf } from '#hub/http-credentials.ts';
import { NamedError } from '#util/named-error.ts';
import { answer, answerError, readBody, SDP, SDP_FRAGMENT } from './http.ts';
import { type IceServer, linkHeader } from './ice-servers.ts';
import type { ServerPeer } from './server-peer.ts';

export interface WebRtcLog {
  info(message: string): void;
  debug(message: string): void;
  error(details: object, message: string): void;
}

/** What a request asks for, as the HTTP port understood its address. */
export interface SignalingTarget {
  readonly stream: string;
  /** Key of a session; empty where a new one is wanted. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

/** A session that is controlled over HTTP. */
export interface SignaledSession {
  /**
   * What its address ends with: 128 bits at random, which are all that has to be shown there. A token in the query of the
   * endpoint need not be repeated, and a session can be ended with whatever has run out meanwhile. Whoever has it can end the session and move it elsewhere, so it is told to its client
   * alone (RFC 9725 section 5), and is not the id under which the API shows the session to everybody who may look.
   */
  readonly key: string;
  readonly streamName: string;
  readonly peer: ServerPeer;
  close(reason: string): void;
}

export interface SignalingOptions<Session extends SignaledSession> {
  /** Last segment of its addresses. */
  readonly door: 'whip' | 'whep';
  /** What its clients have to be allowed. */
  readonly action: Action;
  /** Why a session ends that its client has deleted. */
  readonly goodbye: string;
  readonly access: Access;
  readonly log: WebRtcLog;
  readonly iceServers: () => readonly IceServer[];
  /** Makes a session by an offer; throws a NamedError where it cannot be. */
  readonly open: (
    stream: string,
    offer: string,
    request: IncomingMessage,
    identity: Identity,
    query: URLSearchParams,
  ) => Promise<{ session: Session; sdp: string }>;
}

/**
 * The HTTP side of WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep), which is the same: POST of an offer makes a session,
 * PATCH of its address trickles candidates or restarts ICE, DELETE ends it.
 */
export class Signaling<Session extends SignaledSession> {
  readonly sessions = new Map<string, Session>();
  readonly #options: SignalingOptions<Session>;

  constructor(options: SignalingOptions<Session>) {
    this.#options = options;
  }

  /** Answers a request for `/<stream>/<door>` or `/<stream>/<door>/<session>`. */
  readonly handle = (request: IncomingMessage, response: ServerResponse, target: SignalingTarget): void => {
    const answered = target.rest === '' ? this.#collection : this.#session;
    answered.call(this, request, response, target).catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      if (error instanceof NamedError) return answerError(request, response, error);
      const { log, door } = this.#options;
      log.error({ err: error }, `${request.method} ${target.stream}/${door}`);
      const sentence = 'Something broke inside Sluice while it answered. The log of the server says more.';
      answerError(request, response, new NamedError('INTERNAL_ERROR', sentence, 500));
    });
  };

  async #collection(
    request: IncomingMessage,
    response: ServerResponse,
    target: SignalingTarget,
  ): Promise<void> {
    if (request.method === 'OPTIONS') return this.#describe(request, response, target, 'POST, OPTIONS');
    if (request.method !== 'POST') throw methodNotAllowed(response, 'POST, OPTIONS');
    const identity = await this.#check(request, target);
    const offer = await readBody(request, SDP);
    const { open, iceServers } = this.#options;
    const { session, sdp } = await open(target.stream, offer, request, identity, target.query);
    const path = (request.url ?? '').split('?', 1)[0];
    const headers = {
      'content-type': SDP,
      location: `${path}/${session.key}`,
      etag: session.peer.etag,
      'accept-patch': SDP_FRAGMENT,
    };
    answer(response, 201, { ...headers, ...linkHeader(iceServers(), true) }, sdp);
  }

  async #session(request: IncomingMessage, response: ServerResponse, target: SignalingTarget): Promise<void> {
    const methods = 'DELETE, PATCH, OPTIONS';
    if (request.method === 'OPTIONS') return this.#describe(request, response, target, methods);
    if (request.method !== 'DELETE' && request.method !== 'PATCH') throw methodNotAllowed(response, methods);
    const session = this.sessions.get(target.rest);
    if (session?.streamName !== target.stream) {
      await this.#check(request, target);
      const sentence = `There is no WebRTC session "${target.rest}" of "${target.stream}": it has ended, or never was.`;
      throw new NamedError('WEBRTC_SESSION_UNKNOWN', sentence, 404);
    }
    if (request.method === 'DELETE') {
      session.close(this.#options.goodbye);
      return answer(response, 200);
    }
    await readBody(request, SDP_FRAGMENT);
    return changeIce(request, response, session.peer);
  }

  /**
   * What may be asked for here; preflights of browsers do not come as far. Who shows credentials that are right is told
   * those of the ICE servers as well, for clients that need them before they make an offer (RFC 9725 section 4.6).
   */
  async #describe(
    request: IncomingMessage,
    response: ServerResponse,
    target: SignalingTarget,
    methods: string,
  ): Promise<void> {
    const servers = this.#options.iceServers();
    const isTrusted =
      servers.length > 0 &&
      (await this.#check(request, target).then(Boolean, (error: unknown) => refused(error)));
    answer(response, 204, { allow: methods, 'accept-post': SDP, ...linkHeader(servers, isTrusted) });
  }

  async #check(request: IncomingMessage, { stream, query }: SignalingTarget): Promise<Identity> {
    const { access, action } = this.#options;
    const remote = request.socket.remoteAddress ?? '';
    const credentials = credentialsOf(request.headers, query);
    return access.check({ action, stream, door: 'webrtc', remote, credentials });
  }
}

/** PATCH of a session (RFC 9725 section 4.3). */
function changeIce(request: IncomingMessage, response: ServerResponse, peer: ServerPeer): void {
  const match = request.headers['if-match'];
  if (match === undefined) {
    const sentence = 'PATCH needs If-Match: the ETag of the session to trickle, or * to restart ICE.';
    throw new NamedError('PRECONDITION_REQUIRED', sentence, 428);
  }
  if (match === '*') {
    peer.restartIce();
    const { ufrag, password } = peer.ice;
    const lines = ['a=ice-lite', `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`];
    const headers = { 'content-type': SDP_FRAGMENT, etag: peer.etag };
    return answer(response, 200, headers, `${lines.join('\r\n')}\r\n`);
  }
  if (match !== peer.etag) {
    const sentence = `If-Match is ${match}, and ICE of this session is at ${peer.etag} now.`;
    throw new NamedError('PRECONDITION_FAILED', sentence, 412);
  }
  // A lite agent needs no candidates of the other side: it answers where checks come from.
  answer(response, 204);
}

/** Somebody who was not let in is not told everything; anything else is a fault. */
function refused(error: unknown): false {
  if (error instanceof NamedError) return false;
  throw error;
}

function methodNotAllowed(response: ServerResponse, methods: string): NamedError {
  response.setHeader('allow', methods);
  return new NamedError('METHOD_NOT_ALLOWED', `Only ${methods} can be asked for here.`, 405);
}
