import { NamedError } from '#util/named-error.ts';
import { authorize, type Credentials, splitCredentials } from './credentials.ts';
import { RtspHeaders } from './headers.ts';
import { type RtspResponse, serializeRequest } from './message.ts';
import { RtspParser } from './parser.ts';
import { reasonPhrase } from './status.ts';

export interface RtspClientHandlers {
  /** Takes the bytes of requests. */
  send(bytes: Buffer): void;
  /** The description, and the address that its relative parts belong to. */
  described(sdp: string, baseUrl: string): void;
  failed(error: NamedError): void;
}

/**
 * The client's side of one RTSP connection, without I/O: asks OPTIONS, then DESCRIBE, answers a challenge once, and
 * gives the description. Credentials of the address go into the Authorization header and nowhere else.
 */
export class RtspClient {
  /** The address without credentials: what may be shown. */
  readonly url: string;
  readonly #credentials: Credentials | undefined;
  readonly #handlers: RtspClientHandlers;
  readonly #parser = new RtspParser();
  #sequence = 0;
  #pending: 'OPTIONS' | 'DESCRIBE' | undefined;
  #challenges: readonly string[] = [];

  constructor(url: string, handlers: RtspClientHandlers) {
    const split = splitCredentials(url);
    this.url = split.url;
    this.#credentials = split.credentials;
    this.#handlers = handlers;
  }

  /** The connection stands: ask. */
  start(): void {
    this.#request('OPTIONS');
  }

  receive(bytes: Buffer): void {
    this.#parser.push(bytes);
    try {
      for (;;) {
        const message = this.#parser.next();
        if (!message) return;
        if (message.kind === 'response') this.#answered(message);
      }
    } catch (error) {
      if (error instanceof NamedError) this.#fail(error);
      else throw error;
    }
  }

  #request(method: 'OPTIONS' | 'DESCRIBE'): void {
    this.#pending = method;
    const authorization =
      this.#credentials && this.#challenges.length > 0
        ? authorize(this.#challenges, this.#credentials, { method, uri: this.url })
        : undefined;
    const headers = RtspHeaders.from([
      ['CSeq', String(++this.#sequence)],
      ['User-Agent', 'Sluice'],
      ['Authorization', authorization],
      ['Accept', method === 'DESCRIBE' ? 'application/sdp' : undefined],
    ]);
    this.#handlers.send(serializeRequest(method, this.url, headers));
  }

  #answered(response: RtspResponse): void {
    const cseq = response.headers.get('cseq');
    if (!this.#pending || (cseq !== undefined && Number(cseq) !== this.#sequence)) return;
    const method = this.#pending;
    this.#pending = undefined;
    if (response.status === 401 && this.#credentials && this.#challenges.length === 0) {
      this.#challenges = response.headers.getAll('www-authenticate');
      if (this.#challenges.length > 0) return this.#request(method);
    }
    // Some cameras refuse OPTIONS and describe all the same.
    if (method === 'OPTIONS') return this.#request('DESCRIBE');
    if (response.status === 200) {
      const base =
        response.headers.get('content-base') ?? response.headers.get('content-location') ?? this.url;
      this.#handlers.described(response.body.toString('utf8'), splitCredentials(base).url);
    } else {
      this.#fail(this.#refused(response));
    }
  }

  #fail(error: NamedError): void {
    this.#pending = undefined;
    this.#handlers.failed(error);
  }

  #refused(response: RtspResponse): NamedError {
    const { status } = response;
    if (status === 401 || status === 403) {
      const way = this.#credentials
        ? 'Check the user and the password.'
        : 'Put them in: rtsp://user:password@host/….';
      return new NamedError('RTSP_UNAUTHORIZED', `${this.url} asks for a user and a password. ${way}`, 401);
    }
    const says = response.reason || reasonPhrase(status);
    if (status === 404) return new NamedError('RTSP_NOT_FOUND', `${this.url} does not exist (${says}).`, 404);
    return new NamedError(
      'RTSP_REFUSED',
      `${this.url} cannot be described: the server answered ${status} ${says}.`,
      502,
    );
  }
}
