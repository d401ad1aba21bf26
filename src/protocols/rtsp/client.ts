import { type Clock, systemClock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { resolveBase, resolveControl } from './address.ts';
import type { ChannelPair } from './application.ts';
import { splitCredentials } from './credentials.ts';
import { parseSessionId, parseSessionTimeout, RtspHeaders } from './headers.ts';
import type { RtspRequest, RtspResponse } from './message.ts';
import { serializeInterleaved, serializeResponse } from './message.ts';
import { RtspParser } from './parser.ts';
import { RtspRequests } from './requests.ts';
import { reasonPhrase } from './status.ts';
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
/** A server's session time-out below this is taken for this, so that keep-alives do not become a stream of their own. */
const MIN_SESSION_MS = 4000;
const REDIRECTS = [301, 302, 303, 305, 307, 308];

/**
 * The client's side of one RTSP connection (RFC 2326), without I/O: asks OPTIONS, then DESCRIBE, and gives the
 * description; plays what the caller chooses of it over the same connection, and keeps the session alive. Challenges
 * are answered; credentials of the address go into the Authorization header and nowhere else. Every answer and the
 * media themselves have their time limits.
 */
export class RtspClient {
  /** The address without credentials and passwords: what may be shown. */
  readonly url: string;
  /** The address as it stands in requests. */
  readonly #uri: string;
  readonly #hasCredentials: boolean;
  readonly #handlers: RtspClientHandlers;
  readonly #clock: Clock;
  readonly #mediaMs: number;
  readonly #firstMediaMs: number;
  readonly #answerMs: number;
  readonly #requests: RtspRequests;
  readonly #parser = new RtspParser();
  readonly #channels = new Map<number, { track: number; kind: 'rtp' | 'rtcp' }>();
  /** Tracks that come over UDP. */
  readonly #udp = new Set<number>();
  #methods: ReadonlySet<string> = new Set();
  #aggregate = '';
  #sessionMs = 60_000;
  #playing = false;
  #lastMedia = 0;
  /** RTP has come. */
  #heard = false;
  #over = false;
  #cancelKeepAlive = () => {};
  #cancelWatch = () => {};

  constructor(url: string, handlers: RtspClientHandlers, options: RtspClientOptions = {}) {
    const { url: uri, credentials } = splitCredentials(url);
    this.url = maskAddress(url);
    this.#uri = uri;
    this.#hasCredentials = credentials !== undefined;
    this.#handlers = handlers;
    this.#clock = options.clock ?? systemClock;
    this.#answerMs = options.answerMs ?? ANSWER_MS;
    this.#mediaMs = options.mediaMs ?? MEDIA_MS;
    this.#firstMediaMs = options.firstMediaMs ?? this.#mediaMs;
    this.#requests = new RtspRequests({
      send: (bytes) => handlers.send(bytes),
      clock: this.#clock,
      credentials,
      answerMs: this.#answerMs,
    });
  }

  /** The connection stands: ask. */
  start(): void {
    this.#ask('OPTIONS', this.#uri, [], (response) => {
      if (this.#redirected(response)) return;
      // Asking on with a password that was refused is how cameras come to lock the user out.
      if (response.status === 401 && this.#hasCredentials)
        return this.fail(this.#refused('OPTIONS', response));
      this.#methods = new Set(methodsOf(response));
      // Some cameras refuse OPTIONS and describe all the same.
      this.#describe();
    });
  }

  receive(bytes: Buffer): void {
    if (this.#over) return;
    this.#parser.push(bytes);
    try {
      // A handler may end the client in the midst of what has come.
      while (!this.#over) {
        const message = this.#parser.next();
        if (!message) return;
        if (message.kind === 'interleaved') this.#interleaved(message.channel, message.payload);
        else if (message.kind === 'response') this.#requests.answered(message);
        else this.#answer(message);
      }
    } catch (error) {
      if (error instanceof NamedError) this.fail(error);
      else throw error;
    }
  }

  /** Sets the tracks up, one after the other, and plays those that the server gives. */
  play(plan: RtspPlayPlan): void {
    if (this.#over) return;
    this.#aggregate = resolveControl(plan.baseUrl, plan.control);
    const base = /^rtsps?:\/\//i.test(plan.control) ? this.#aggregate : plan.baseUrl;
    const urls = plan.tracks.map((control) => resolveControl(base, control));
    this.#setUp({ urls, ports: plan.ports }, 0, []);
  }

  /** RTP or RTCP of a track that came over UDP. */
  datagram(track: number, kind: 'rtp' | 'rtcp', payload: Buffer): void {
    if (this.#over || !this.#udp.has(track)) return;
    this.#media(track, kind, payload);
  }

  /** Sends RTCP about a track, by its place in the plan. */
  sendRtcp(track: number, packet: Buffer): void {
    if (this.#udp.has(track)) {
      this.#handlers.sendDatagram?.(track, packet);
      return;
    }
    for (const [channel, one] of this.#channels) {
      if (one.track !== track || one.kind !== 'rtcp' || this.#over) continue;
      this.#handlers.send(serializeInterleaved(channel, packet));
    }
  }

  /** Ends it from our side: the server is told where there is a session. Nothing is called any more. Idempotent. */
  close(): void {
    if (this.#over) return;
    this.#end();
    if (this.#requests.session === undefined) return;
    this.#requests.ask('TEARDOWN', this.#aggregate, [], { answered() {}, late() {} });
    this.#requests.close();
  }

  /** Ends it with an error, such as that of the connection below. */
  fail(error: NamedError): void {
    if (this.#over) return;
    this.#end();
    this.#handlers.failed(error);
  }

  #end(): void {
    this.#over = true;
    this.#requests.close();
    this.#cancelKeepAlive();
    this.#cancelWatch();
  }

  /** Asks, and fails when no answer comes. */
  #ask(
    method: string,
    uri: string,
    headers: readonly (readonly [string, string])[],
    answered: (response: RtspResponse) => void,
  ): void {
    this.#requests.ask(method, uri, headers, {
      answered,
      late: () => {
        const seconds = this.#answerMs / 1000;
        const sentence = `${this.url} did not answer ${method} within ${seconds} s.`;
        this.fail(new NamedError('RTSP_TIMEOUT', sentence, 504));
      },
    });
  }

  #describe(): void {
    this.#ask('DESCRIBE', this.#uri, [['Accept', 'application/sdp']], (response) => {
      if (this.#redirected(response)) return;
      if (response.status !== 200) return this.fail(this.#refused('DESCRIBE', response));
      const base = response.headers.get('content-base') ?? response.headers.get('content-location');
      this.#handlers.described(response.body.toString('utf8'), resolveBase(base, this.#uri));
    });
  }

  #setUp(tracks: TracksToSetUp, index: number, refused: readonly number[]): void {
    const url = tracks.urls[index];
    if (url === undefined) return this.#play(refused);
    const channels: ChannelPair = [2 * index, 2 * index + 1];
    const ports = tracks.ports?.[index];
    const transport = ports ? wishUdpTransport(ports) : formatInterleavedTransport(channels, 'play');
    this.#ask('SETUP', url, [['Transport', transport]], (response) => {
      if (response.status !== 200) {
        const none = refused.length + 1 === tracks.urls.length;
        if (none) return this.fail(this.#setUpRefused(response, ports !== undefined));
        return this.#setUp(tracks, index + 1, [...refused, index]);
      }
      const session = response.headers.get('session');
      if (session !== undefined) {
        this.#requests.session ??= parseSessionId(session);
        this.#sessionMs = Math.max(MIN_SESSION_MS, parseSessionTimeout(session));
      }
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
    this.#ask('PLAY', this.#aggregate, [['Range', 'npt=0.000-']], (response) => {
      if (response.status !== 200) return this.fail(this.#refused('PLAY', response));
      this.#playing = true;
      this.#lastMedia = this.#clock.now();
      this.#watch(this.#patienceMs);
      this.#keepAlive();
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

  /**
   * At half the server's time-out a request that changes nothing. Some cameras leave it unanswered, or answer it with
   * errors; what counts is whether media come. Only a session that the server does not know any more is an end.
   */
  #keepAlive(): void {
    this.#cancelKeepAlive = this.#clock.after(this.#sessionMs / 2, () => {
      const method = this.#methods.has('GET_PARAMETER') ? 'GET_PARAMETER' : 'OPTIONS';
      this.#requests.ask(method, this.#aggregate, [], {
        answered: (response) => {
          const { status } = response;
          if (status === 454 || status === 401) return this.fail(this.#refused(method, response));
          if (status >= 400 && method === 'GET_PARAMETER') this.#methods = new Set();
        },
        late: () => {},
      });
      this.#keepAlive();
    });
  }

  /** Requests of the server: nothing that we could do, but an answer keeps it content. */
  #answer({ method, headers }: RtspRequest): void {
    const status = ['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER'].includes(method) ? 200 : 501;
    this.#handlers.send(serializeResponse(status, RtspHeaders.from([['CSeq', headers.get('cseq')]])));
  }

  #redirected(response: RtspResponse): boolean {
    const location = response.headers.get('location');
    if (!REDIRECTS.includes(response.status) || !location || !this.#handlers.redirected) return false;
    this.#end();
    this.#handlers.redirected(location);
    return true;
  }

  /** 461: the tracks are there, but not by this transport (RFC 2326 section 11.3.14). */
  #setUpRefused(response: RtspResponse, overUdp: boolean): NamedError {
    if (response.status !== 461) return this.#refused('SETUP', response);
    const [asked, other] = overUdp ? ['UDP', 'tcp'] : ['TCP', 'udp'];
    const sentence = `${this.url} does not send over ${asked} (461). Try it with transport: ${other}.`;
    return new NamedError('RTSP_TRANSPORT_REFUSED', sentence, 502);
  }

  #refused(method: string, response: RtspResponse): NamedError {
    const { status } = response;
    if (status === 401 || (status === 403 && !this.#playing)) {
      const way = this.#hasCredentials
        ? 'Check the user and the password.'
        : 'Put them in: rtsp://user:password@host/….';
      return new NamedError('RTSP_UNAUTHORIZED', `${this.url} asks for a user and a password. ${way}`, 401);
    }
    const says = response.reason || reasonPhrase(status);
    if (status === 404) return new NamedError('RTSP_NOT_FOUND', `${this.url} does not exist (${says}).`, 404);
    return new NamedError('RTSP_REFUSED', `${this.url} answered ${method} with ${status} ${says}.`, 502);
  }
}

function methodsOf(response: RtspResponse): string[] {
  if (response.status !== 200) return [];
  return response.headers
    .getAll('public')
    .flatMap((value) => value.split(','))
    .map((method) => method.trim().toUpperCase());
}
