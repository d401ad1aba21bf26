import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { ForbiddenAddress } from '#util/guarded-lookup.ts';
import { innerPlace } from '#util/inner-address.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import { openSocket } from '../socket.ts';
import type { WebRtcTarget } from './address.ts';

/** From the connection to the whole answer. */
const ANSWER_MS = 10_000;
/** A server that does not answer the goodbye is left without. */
const GOODBYE_MS = 1000;
const MAX_BODY = 64 << 10;
/** Longest part of a refusal that is passed on. */
const MAX_REASON = 300;
const SDP = 'application/sdp';

interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Address of the server that answered. */
  readonly from: string;
}

/** How a server is reached. */
export interface Way {
  readonly trust: ServerTrust;
  /** It may not lead to this machine, its cable or its cloud; what leads there, for the error. Absent: it may. */
  readonly guarded?: string | undefined;
}

/** A session that a WHIP or WHEP server has made for us. */
export class HttpSession {
  readonly answer: string;
  readonly #target: WebRtcTarget;
  readonly #way: Way;
  #closing: Promise<void> | undefined;

  private constructor(answer: string, target: WebRtcTarget, { trust, guarded }: Way) {
    this.answer = answer;
    this.#target = target;
    this.#way = { trust, guarded };
  }

  /**
   * Offers, and follows one redirect that keeps the method (RFC 9725 section 4.5). Neither that nor the address of the
   * session, which is told goodbye, may be of this machine or its cable where the server itself is not.
   * @throws NamedError WEBRTC_UNREACHABLE, WEBRTC_REFUSED, and what `openSocket` refuses certificates by
   */
  static async open(
    target: WebRtcTarget,
    offer: string,
    options: Way & { readonly signal: AbortSignal },
  ): Promise<HttpSession> {
    let asked = target;
    let answer = await ask(asked, { ...options, method: 'POST', body: offer, ms: ANSWER_MS });
    if (answer.status === 307 || answer.status === 308) {
      asked = redirected(target, answer);
      const way = wayOn(target, options, answer);
      answer = await ask(asked, {
        ...way,
        signal: options.signal,
        method: 'POST',
        body: offer,
        ms: ANSWER_MS,
      }).catch((error: unknown) => {
        throw error instanceof ForbiddenAddress && options.guarded === undefined
          ? refusedRedirect(target)
          : error;
      });
    }
    if (answer.status !== 201 && answer.status !== 200) throw refusal(target, answer);
    const location = resolve(asked, answer.headers.location ?? '');
    return new HttpSession(answer.body, location, wayOn(target, options, answer));
  }

  /** Tells the server that we have gone; resolves in any case. Idempotent. */
  close(): Promise<void> {
    const signal = AbortSignal.timeout(GOODBYE_MS);
    this.#closing ??= ask(this.#target, { ...this.#way, method: 'DELETE', ms: GOODBYE_MS, signal }).then(
      () => {},
      () => {},
    );
    return this.#closing;
  }
}

interface Asking extends Way {
  readonly method: 'POST' | 'DELETE';
  readonly body?: string;
  readonly ms: number;
  readonly signal: AbortSignal;
}

