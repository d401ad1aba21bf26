import type { Clock } from '#util/clock.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { contentBase, parseRtspAddress, type RtspAddress, splitTrack } from './address.ts';
import type { ChannelPair, RtspApplication } from './application.ts';
import { formatRtpInfo, formatSession, parseSessionId, RtspHeaders } from './headers.ts';
import { type RtspMessage, type RtspRequest, serializeResponse } from './message.ts';
import { RtspParser } from './parser.ts';
import { Refusal } from './refusal.ts';
import { REQUEST_MS, RequestDeadline } from './request-deadline.ts';
import { allowedMethods, isKnownMethod, PUBLIC_METHODS, type RtspState } from './states.ts';
import { rtspStatus } from './status.ts';
import { formatInterleavedTransport, formatUdpTransport, type TransportOption } from './transport.ts';
import { chooseTransport, type ServerTransports } from './transport-choice.ts';

/** Bytes that may wait behind a request which is still being answered. */
const MAX_WAITING = 512 * 1024;

interface Answer {
  readonly headers?: readonly (readonly [string, string | undefined])[];
  readonly body?: Buffer;
  /** Called after the response was given out. */
  readonly after?: (() => void) | undefined;
}

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
 */
export class RtspServerSession {
  readonly #app: RtspApplication;
  readonly #send: (bytes: Buffer) => void;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #timeoutMs: number;
  readonly #transports: ServerTransports;
  readonly #parser = new RtspParser();
  #busy = false;
  #state: RtspState = 'INIT';
  #direction: 'play' | 'record' | undefined;
  /** Name of the stream, once a DESCRIBE, ANNOUNCE or SETUP named it. */
  #name: string | undefined;
  #origin = '';
  /** The channels of the tracks that are set up. */
  #channels: { readonly track: string; readonly pair: ChannelPair }[] = [];
  #lastSign: number;
  #lastProgress = 0;
  #cancelTimeout: () => void;
  readonly #deadline: RequestDeadline;
  #closed = false;

  constructor(options: RtspServerSessionOptions) {
    this.#app = options.application;
    this.#send = options.send;
    this.#clock = options.clock;
    this.#id = options.id;
    this.#timeoutMs = options.timeoutMs;
    this.#transports = options.transports ?? TCP_ONLY;
    this.#lastSign = this.#clock.now();
    this.#cancelTimeout = this.#clock.after(this.#timeoutMs, () => this.#checkTimeout());
    const late = `The client did not finish a request within ${REQUEST_MS / 1000} s.`;
    this.#deadline = new RequestDeadline(this.#clock, () => this.#disconnect(late));
    this.#deadline.begin();
  }

  get state(): RtspState {
    return this.#state;
  }

  /** Takes received bytes; the buffer is kept. */
  receive(bytes: Buffer): void {
    if (this.#closed) return;
    this.touch();
    this.#parser.push(bytes);
    this.#run();
  }

  /** The client gave a sign of life beside the connection (over UDP). */
  touch(): void {
    this.#lastSign = this.#clock.now();
  }

  /** The connection is gone, or has to go: the session ends. Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimeout();
    this.#deadline.end();
    this.#release(reason);
  }

  #checkTimeout(): void {
    const progress = this.#app.progress();
    if (progress !== this.#lastProgress) this.#lastSign = this.#clock.now();
    this.#lastProgress = progress;
    const left = this.#lastSign + this.#timeoutMs - this.#clock.now();
    if (left > 0) {
      this.#cancelTimeout = this.#clock.after(left, () => this.#checkTimeout());
      return;
    }
    this.#disconnect(`The client gave no sign of life for ${Math.round(this.#timeoutMs / 1000)} s.`);
  }

  #disconnect(reason: string): void {
    this.close(reason);
    this.#app.disconnect(reason);
  }

  #release(reason: string): void {
    if (this.#direction !== undefined || this.#state !== 'INIT') this.#app.released(reason);
    this.#state = 'INIT';
    this.#direction = undefined;
    this.#name = undefined;
    this.#channels = [];
  }

  /** Handles what is there, up to a request whose answer takes time. */
  #run(): void {
    while (!this.#closed && !this.#busy) {
      let message: RtspMessage | undefined;
      try {
        message = this.#parser.next();
      } catch (error) {
        const status = error instanceof NamedError ? rtspStatus(error.status) : 400;
        this.#respondError(undefined, new Refusal(status, messageOf(error)));
        return this.#disconnect(messageOf(error));
      }
      if (!message) return this.#awaitRest();
      this.#deadline.end();
      this.#handle(message);
    }
    if (this.#parser.buffered > MAX_WAITING) {
      this.#disconnect('The client sent too much while a request was being answered.');
    }
  }

