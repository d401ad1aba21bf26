import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { resolveBase, resolveControl } from './address.ts';
import type { ChannelPair } from './application.ts';
import { ClientConversation } from './client-conversation.ts';
import type { RtspResponse } from './message.ts';
import { serializeInterleaved } from './message.ts';
import { formatInterleavedTransport, parseTransport, wishUdpTransport } from './transport.ts';

export interface RtspClientHandlers {
  /** Takes the bytes of requests. */
  send(bytes: Buffer): void;
  /** The description, and the address that its relative parts belong to. `play` may follow. */
  described(sdp: string, baseUrl: string): void;
  /** The server says that the stream is elsewhere. Nothing more comes on this connection. */
  redirected?(url: string): void;
  /** The server will play; `refused` are the tracks, by their place in the plan, that it did not set up. */
  ready?(refused: readonly number[]): void;
  /** A track comes over UDP; `serverPorts` where the server named them. */
  udp?(track: number, serverPorts: readonly [number, number] | undefined): void;
  /** Sends RTCP of a track that comes over UDP. */
  sendDatagram?(track: number, packet: Buffer): void;
  /** PLAY was answered. */
  playing?(): void;
  /** RTP or RTCP of a track, by its place in the plan; with some servers already before `playing`. */
  packet?(track: number, kind: 'rtp' | 'rtcp', payload: Buffer): void;
  /** It is over; called once. */
  failed(error: NamedError): void;
}

export interface RtspClientOptions {
  readonly clock?: Clock;
  /** How long each answer may take, ms. */
  readonly answerMs?: number;
  /** How long no RTP may come while playing, ms. */
  readonly mediaMs?: number;
  /** The same for the very first packet; `mediaMs` where nothing is said. */
  readonly firstMediaMs?: number;
}

/** What of a presentation is played. */
export interface RtspPlayPlan {
  readonly baseUrl: string;
  /** `a=control` of the session. */
  readonly control: string;
  /** `a=control` of each track that is wanted. */
  readonly tracks: readonly string[];
  /** Our UDP ports of RTP and RTCP for each track; without them media come inside the connection. */
  readonly ports?: readonly (readonly [number, number])[] | undefined;
}

interface TracksToSetUp {
  readonly urls: readonly string[];
  readonly ports: RtspPlayPlan['ports'];
}

const ANSWER_MS = 5000;
const MEDIA_MS = 5000;

/**
 * The client's side of one RTSP connection (RFC 2326) that plays, without I/O: asks OPTIONS, then DESCRIBE, and gives
 * the description; plays what the caller chooses of it over the same connection, and keeps the session alive. Every
 * answer and the media themselves have their time limits.
 */
export class RtspClient {
  readonly #handlers: RtspClientHandlers;
  readonly #clock: Clock;
  readonly #mediaMs: number;
  readonly #firstMediaMs: number;
  readonly #conversation: ClientConversation;
  readonly #channels = new Map<number, { track: number; kind: 'rtp' | 'rtcp' }>();
  /** Tracks that come over UDP. */
  readonly #udp = new Set<number>();
  #aggregate = '';
  #lastMedia = 0;
  /** RTP has come. */
  #heard = false;
  #cancelWatch = () => {};