async function ask(target: WebRtcTarget, asking: Asking): Promise<HttpAnswer> {
  const { method, body } = asking;
  const signal = AbortSignal.any([asking.signal, AbortSignal.timeout(asking.ms)]);
  let opened: Socket | undefined;
  try {
    const socket = await connected(target, asking, signal);
    opened = socket;
    const from = socket.remoteAddress ?? '';
    const { promise, resolve: done, reject: fail } = Promise.withResolvers<IncomingMessage>();
    const { path, authorization } = target;
    const request = httpRequest({
      createConnection: () => socket,
      method,
      path,
      signal,
      headers: {
        host: hostOf(target),
        connection: 'close',
        ...(authorization !== undefined && { authorization }),
        ...(body !== undefined && {
          'content-type': SDP,
          accept: SDP,
          'content-length': Buffer.byteLength(body),
        }),
      },
    });
    request.on('response', done);
    request.on('error', fail);
    request.end(body);
    const response = await promise;
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > MAX_BODY) throw new Error(`its answer is larger than ${MAX_BODY} bytes`);
      parts.push(part);
    }
    const { statusCode: status = 0, headers } = response;
    return { status, headers, body: Buffer.concat(parts).toString('utf8'), from };
  } catch (error) {
    if (error instanceof NamedError) throw error;
    const why = signal.aborted ? `it did not answer within ${asking.ms / 1000} s` : messageOf(error);
    const sentence = `${target.shown} cannot be reached: ${why}. Check address and port, and that the server is on.`;
    throw new NamedError('WEBRTC_UNREACHABLE', sentence, 502, { cause: error });
  } finally {
    opened?.destroy();
  }
}

function connected(target: WebRtcTarget, { trust, guarded }: Way, signal: AbortSignal): Promise<Socket> {
  return new Promise((done, fail) => {
    const aborted = () => {
      socket.destroy();
      fail(new Error('no answer'));
    };
    const socket = openSocket({
      target,
      trust,
      guarded,
      connected: () => {
        signal.removeEventListener('abort', aborted);
        done(socket);
      },
      refused: (why) => {
        socket.destroy();
        fail(new NamedError('WEBRTC_CERTIFICATE_REFUSED', `${target.shown} ${why}`, 502));
      },
    });
    socket.on('error', fail);
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
  });
}

function hostOf({ host, port, secure }: WebRtcTarget): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`;
}

/** Where a `Location` leads that stands in an answer of `target`. Credentials go to their own server only. */
function resolve(target: WebRtcTarget, location: string): WebRtcTarget {
  const base = `${target.secure ? 'https' : 'http'}://${hostOf(target)}${target.path}`;
  const url = URL.parse(location, base);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return target;
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (secure ? 443 : 80);
  const isOwn = host === target.host && port === target.port && secure === target.secure;
  const authorization = isOwn ? target.authorization : undefined;
  return { host, port, secure, path: `${url.pathname}${url.search}`, authorization, shown: target.shown };
}

function redirected(target: WebRtcTarget, { headers }: HttpAnswer): WebRtcTarget {
  const next = resolve(target, headers.location ?? '');
  if (headers.location === undefined || (target.secure && !next.secure)) throw refusedRedirect(target);
  return next;
}

function refusedRedirect({ shown }: WebRtcTarget): NamedError {
  const sentence = `${shown} was left by a redirect to where none is followed: without an address, without TLS, or to an address of this machine or its cable.`;
  return new NamedError('WEBRTC_REFUSED', sentence, 502);
}

function refusal({ shown }: WebRtcTarget, { status, body }: HttpAnswer): NamedError {
  const said = saidBy(body);
  const hint =
    status === 401 || status === 403 ? ' Check the token, or user and password, in the address.' : '';
  const sentence = `${shown} answered ${status}${said === '' ? '.' : `: ${said}`}${hint}`;
  return new NamedError('WEBRTC_REFUSED', sentence, 502);
}

/** The sentence in an error of another server: its `message` where it is JSON such as ours, else the text. */
function saidBy(body: string): string {
  let text = body;
  try {
    const parsed = JSON.parse(body) as { error?: { message?: unknown } | string } | null;
    const error = parsed?.error;
    if (typeof error === 'string') text = error;
    else if (typeof error?.message === 'string') text = error.message;
  } catch {
    // No JSON: as it is.
  }
  return text
    .replace(/<[^<>]*>|[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON);
}

/** How to go where an answer leads: a server elsewhere has no say over this machine and its cable. */
function wayOn({ shown }: WebRtcTarget, { trust, guarded }: Way, { from }: HttpAnswer): Way {
  return { trust, guarded: innerPlace(from) === undefined ? shown : guarded };
}