  /** Half a request must not stay half; while media flow, what is half is mostly a frame of them. */
  #awaitRest(): void {
    if (this.#parser.buffered > 0 && (this.#state === 'INIT' || this.#state === 'READY'))
      this.#deadline.begin();
  }

  #handle(message: RtspMessage): void {
    if (message.kind === 'interleaved') {
      if (this.#state !== 'INIT') this.#app.interleaved(message.channel, message.payload);
    } else if (message.kind === 'request') {
      this.#answer(message);
    }
    // A response would answer a request of ours, and we send none.
  }

  #answer(request: RtspRequest): void {
    let result: Answer | Promise<Answer>;
    try {
      result = this.#dispatch(request);
    } catch (error) {
      this.#respondError(request, error);
      return;
    }
    if (!(result instanceof Promise)) {
      this.#respond(request, result);
      return;
    }
    this.#busy = true;
    result
      .then(
        (answer) => this.#closed || this.#respond(request, answer),
        (error) => this.#closed || this.#respondError(request, error),
      )
      .finally(() => {
        this.#busy = false;
        this.#run();
      });
  }

  #respond(request: RtspRequest, answer: Answer): void {
    const headers = this.#baseHeaders(request);
    for (const [name, value] of answer.headers ?? []) if (value !== undefined) headers.append(name, value);
    this.#send(serializeResponse(200, headers, answer.body));
    answer.after?.();
  }

  #respondError(request: RtspRequest | undefined, error: unknown): void {
    const headers = this.#baseHeaders(request);
    let status = 500;
    let sentence = 'The server failed to answer this request.';
    if (error instanceof Refusal) {
      ({ status, message: sentence } = error);
      for (const [name, value] of error.headers) headers.append(name, value);
    } else if (error instanceof NamedError) {
      status = rtspStatus(error.status);
      sentence = error.message;
    } else {
      this.#app.fault(error);
    }
    headers.append('Content-Type', 'text/plain; charset=utf-8');
    this.#send(serializeResponse(status, headers, Buffer.from(`${sentence}\r\n`), sentence));
  }

  #baseHeaders(request: RtspRequest | undefined): RtspHeaders {
    return RtspHeaders.from([
      ['CSeq', request?.headers.get('cseq')],
      ['Server', 'Sluice'],
      ['Session', this.#hasSession ? formatSession(this.#id, this.#timeoutMs) : undefined],
    ]);
  }

  get #hasSession(): boolean {
    return this.#state !== 'INIT';
  }

  #dispatch(request: RtspRequest): Answer | Promise<Answer> {
    const { method } = request;
    if (!request.version.startsWith('RTSP/1.')) {
      throw new Refusal(
        request.version === '' ? 400 : 505,
        `This is an RTSP/1.0 server; it cannot answer a request in ${request.version || 'no stated version'}.`,
      );
    }
    if (!/^\d{1,10}$/.test(request.headers.get('cseq') ?? '')) {
      throw new Refusal(400, 'The request has no CSeq header with a number.');
    }
    const required = request.headers.getAll('require').join(', ');
    if (required !== '') {
      throw new Refusal(551, `The server does not know the option "${required}".`, [
        ['Unsupported', required],
      ]);
    }
    if (!isKnownMethod(method))
      throw new Refusal(501, `The method "${method}" is not known.`, this.#publicHeader());
    const address = parseRtspAddress(request.uri);
    if (!address) throw new Refusal(400, `"${request.uri}" is not an RTSP address.`);
    this.#checkSession(request);
    const allowed = allowedMethods(this.#state, this.#direction);
    if (!allowed.includes(method)) {
      throw new Refusal(455, `${method} is not possible in the state ${this.#state}.`, [
        ['Allow', allowed.join(', ')],
      ]);
    }
    switch (method) {
      case 'DESCRIBE':
        return this.#describe(request, address);
      case 'ANNOUNCE':
        return this.#announce(request, address);
      case 'SETUP':
        return this.#setup(request, address);
      case 'PLAY':
        return this.#play();
      case 'PAUSE':
        return this.#pause();
      case 'RECORD':
        return this.#record();
      case 'TEARDOWN':
        return this.#teardown();
      case 'SET_PARAMETER':
        if (request.body.length > 0) throw new Refusal(451, 'The server has no parameters that can be set.');
        return {};
      case 'REDIRECT':
        throw new Refusal(405, 'REDIRECT is a request that only servers send.', [
          ['Allow', allowed.join(', ')],
        ]);
      default:
        return { headers: this.#publicHeader() };
    }
  }

  #publicHeader(): (readonly [string, string])[] {
    return [['Public', PUBLIC_METHODS.join(', ')]];
  }

  #checkSession(request: RtspRequest): void {
    const given = request.headers.get('session');
    if (given === undefined) return;
    if (!this.#hasSession || parseSessionId(given) !== this.#id) {
      throw new Refusal(454, 'There is no session with this identifier on this connection.');
    }
  }

  async #describe(request: RtspRequest, address: RtspAddress): Promise<Answer> {
    const accept = request.headers.get('accept');
    if (accept !== undefined && !/application\/(sdp|\*)|\*\/\*/i.test(accept)) {
      throw new Refusal(406, 'Streams are described as application/sdp only.');
    }
    const { sdp, name } = await this.#app.describe(address);
    if (this.#state === 'INIT') this.#name = name;
    this.#origin = address.origin;
    return {
      headers: [
        ['Content-Base', contentBase(address, name)],
        ['Content-Type', 'application/sdp'],
        ['Cache-Control', 'no-cache'],
      ],
      body: Buffer.from(sdp),
    };
  }

  #announce(request: RtspRequest, address: RtspAddress): Answer {
    const type = request.headers.get('content-type');
    if (type !== undefined && !/^application\/sdp/i.test(type)) {
      throw new Refusal(415, `A stream must be announced as application/sdp, not as ${type}.`);
    }
    this.#app.announce(address.path, request.body.toString('utf8'));
    this.#direction = 'record';
    this.#name = address.path;
    this.#origin = address.origin;
    return {};
  }

  async #setup(request: RtspRequest, address: RtspAddress): Promise<Answer> {
    const option = chooseTransport(request.headers.get('transport'), this.#transports);
    if (this.#direction === undefined && option.mode === 'record') {
      throw new Refusal(455, 'A stream is published by ANNOUNCE first, then SETUP and RECORD.', [
        ['Allow', allowedMethods('INIT', undefined).join(', ')],
      ]);
    }
    const { name, track } = splitTrack(address.path, this.#name);
    if (this.#state !== 'INIT' && name !== this.#name) {
      throw new Refusal(
        400,
        `This session belongs to the stream "${this.#name}"; open another connection for "${name}".`,
      );
    }
    const direction = this.#direction ?? 'play';
    // A reader that sets a track up again, because nothing came over UDP, gives its former channels back. Tracks of a
    // publisher may have no names.
    const others = this.#channels.filter((other) => direction === 'record' || other.track !== track);
    const pair = chooseChannels(option, others);
    const clientPorts = option.lower === 'UDP' ? option.clientPorts : undefined;
    const setup = { name, track, channels: pair, ...(clientPorts && { clientPorts }) };
    const answer = await (direction === 'play' ? this.#app.setupPlay(setup) : this.#app.setupRecord(setup));
    this.#channels = [...others, { track, pair }];
    this.#direction = direction;
    this.#name = name;
    if (address.origin) this.#origin = address.origin;
    this.#state = 'READY';
    const { profile } = option;
    const { udp: serverPorts } = this.#transports;
    const transport =
      clientPorts && serverPorts
        ? formatUdpTransport({ profile, clientPorts, serverPorts, mode: direction, ssrc: answer?.ssrc })
        : formatInterleavedTransport(pair, direction);
    return {
      headers: [
        ['Transport', transport],
        ['Session', formatSession(this.#id, this.#timeoutMs)],
      ],
    };
  }

  #play(): Answer {
    // PLAY while it plays is a keep-alive of some players.
    if (this.#state === 'PLAYING') return {};
    const { info, start } = this.#app.play();
    const base = `${this.#origin}/${this.#name ?? ''}/`;
    return {
      headers: [
        ['Range', 'npt=0.000-'],
        ['RTP-Info', formatRtpInfo(info.map(({ track, ...rest }) => ({ url: base + track, ...rest })))],
      ],
      after: () => {
        this.#state = 'PLAYING';
        start();
      },
    };
  }

  #pause(): Answer {
    if (this.#state === 'PLAYING') this.#app.pause();
    this.#state = 'READY';
    return {};
  }

  #record(): Answer {
    if (this.#state === 'RECORDING') return {};
    this.#app.record();
    this.#state = 'RECORDING';
    return {};
  }

  #teardown(): Answer {
    return { after: () => this.#release('The client left (TEARDOWN).') };
  }
}

/** The channels that were asked for, or the next free pair where none were, or where they are taken already. */
function chooseChannels(
  option: TransportOption,
  others: readonly { readonly pair: ChannelPair }[],
): ChannelPair {
  const isTaken = (channel: number) => others.some(({ pair }) => pair.includes(channel));
  const asked = option.lower === 'TCP' ? option.interleaved : undefined;
  if (asked && !asked.some(isTaken)) return asked;
  for (let channel = 0; channel < 255; channel += 2) {
    if (!isTaken(channel) && !isTaken(channel + 1)) return [channel, channel + 1];
  }
  throw new Refusal(400, 'There is no free pair of interleaved channels left.');
}