  constructor(url: string, handlers: RtspClientHandlers, options: RtspClientOptions = {}) {
    this.#handlers = handlers;
    this.#clock = options.clock ?? systemClock;
    this.#mediaMs = options.mediaMs ?? MEDIA_MS;
    this.#firstMediaMs = options.firstMediaMs ?? this.#mediaMs;
    this.#conversation = new ClientConversation({
      url,
      clock: this.#clock,
      answerMs: options.answerMs ?? ANSWER_MS,
      handlers: {
        send: (bytes) => handlers.send(bytes),
        redirected: handlers.redirected && ((location) => handlers.redirected?.(location)),
        interleaved: (channel, payload) => this.#interleaved(channel, payload),
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

  /** The connection stands: ask. */
  start(): void {
    this.#conversation.begin(() => this.#describe());
  }

  receive(bytes: Buffer): void {
    this.#conversation.receive(bytes);
  }

  /** Sets the tracks up, one after the other, and plays those that the server gives. */
  play(plan: RtspPlayPlan): void {
    if (this.#conversation.over) return;
    this.#aggregate = resolveControl(plan.baseUrl, plan.control);
    const base = /^rtsps?:\/\//i.test(plan.control) ? this.#aggregate : plan.baseUrl;
    const urls = plan.tracks.map((control) => resolveControl(base, control));
    this.#setUp({ urls, ports: plan.ports }, 0, []);
  }

  /** RTP or RTCP of a track that came over UDP. */
  datagram(track: number, kind: 'rtp' | 'rtcp', payload: Buffer): void {
    if (this.#conversation.over || !this.#udp.has(track)) return;
    this.#media(track, kind, payload);
  }

  /** Sends RTCP about a track, by its place in the plan. */
  sendRtcp(track: number, packet: Buffer): void {
    if (this.#udp.has(track)) {
      this.#handlers.sendDatagram?.(track, packet);
      return;
    }
    for (const [channel, one] of this.#channels) {
      if (one.track !== track || one.kind !== 'rtcp' || this.#conversation.over) continue;
      this.#handlers.send(serializeInterleaved(channel, packet));
    }
  }

  /** Ends it from our side: the server is told where there is a session. Nothing is called any more. Idempotent. */
  close(): void {
    this.#cancelWatch();
    this.#conversation.close(this.#aggregate);
  }

  /** Ends it with an error, such as that of the connection below. */
  fail(error: NamedError): void {
    this.#conversation.fail(error);
  }

  #describe(): void {
    const { uri } = this.#conversation;
    this.#conversation.ask('DESCRIBE', uri, [['Accept', 'application/sdp']], (response) => {
      if (this.#conversation.redirected(response)) return;
      if (response.status !== 200) return this.fail(this.#conversation.refusal('DESCRIBE', response));
      const base = response.headers.get('content-base') ?? response.headers.get('content-location');
      this.#handlers.described(response.body.toString('utf8'), resolveBase(base, uri));
    });
  }

  #setUp(tracks: TracksToSetUp, index: number, refused: readonly number[]): void {
    const url = tracks.urls[index];
    if (url === undefined) return this.#play(refused);
    const channels: ChannelPair = [2 * index, 2 * index + 1];
    const ports = tracks.ports?.[index];
    const transport = ports ? wishUdpTransport(ports) : formatInterleavedTransport(channels, 'play');
    this.#conversation.ask('SETUP', url, [['Transport', transport]], (response) => {
      if (response.status !== 200) {
        const none = refused.length + 1 === tracks.urls.length;
        if (none) return this.fail(this.#setUpRefused(response, ports !== undefined));
        return this.#setUp(tracks, index + 1, [...refused, index]);
      }
      this.#conversation.takeSession(response);
      const [answer] = parseTransport(response.headers.get('transport') ?? '');
      if (answer?.lower === 'UDP' && !ports) {
        const sentence = `${this.url} sends over UDP although TCP was asked for. Try it with transport: udp.`;
        return this.fail(new NamedError('RTSP_REFUSED', sentence, 502));
      }
      if (ports && answer?.lower !== 'TCP') {
        this.#udp.add(index);
        this.#handlers.udp?.(index, answer?.serverPorts);
      } else {
        // Some servers choose channels of their own.
        const [rtp, rtcp] = answer?.interleaved ?? channels;
        this.#channels.set(rtp, { track: index, kind: 'rtp' });
        this.#channels.set(rtcp, { track: index, kind: 'rtcp' });
      }
      this.#setUp(tracks, index + 1, refused);
    });
  }

  #play(refused: readonly number[]): void {
    this.#handlers.ready?.(refused);
    this.#conversation.ask('PLAY', this.#aggregate, [['Range', 'npt=0.000-']], (response) => {
      if (response.status !== 200) return this.fail(this.#conversation.refusal('PLAY', response));
      this.#lastMedia = this.#clock.now();
      this.#watch(this.#patienceMs);
      // What counts is whether media come, so no answer is no fault.
      this.#conversation.keepAlive(this.#aggregate, this.#conversation.sessionMs / 2);
      this.#handlers.playing?.();
    });
  }

  #interleaved(channel: number, payload: Buffer): void {
    const known = this.#channels.get(channel);
    if (known) this.#media(known.track, known.kind, payload);
  }

  #media(track: number, kind: 'rtp' | 'rtcp', payload: Buffer): void {
    if (kind === 'rtp') {
      this.#lastMedia = this.#clock.now();
      this.#heard = true;
    }
    this.#handlers.packet?.(track, kind, payload);
  }

  get #patienceMs(): number {
    return this.#heard ? this.#mediaMs : this.#firstMediaMs;
  }

  /** Looks again when media could be missing for too long. */
  #watch(ms: number): void {
    this.#cancelWatch = this.#clock.after(ms, () => {
      const silence = this.#clock.now() - this.#lastMedia;
      const patience = this.#patienceMs;
      if (silence < patience) return this.#watch(patience - silence);
      const seconds = patience / 1000;
      const hint = this.#udp.size > 0 ? ' A firewall may keep UDP out; try transport: tcp.' : '';
      this.fail(new NamedError('RTSP_NO_MEDIA', `${this.url} sent no media for ${seconds} s.${hint}`, 504));
    });
  }

  /** 461: the tracks are there, but not by this transport (RFC 2326 section 11.3.14). */
  #setUpRefused(response: RtspResponse, overUdp: boolean): NamedError {
    if (response.status !== 461) return this.#conversation.refusal('SETUP', response);
    const [asked, other] = overUdp ? ['UDP', 'tcp'] : ['TCP', 'udp'];
    const sentence = `${this.url} does not send over ${asked} (461). Try it with transport: ${other}.`;
    return new NamedError('RTSP_TRANSPORT_REFUSED', sentence, 502);
  }
}
