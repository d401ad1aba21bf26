import type { Clock } from '#util/clock.ts';
import { messageOf } from '#util/named-error.ts';
import type { RtspAddress } from './address.ts';
import type { RtspApplication } from './application.ts';
import { RtspHeaders } from './headers.ts';
import type { RtspMessage, RtspRequest } from './message.ts';
import { asRefusal, Refusal } from './refusal.ts';
import { checkRequest } from './request-check.ts';
import { RequestQueue } from './request-queue.ts';
import { type Answer, serializeAnswer, serializeRefusal } from './response.ts';
import { SessionMachine } from './session-machine.ts';
import { SilenceWatch } from './silence-watch.ts';
import type { RtspState } from './states.ts';
import type { ServerTransports } from './transport-choice.ts';

export interface RtspServerSessionOptions {
  readonly application: RtspApplication;
  /** Takes the bytes of responses. */
  readonly send: (bytes: Buffer) => void;
  readonly clock: Clock;
  /** Identifier given to the client; hard to guess. */
  readonly id: string;
  /** A client that shows no sign of life for so long is disconnected. */
  readonly timeoutMs: number;
  /** Inside the connection only, by default. */
  readonly transports?: ServerTransports;
}

const TCP_ONLY: ServerTransports = { tcp: true, udp: undefined };

/**
 * The server's side of one RTSP connection (RFC 2326), without I/O: received bytes go in, responses come out by
 * `send`, and what the requests mean is asked of the application. Requests are answered in their order, also when an
 * answer takes time; what arrives meanwhile waits, bounded. One connection carries one session at most.
 *
 * The way of a request: out of the bytes (RequestQueue), whether it is one at all (checkRequest), what it means in this
 * state (SessionMachine), and back into bytes (response.ts).
 */
export class RtspServerSession {
  readonly #app: RtspApplication;
  readonly #send: (bytes: Buffer) => void;
  readonly #queue: RequestQueue;
  readonly #silence: SilenceWatch;
  readonly #machine: SessionMachine;
  #closed = false;

  constructor(options: RtspServerSessionOptions) {
    const { application, clock, id, timeoutMs, transports = TCP_ONLY } = options;
    this.#app = application;
    this.#send = options.send;
    this.#machine = new SessionMachine({ application, id, timeoutMs, transports });
    const disconnect = (reason: string) => this.#disconnect(reason);
    this.#silence = new SilenceWatch({
      clock,
      timeoutMs,
      // Many players say nothing while they play. A publisher has to send: the system takes reports for one that is gone.
      progress: () => (this.#machine.publishes ? 0 : application.progress()),
      onSilent: disconnect,
    });
    this.#queue = new RequestQueue({
      clock,
      handle: (message) => this.#handle(message),
      broken: (error) => this.#hangUp(error),
      disconnect,
      awaitsRequests: () => this.state === 'INIT' || this.state === 'READY',
    });
  }

  get state(): RtspState {
    return this.#machine.state;
  }

  /** Takes received bytes; the buffer is kept. */
  receive(bytes: Buffer): void {
    if (this.#closed) return;
    this.touch();
    this.#queue.push(bytes);
  }

  /** The client gave a sign of life beside the connection (over UDP). */
  touch(): void {
    this.#silence.touch();
  }

  /** The connection is gone, or has to go: the session ends. Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#silence.close();
    this.#queue.close();
    this.#machine.release(reason);
  }

  #disconnect(reason: string): void {
    this.close(reason);
    this.#app.disconnect(reason);
  }

  #handle(message: RtspMessage): Promise<void> | undefined {
    if (message.kind === 'request') return this.#answer(message);
    if (message.kind === 'interleaved') this.#machine.interleaved(message);
    // A response would answer a request of ours, and we send none.
    return undefined;
  }

  #answer(request: RtspRequest): Promise<void> | undefined {
    let result: Answer | Promise<Answer>;
    try {
      const address = checkRequest(request);
      const admission = this.#admit(request, address);
      result = admission
        ? admission.then(() => this.#answerIfOpen(request, address))
        : this.#machine.answer(request, address);
    } catch (error) {
      this.#refuse(request, error);
      return undefined;
    }
    if (!(result instanceof Promise)) {
      this.#grant(request, result);
      return undefined;
    }
    return result.then(
      (answer) => {
        if (!this.#closed) this.#grant(request, answer);
      },
      (error) => {
        if (!this.#closed) this.#refuse(request, error);
      },
    );
  }

  /** Asks the application whether whoever sent the request may do that with the stream that it names. */
  #admit({ method, headers }: RtspRequest, address: RtspAddress): Promise<void> | undefined {
    if (method !== 'DESCRIBE' && method !== 'ANNOUNCE' && method !== 'SETUP') return undefined;
    return this.#app.admit?.({ method, address, authorization: headers.get('authorization') });
  }

  /** The connection may have gone while the application was asked; nothing may begin then. */
  #answerIfOpen(request: RtspRequest, address: RtspAddress): Answer | Promise<Answer> {
    return this.#closed ? {} : this.#machine.answer(request, address);
  }

  #grant(request: RtspRequest, answer: Answer): void {
    this.#send(serializeAnswer(this.#baseHeaders(request), answer));
    answer.after?.();
  }

  #refuse(request: RtspRequest, error: unknown): void {
    let refusal = asRefusal(error);
    if (!refusal) {
      this.#app.fault(error);
      refusal = new Refusal(500, 'The server failed to answer this request.');
    }
    this.#send(serializeRefusal(this.#baseHeaders(request), refusal));
  }

  #hangUp(error: unknown): void {
    const reason = messageOf(error);
    this.#send(serializeRefusal(this.#baseHeaders(), asRefusal(error) ?? new Refusal(400, reason)));
    this.#disconnect(reason);
  }

  #baseHeaders(request?: RtspRequest): RtspHeaders {
    return RtspHeaders.from([
      ['CSeq', request?.headers.get('cseq')],
      ['Server', 'Sluice'],
      ['Session', this.#machine.sessionHeader],
    ]);
  }
}
