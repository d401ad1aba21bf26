import { createHash } from 'node:crypto';
import { type RtspRequest, serializeInterleaved } from '../../../src/protocols/rtsp/message.ts';
import { RtspParser } from '../../../src/protocols/rtsp/parser.ts';
import { parseTransport } from '../../../src/protocols/rtsp/transport.ts';
import { FaultCamera } from './camera.ts';
import type { FaultCameraOptions, ServerFaults, ServerMethod } from './options.ts';
import { Playout } from './playout.ts';
import type { CameraConnectionHandlers, PortPair } from './publisher-core.ts';

const REALM = 'Camera';

/**
 * One connection to a faulty camera that serves (OPTIONS, DESCRIBE, SETUP, PLAY …), without sockets: requests come in by
 * `receive`, time by `advance`, everything goes out by the handlers. Its time 0 is the PLAY.
 */
export class FaultServerCore {
  readonly camera: FaultCamera;
  /** Methods that came, in order. */
  readonly requests: string[] = [];
  /** The client's UDP ports by track, where it asked for UDP. */
  readonly peerPorts: (PortPair | undefined)[] = [];
  readonly #faults: ServerFaults;
  readonly #handlers: CameraConnectionHandlers;
  readonly #ownPorts: readonly PortPair[];
  readonly #parser = new RtspParser();
  readonly #playout: Playout;
  readonly #channels: (PortPair | undefined)[] = [];
  #silent = false;
  #authorised = 0;
  #nonce = 1;
  #frames = 0;

