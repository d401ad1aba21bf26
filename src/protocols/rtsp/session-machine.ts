import { contentBase, type RtspAddress, splitTrack } from './address.ts';
import type { RtspApplication } from './application.ts';
import { formatRtpInfo, formatSession, parseSessionId } from './headers.ts';
import type { InterleavedFrame, RtspRequest } from './message.ts';
import { Refusal } from './refusal.ts';
import type { Answer } from './response.ts';
import { allowedMethods, PUBLIC_HEADER, type RtspState } from './states.ts';
import { TrackTransports } from './track-transports.ts';
import type { ServerTransports } from './transport-choice.ts';

export interface SessionMachineOptions {
  readonly application: RtspApplication;
  /** Identifier given to the client. */
  readonly id: string;
  readonly timeoutMs: number;
  readonly transports: ServerTransports;
}

/**
 * What the requests of a session mean (RFC 2326 appendix A.2): which of them are possible now, what the application is
 * asked, what is answered, and where that leads. Takes one request at a time.
 */
export class SessionMachine {
  readonly #app: RtspApplication;
  readonly #id: string;
  readonly #timeoutMs: number;
  readonly #tracks: TrackTransports;
  #state: RtspState = 'INIT';
  #direction: 'play' | 'record' | undefined;
  /** Name of the stream, once a DESCRIBE, ANNOUNCE or SETUP named it. */
  #name: string | undefined;
  #origin = '';

  constructor({ application, id, timeoutMs, transports }: SessionMachineOptions) {
    this.#app = application;
    this.#id = id;
    this.#timeoutMs = timeoutMs;
    this.#tracks = new TrackTransports(transports);
  }

  /** The client has announced a stream of its own. */
  get publishes(): boolean {
    return this.#direction === 'record';
  }

  get state(): RtspState {
    return this.#state;
  }

  /** The Session header of every response; undefined while there is no session. */
  get sessionHeader(): string | undefined {
    return this.#state === 'INIT' ? undefined : formatSession(this.#id, this.#timeoutMs);
  }

  /** Media of the other side. */
  interleaved({ channel, payload }: InterleavedFrame): void {
    if (this.#state !== 'INIT') this.#app.interleaved(channel, payload);
  }

  /** The session is over; another one may begin. Idempotent. */
  release(reason: string): void {
    if (this.#direction !== undefined || this.#state !== 'INIT') this.#app.released(reason);
    this.#state = 'INIT';
    this.#direction = undefined;
    this.#name = undefined;
    this.#tracks.clear();
  }

  /**
   * Does what a request asks for, at the address that it names.
   * @throws Refusal, and what the application throws
   */
  answer(request: RtspRequest, address: RtspAddress): Answer | Promise<Answer> {
    const { method } = request;
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
        return { headers: [PUBLIC_HEADER] };
    }
  }

  #checkSession(request: RtspRequest): void {
    const given = request.headers.get('session');
    if (given === undefined) return;
    if (this.#state === 'INIT' || parseSessionId(given) !== this.#id) {
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
    const option = this.#tracks.choose(request.headers.get('transport'), this.#direction === 'record');
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
    const plan = this.#tracks.plan(option, track, direction);
    const { channels, clientPorts, multicast } = plan;
    const setup = {
      ...{ name, track, channels },
      ...(clientPorts && { clientPorts }),
      ...(multicast && { multicast }),
    };
    const answer = await (direction === 'play' ? this.#app.setupPlay(setup) : this.#app.setupRecord(setup));
    const transport = this.#tracks.keep(plan, answer);
    this.#direction = direction;
    this.#name = name;
    if (address.origin) this.#origin = address.origin;
    this.#state = 'READY';
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
        // Who joins a group begins in the midst, where no number is known beforehand.
        ...(info.length > 0
          ? [
              [
                'RTP-Info',
                formatRtpInfo(info.map(({ track, ...rest }) => ({ url: base + track, ...rest }))),
              ] as const,
            ]
          : []),
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
    return { after: () => this.release('The client left (TEARDOWN).') };
  }
}
