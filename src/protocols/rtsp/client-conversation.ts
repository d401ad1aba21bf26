import type { Clock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { splitCredentials } from './credentials.ts';
import { parseSessionId, parseSessionTimeout, RtspHeaders } from './headers.ts';
import type { RtspRequest, RtspResponse } from './message.ts';
import { serializeResponse } from './message.ts';
import { RtspParser } from './parser.ts';
import { type AnswerHandlers, RtspRequests } from './requests.ts';
import { reasonPhrase } from './status.ts';

export interface ConversationHandlers {
  /** Takes the bytes of requests. */
  send(bytes: Buffer): void;
  /** The server says that the stream is elsewhere. Nothing more comes on this connection. */
  redirected?: ((url: string) => void) | undefined;
  /** A frame in the connection. */
  interleaved(channel: number, payload: Buffer): void;
  /** It is over; called once. */
  failed(error: NamedError): void;
}

export interface ConversationOptions {
  readonly url: string;
  readonly clock: Clock;
  /** How long each answer may take, ms. */
  readonly answerMs: number;
  readonly handlers: ConversationHandlers;
}

/** Methods that are not about media. */
const HARMLESS = ['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER'];
const REDIRECTS = [301, 302, 303, 305, 307, 308];
/** So long the answer to OPTIONS is waited for, which may as well not come. */
const OPTIONS_MS = 2000;
/** A server's session time-out below this is taken for this, so that keep-alives do not become a stream of their own. */
const MIN_SESSION_MS = 4000;

/**
 * What clients of RTSP have in common, whether they play or publish: requests and their time limits, the session and
 * its keep-alives, challenges, redirects, refusals in sentences, and requests of the server. Credentials of the address
 * go into the Authorization header and nowhere else.
 */
export class ClientConversation {
  /** The address without credentials and passwords: what may be shown. */
  readonly url: string;
  /** The address as it stands in requests. */
  readonly uri: string;
  readonly #hasCredentials: boolean;
  readonly #handlers: ConversationHandlers;
  readonly #clock: Clock;
  readonly #answerMs: number;
  readonly #requests: RtspRequests;
  readonly #parser = new RtspParser();
  #methods: ReadonlySet<string> = new Set();
  #sessionMs = 60_000;
  #heardAt = 0;
  #over = false;
  #cancelKeepAlive = () => {};

  constructor({ url, clock, answerMs, handlers }: ConversationOptions) {
    const { url: uri, credentials } = splitCredentials(url);
    this.url = maskAddress(url);
    this.uri = uri;
    this.#hasCredentials = credentials !== undefined;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#answerMs = answerMs;
    this.#requests = new RtspRequests({
      send: (bytes) => handlers.send(bytes),
      clock,
      credentials,
      answerMs,
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** When bytes of the server came last. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** The server's time-out of the session, ms. */
  get sessionMs(): number {
    return this.#sessionMs;
  }

  /** The connection stands: asks what the server can do, and goes on whatever it says. */
  begin(next: () => void): void {
    this.#heardAt = this.#clock.now();
    const answered = (response: RtspResponse) => {
      if (this.redirected(response)) return;
      // Asking on with a password that was refused is how cameras come to lock the user out.
      if (response.status === 401 && this.#hasCredentials) {
        return this.fail(this.refusal('OPTIONS', response));
      }
      this.#methods = new Set(methodsOf(response));
      // Some cameras refuse OPTIONS and describe all the same.
      next();
    };
    // Others leave it unanswered.
    this.#requests.ask('OPTIONS', this.uri, [], { answered, late: next, withinMs: OPTIONS_MS });
  }

  receive(bytes: Buffer): void {
    if (this.#over) return;
    this.#heardAt = this.#clock.now();
    this.#parser.push(bytes);
    try {
      // A handler may end the client in the midst of what has come.
      while (!this.#over) {
        const message = this.#parser.next();
        if (!message) return;
        if (message.kind === 'interleaved') this.#handlers.interleaved(message.channel, message.payload);
        else if (message.kind === 'response') this.#requests.answered(message);
        else this.#answer(message);
      }
    } catch (error) {
      if (error instanceof NamedError) this.fail(error);
      else throw error;
    }
  }

  /** Asks, and fails when no answer comes. */
  ask(
    method: string,
    uri: string,
    headers: readonly (readonly [string, string])[],
    answered: (response: RtspResponse) => void,
    body?: Buffer,
  ): void {
    if (this.#over) return;
    const late = () => {
      // A body that is declared longer than it is never gets complete.
      const cut = this.#parser.cut();
      if (cut?.kind === 'response' && cut.body.length > 0) return answered(cut);
      const seconds = this.#answerMs / 1000;
      const sentence = `${this.url} did not answer ${method} within ${seconds} s.`;
      this.fail(new NamedError('RTSP_TIMEOUT', sentence, 504));
    };
    this.#requests.ask(method, uri, headers, { answered, late }, body);
  }

  /** SETUP was answered: takes up the session that the server names. */
  takeSession(response: RtspResponse): void {
    const session = response.headers.get('session');
    if (session === undefined) return;
    this.#requests.session ??= parseSessionId(session);
    this.#sessionMs = Math.max(MIN_SESSION_MS, parseSessionTimeout(session));
  }

  /**
   * Every so many milliseconds a request that changes nothing. Some cameras leave it unanswered, or answer it with
   * errors; only a session that the server does not know any more is an end.
   */
  keepAlive(uri: string, ms: number): void {
    this.#cancelKeepAlive = this.#clock.after(ms, () => {
      const method = this.#methods.has('GET_PARAMETER') ? 'GET_PARAMETER' : 'OPTIONS';
      const handlers: AnswerHandlers = {
        answered: (response) => {
          const { status } = response;
          if (status === 454 || status === 401) return this.fail(this.refusal(method, response, true));
          if (status >= 400 && method === 'GET_PARAMETER') this.#methods = new Set();
        },
        late: () => {},
      };
      this.#requests.ask(method, uri, [], handlers);
      this.keepAlive(uri, ms);
    });
  }

  /** Follows where a server sends us; false where it does not, or that is not wanted. */
  redirected(response: RtspResponse): boolean {
    const location = response.headers.get('location');
    const { redirected } = this.#handlers;
    if (!REDIRECTS.includes(response.status) || !location || !redirected) return false;
    this.#end();
    redirected(location);
    return true;
  }

  /**
   * What a refusal is called.
   * @param isUp the server had taken what was asked of it before
   */
  refusal(method: string, response: RtspResponse, isUp = false): NamedError {
    const { status } = response;
    if (status === 401 || (status === 403 && !isUp)) {
      const way = this.#hasCredentials
        ? 'Check the user and the password.'
        : 'Put them in: rtsp://user:password@host/….';
      return new NamedError('RTSP_UNAUTHORIZED', `${this.url} asks for a user and a password. ${way}`, 401);
    }
    const says = response.reason || reasonPhrase(status);
    if (status === 404) return new NamedError('RTSP_NOT_FOUND', `${this.url} does not exist (${says}).`, 404);
    return new NamedError('RTSP_REFUSED', `${this.url} answered ${method} with ${status} ${says}.`, 502);
  }

  /** Ends it from our side: the server is told where there is a session. Nothing is called any more. Idempotent. */
  close(aggregate: string): void {
    if (this.#over) return;
    this.#end();
    if (this.#requests.session === undefined) return;
    this.#requests.ask('TEARDOWN', aggregate, [], { answered() {}, late() {} });
    this.#requests.close();
  }

  /** Ends it with an error. */
  fail(error: NamedError): void {
    if (this.#over) return;
    this.#end();
    this.#handlers.failed(error);
  }

  #end(): void {
    this.#over = true;
    this.#requests.close();
    this.#cancelKeepAlive();
  }

  /** Requests of the server: nothing that we could do, but an answer keeps it content. */
  #answer({ method, headers }: RtspRequest): void {
    const status = HARMLESS.includes(method) ? 200 : 501;
    this.#handlers.send(serializeResponse(status, RtspHeaders.from([['CSeq', headers.get('cseq')]])));
  }
}

function methodsOf(response: RtspResponse): string[] {
  if (response.status !== 200) return [];
  return response.headers
    .getAll('public')
    .flatMap((value) => value.split(','))
    .map((method) => method.trim().toUpperCase());
}
