import type { Clock } from '#util/clock.ts';
import { Authenticator, type Credentials } from './credentials.ts';
import { RtspHeaders } from './headers.ts';
import { type RtspResponse, serializeRequest } from './message.ts';

export interface RtspRequestsOptions {
  readonly send: (bytes: Buffer) => void;
  readonly clock: Clock;
  readonly credentials: Credentials | undefined;
  /** How long each answer may take, ms. */
  readonly answerMs: number;
}

interface Pending {
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly (readonly [string, string | undefined])[];
  readonly handlers: AnswerHandlers;
  readonly body: Buffer | undefined;
  readonly cancel: () => void;
}

export interface AnswerHandlers {
  answered(response: RtspResponse): void;
  /** No answer came in time. */
  late(): void;
  /** How long the answer may take, ms, where that is less than usual. */
  readonly withinMs?: number;
}

/**
 * The requests of a client on one connection: numbers them, names the session, answers challenges (also a nonce that
 * has run out), and matches responses to them.
 */
export class RtspRequests {
  /** Goes into every request once the server has named it. */
  session: string | undefined;
  readonly #options: RtspRequestsOptions;
  readonly #authenticator: Authenticator | undefined;
  readonly #pending = new Map<number, Pending>();
  /** Requests whose answer came too late, or has not come yet. */
  readonly #late = new Set<number>();
  #sequence = 0;

  constructor(options: RtspRequestsOptions) {
    this.#options = options;
    this.#authenticator = options.credentials && new Authenticator(options.credentials);
  }

  /** Sends a request; one of the handlers is called unless `close` comes first. */
  ask(
    method: string,
    uri: string,
    headers: readonly (readonly [string, string | undefined])[],
    handlers: AnswerHandlers,
    body?: Buffer,
  ): void {
    const sequence = ++this.#sequence;
    const all = RtspHeaders.from([
      ['CSeq', String(sequence)],
      ['User-Agent', 'Sluice'],
      ['Authorization', this.#authenticator?.header(method, uri)],
      ['Session', this.session],
      ...headers,
    ]);
    const cancel = this.#options.clock.after(handlers.withinMs ?? this.#options.answerMs, () => {
      this.#pending.delete(sequence);
      this.#late.add(sequence);
      handlers.late();
    });
    this.#pending.set(sequence, { method, uri, headers, handlers, body, cancel });
    this.#options.send(serializeRequest(method, uri, all, body));
  }

  /**
   * A response came. One without a number, or with a number that means nothing (some cameras always say 1), belongs to
   * the oldest request; one that is too late is passed over.
   */
  answered(response: RtspResponse): void {
    // 1xx is no answer yet (RFC 2326 section 7.1.1).
    if (response.status < 200) return;
    const cseq = Number(response.headers.get('cseq') ?? Number.NaN);
    if (this.#late.delete(cseq)) return;
    const sequence = this.#pending.has(cseq) ? cseq : this.#pending.keys().next().value;
    const pending = sequence === undefined ? undefined : this.#pending.get(sequence);
    if (sequence === undefined || !pending) return;
    this.#pending.delete(sequence);
    pending.cancel();
    if (response.status !== 401) this.#authenticator?.accepted();
    else if (this.#authenticator?.challenged(response.headers.getAll('www-authenticate'))) {
      this.ask(pending.method, pending.uri, pending.headers, pending.handlers, pending.body);
      return;
    }
    pending.handlers.answered(response);
  }

  /** Forgets what was asked. */
  close(): void {
    for (const { cancel } of this.#pending.values()) cancel();
    this.#pending.clear();
  }
}
