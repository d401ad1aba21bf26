import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { resolveControl } from './address.ts';
import type { ChannelPair } from './application.ts';
import { ClientConversation } from './client-conversation.ts';
import type { RtspResponse } from './message.ts';
import { reasonPhrase } from './status.ts';
import { formatInterleavedTransport, parseTransport } from './transport.ts';

export interface RtspPublishingHandlers {
  /** Takes the bytes of requests. */
  send(bytes: Buffer): void;
  /** The server says that the stream belongs elsewhere. Nothing more comes on this connection. */
  redirected?(url: string): void;
  /** The server records: media may go out, each track on its channels, by its place in the plan. */
  recording(channels: readonly ChannelPair[]): void;
  /** RTCP of the server about a track, by its place in the plan. */
  rtcp?(track: number, packet: Buffer): void;
  /** It is over; called once. */
  failed(error: NamedError): void;
}

/** What is published. */
export interface RtspPublishingPlan {
  readonly sdp: string;
  /** `a=control` of each track, as the description has it. */
  readonly tracks: readonly string[];
}

export interface RtspPublishingOptions {
  readonly clock?: Clock;
  /** How long each answer may take, ms. */
  readonly answerMs?: number;
}

const ANSWER_MS = 5000;
/** A server that records has nothing to say by itself, so it is asked so often at least whether it is still there. */
const ASK_MS = 10_000;
/** Three questions in a row that nothing at all came after: the server is gone, or hangs. */
const SILENT_MS = 3 * ASK_MS + ANSWER_MS;

/**
 * The client's side of one RTSP connection (RFC 2326) that publishes, without I/O: asks OPTIONS, then ANNOUNCE with the
 * description, SETUP of each track for media inside the connection, and RECORD; then the session is kept alive. Ends
 * when the server refuses, does not answer, or is not heard of any more.
 */
export class RtspPublishingClient {
  readonly #handlers: RtspPublishingHandlers;
  readonly #clock: Clock;
  readonly #conversation: ClientConversation;
  /** RTCP channel → the track, by its place in the plan. */
  readonly #rtcp = new Map<number, number>();
  #cancelWatch = () => {};

  constructor(url: string, handlers: RtspPublishingHandlers, options: RtspPublishingOptions = {}) {
    this.#handlers = handlers;
    this.#clock = options.clock ?? systemClock;
    this.#conversation = new ClientConversation({
      url,
      clock: this.#clock,
      answerMs: options.answerMs ?? ANSWER_MS,
      handlers: {
        send: (bytes) => handlers.send(bytes),
        redirected: handlers.redirected && ((location) => handlers.redirected?.(location)),
        interleaved: (channel, payload) => {
          const track = this.#rtcp.get(channel);
          if (track !== undefined) handlers.rtcp?.(track, payload);
        },
        failed: (error) => {
          this.#cancelWatch();
          handlers.failed(error);
        },
      },
    });
  }

  /** The address without credentials and passwords: what may be shown. */
  get url(): string {
    return this.#conversation.url;
  }

  /** The connection stands: announces the plan, and goes on to record it. */
  start(plan: RtspPublishingPlan): void {
    this.#conversation.begin(() => this.#announce(plan));
  }

  receive(bytes: Buffer): void {
    this.#conversation.receive(bytes);
  }

  /** Ends it from our side: the server is told where there is a session. Nothing is called any more. Idempotent. */
  close(): void {
    this.#cancelWatch();
    this.#conversation.close(this.#conversation.uri);
  }

  /** Ends it with an error, such as that of the connection below. */
  fail(error: NamedError): void {
    this.#conversation.fail(error);
  }

  #announce({ sdp, tracks }: RtspPublishingPlan): void {
    const { uri } = this.#conversation;
    const headers = [['Content-Type', 'application/sdp']] as const;
    const answered = (response: RtspResponse) => {
      if (this.#conversation.redirected(response)) return;
      if (response.status !== 200) return this.fail(this.#refused('ANNOUNCE', response));
      // Some servers name the session here already.
      this.#conversation.takeSession(response);
      this.#setUp(
        tracks.map((control) => resolveControl(uri, control)),
        [],
      );
    };
    this.#conversation.ask('ANNOUNCE', uri, headers, answered, Buffer.from(sdp));
  }

  #setUp(urls: readonly string[], done: readonly ChannelPair[]): void {
    const index = done.length;
    const url = urls[index];
    if (url === undefined) return this.#record(done);
    const asked: ChannelPair = [2 * index, 2 * index + 1];
    const transport = formatInterleavedTransport(asked, 'record');
    this.#conversation.ask('SETUP', url, [['Transport', transport]], (response) => {
      if (response.status !== 200) return this.fail(this.#refused('SETUP', response));
      this.#conversation.takeSession(response);
      const [answer] = parseTransport(response.headers.get('transport') ?? '');
      // Some servers choose channels of their own.
      const channels = answer?.interleaved ?? asked;
      this.#rtcp.set(channels[1], index);
      this.#setUp(urls, [...done, channels]);
    });
  }

  #record(channels: readonly ChannelPair[]): void {
    const { uri } = this.#conversation;
    this.#conversation.ask('RECORD', uri, [['Range', 'npt=0.000-']], (response) => {
      if (response.status !== 200) return this.fail(this.#refused('RECORD', response));
      this.#conversation.keepAlive(uri, Math.min(this.#conversation.sessionMs / 2, ASK_MS));
      this.#watch(SILENT_MS);
      this.#handlers.recording(channels);
    });
  }

  #watch(ms: number): void {
    this.#cancelWatch = this.#clock.after(ms, () => {
      const silence = this.#clock.now() - this.#conversation.heardAt;
      if (silence < SILENT_MS) return this.#watch(SILENT_MS - silence);
      const sentence = `${this.url} takes the stream, but has not answered for ${SILENT_MS / 1000} s.`;
      this.fail(new NamedError('RTSP_TIMEOUT', sentence, 504));
    });
  }

  /** What publishers are told by servers that do not want them. */
  #refused(method: string, response: RtspResponse): NamedError {
    const { status } = response;
    const says = response.reason.replace(/\.$/, '') || reasonPhrase(status);
    if (status === 403) {
      const sentence = `${this.url} does not let the stream be published: ${says}. Check what the user may do there.`;
      return new NamedError('RTSP_REFUSED', sentence, 502);
    }
    if (status === 404 || status === 405 || status === 501) {
      const sentence = `${this.url} takes no stream under this address (${method}: ${status} ${says}). Check the address, and that the server lets streams be published.`;
      return new NamedError('RTSP_REFUSED', sentence, 502);
    }
    return this.#conversation.refusal(method, response);
  }
}