  /** @param ownPorts our UDP ports by track; without them UDP is refused (461) */
  constructor(
    options: FaultCameraOptions,
    handlers: CameraConnectionHandlers,
    ownPorts: readonly PortPair[] = [],
  ) {
    this.camera = new FaultCamera(options);
    this.#faults = options.server ?? {};
    this.#handlers = handlers;
    this.#ownPorts = ownPorts;
    this.#playout = new Playout(this.camera, {
      packet: (...packet) => this.#packet(...packet),
      die: () => handlers.reset(),
      end: () => this.#goodbye(),
    });
  }

  get playing(): boolean {
    return this.#playout.running;
  }

  /** A client connected. */
  start(): void {
    if (this.#faults.resetAt === 'connect') this.#handlers.reset();
    if (this.#faults.hangAt === 'connect') this.#silent = true;
  }

  receive(bytes: Buffer): void {
    this.#parser.push(bytes);
    for (let message = this.#parser.next(); message; message = this.#parser.next()) {
      if (message.kind === 'request') this.#asked(message);
    }
  }

  /** Sends what is due at `ms` of the camera's time; gives when the next packet is due, undefined when nothing is. */
  advance(ms: number): number | undefined {
    return this.#playout.advance(ms);
  }

  #goodbye(): void {
    for (const [track, bye] of this.camera.goodbyes().entries()) this.#packet(track, 'rtcp', bye);
    this.#handlers.end();
  }

  #packet(track: number, kind: 'rtp' | 'rtcp', bytes: Buffer): void {
    if (this.peerPorts[track]) return this.#handlers.sendPacket(track, kind, bytes);
    const channel = this.#channels[track]?.[kind === 'rtp' ? 0 : 1];
    if (channel === undefined) return;
    const every = this.#faults.junkEvery;
    if (every !== undefined && ++this.#frames % every === 0)
      this.#handlers.send(Buffer.from([0, 0xff, 0x80, 0x0d, 0x0a, 0x01, 0xfe]));
    this.#handlers.send(serializeInterleaved(channel, bytes));
  }

  #asked(request: RtspRequest): void {
    this.requests.push(request.method);
    const method = request.method as ServerMethod;
    const { hangAt, resetAt, refuse } = this.#faults;
    if (resetAt === method) return this.#handlers.reset();
    if (hangAt === method) this.#silent = true;
    if (this.#silent) return;
    const challenge = method === 'OPTIONS' ? undefined : this.#challenge(request);
    if (challenge) return this.#answer(request, 401, [['WWW-Authenticate', challenge]]);
    const status = refuse?.[method];
    if (status !== undefined) return this.#answer(request, status);
    switch (method) {
      case 'OPTIONS':
        return this.#answer(request, 200, [
          ['Public', 'OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER'],
        ]);
      case 'DESCRIBE':
        return this.#answer(
          request,
          200,
          [
            ['Content-Type', 'application/sdp'],
            ['Content-Base', `${request.uri}/`],
          ],
          this.#sdp(),
        );
      case 'SETUP':
        return this.#setup(request);
      case 'PLAY':
        this.#answer(request, 200, [['Range', 'npt=now-']]);
        this.#playout.running = true;
        return;
      case 'TEARDOWN':
        this.#playout.running = false;
        this.#answer(request, 200);
        return this.#handlers.end();
      case 'GET_PARAMETER':
        return this.#answer(request, 200);
      default:
        return this.#answer(request, 501);
    }
  }

  #setup(request: RtspRequest): void {
    const id = Number(/trackID=(\d+)/.exec(request.uri)?.[1] ?? 0);
    const track = this.camera.tracks.findIndex((one) => one.id === id);
    const header = request.headers.get('transport') ?? '';
    const option = parseTransport(header)[0];
    if (track < 0 || !option) return this.#answer(request, track < 0 ? 404 : 461);
    if (option.lower === 'TCP') {
      const channels = option.interleaved ?? [2 * track, 2 * track + 1];
      this.#channels[track] = channels;
      const transport = `RTP/AVP/TCP;unicast;interleaved=${channels[0]}-${channels[1]}`;
      return this.#answer(request, 200, [['Transport', transport]]);
    }
    const own = this.#ownPorts[track];
    const client = /client_port=(\d+)-(\d+)/.exec(header);
    if (!own || !client) return this.#answer(request, 461);
    this.peerPorts[track] = [Number(client[1]), Number(client[2])];
    const ports = `client_port=${client[1]}-${client[2]};server_port=${own[0]}-${own[1]}`;
    this.#answer(request, 200, [['Transport', `RTP/AVP;unicast;${ports}`]]);
  }

  /** The challenge for a request that is not authorised. */
  #challenge(request: RtspRequest): string | undefined {
    const { auth } = this.#faults;
    if (!auth) return undefined;
    const answer = request.headers.get('authorization') ?? '';
    if (auth.scheme === 'basic') {
      const wanted = `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}`;
      return answer === wanted ? undefined : `Basic realm="${REALM}"`;
    }
    const algorithm = auth.scheme === 'digest-md5' ? 'MD5' : 'SHA-256';
    const challenge = `Digest realm="${REALM}", nonce="${this.#nonceText()}", algorithm=${algorithm}, qop="auth"`;
    if (!this.#isDigest(answer, request.method, algorithm === 'MD5' ? 'md5' : 'sha256')) return challenge;
    if (!answer.includes(`nonce="${this.#nonceText()}"`)) return `${challenge}, stale=true`;
    if (auth.staleAfter === undefined || ++this.#authorised <= auth.staleAfter) return undefined;
    this.#authorised = 0;
    this.#nonce++;
    return this.#challenge(request);
  }

  #nonceText(): string {
    return `nonce-${this.#nonce}`;
  }

  #isDigest(answer: string, method: string, algorithm: string): boolean {
    const { user = '', password = '' } = this.#faults.auth ?? {};
    const field = (name: string) => new RegExp(`[ ,]${name}="?([^",]*)"?`).exec(answer)?.[1] ?? '';
    const hash = (text: string) => createHash(algorithm).update(text).digest('hex');
    const secret = hash(`${user}:${REALM}:${password}`);
    const target = hash(`${method}:${field('uri')}`);
    const middle = field('qop') ? `:${field('nc')}:${field('cnonce')}:${field('qop')}` : '';
    return field('response') === hash(`${secret}:${field('nonce')}${middle}:${target}`);
  }

  #sdp(): string {
    const { sdp } = this.camera;
    const fault = this.#faults.sdp;
    if (typeof fault === 'function') return fault(sdp);
    switch (fault) {
      case 'empty':
        return '';
      case 'no-media':
        return sdp.slice(0, sdp.indexOf('m='));
      case 'garbage':
        return '\u0000\u0001<html>m=video\r\na=rtpmap\r\nm=\r\na=fmtp:96 sprop-parameter-sets=,,,===\r\n';
      case 'cut':
        return sdp.slice(0, sdp.indexOf('a=rtpmap') + 12);
      case 'huge':
        return sdp + 'a=x-junk:'.padEnd(1000, 'x').concat('\r\n').repeat(200);
      default:
        return sdp;
    }
  }

  #answer(request: RtspRequest, status: number, headers: readonly [string, string][] = [], body = ''): void {
    const { cseq, contentLength } = this.#faults;
    const own = request.headers.get('cseq') ?? '0';
    const lines = [`RTSP/1.0 ${status} ${status === 200 ? 'OK' : 'Refused'}`];
    if (cseq !== 'missing') lines.push(`CSeq: ${cseq === 'wrong' ? Number(own) + 1000 : own}`);
    lines.push('Session: 12345678;timeout=60');
    for (const [name, value] of headers) lines.push(`${name}: ${value}`);
    const size = Buffer.byteLength(body);
    const lengths = {
      missing: undefined,
      'too-short': Math.floor(size / 2),
      'too-long': size + 100,
      negative: -size,
      words: 'some',
      right: size,
    };
    const length = size > 0 ? lengths[contentLength ?? 'right'] : undefined;
    if (length !== undefined) lines.push(`Content-Length: ${length}`);
    this.#handlers.send(Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`));
  }
}
