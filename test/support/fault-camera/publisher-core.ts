import { RtspHeaders } from '../../../src/protocols/rtsp/headers.ts';
import {
  type RtspResponse,
  serializeInterleaved,
  serializeRequest,
} from '../../../src/protocols/rtsp/message.ts';
import { RtspParser } from '../../../src/protocols/rtsp/parser.ts';
import { FaultCamera } from './camera.ts';
import type { FaultCameraOptions } from './options.ts';
import { Playout } from './playout.ts';

/** What a camera's connection does; `reset` and `end` are the last. */
export interface CameraConnectionHandlers {
  send(bytes: Buffer): void;
  /** A packet beside the connection, where UDP was asked for. */
  sendPacket(track: number, kind: 'rtp' | 'rtcp', bytes: Buffer): void;
  /** Breaks the connection without a goodbye. */
  reset(): void;
  /** Closes it after what was sent. */
  end(): void;
}

/** UDP ports of one track, RTP and RTCP. */
export type PortPair = readonly [number, number];

export interface PublisherCoreOptions {
  /** `rtsp://host:port/name` */
  readonly url: string;
  readonly camera: FaultCameraOptions;
  /** Our UDP ports by track; without them the media travel in the connection. */
  readonly ports?: readonly PortPair[];
}

/**
 * A camera that publishes (ANNOUNCE, SETUP, RECORD), without sockets: answers come in by `receive`, time by `advance`,
 * everything goes out by the handlers. Its time 0 is the answer to RECORD.
 */
export class FaultPublisherCore {
  readonly camera: FaultCamera;
  readonly #options: PublisherCoreOptions;
  readonly #handlers: CameraConnectionHandlers;
  readonly #parser = new RtspParser();
  readonly #playout: Playout;
  #step: { method: string; track: number } = { method: 'ANNOUNCE', track: 0 };
  #cseq = 0;
  #session = '';
  #refused: { method: string; status: number } | undefined;
  /** Server's UDP ports by track. */
  readonly peerPorts: (PortPair | undefined)[] = [];

  constructor(options: PublisherCoreOptions, handlers: CameraConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.camera = new FaultCamera(options.camera);
    this.#playout = new Playout(this.camera, {
      packet: (...packet) => this.#packet(...packet),
      die: () => handlers.reset(),
      end: () => this.#goodbye(),
    });
  }

  get recording(): boolean {
    return this.#playout.running;
  }

  /** The request that was refused, if one was. */
  get refused(): { readonly method: string; readonly status: number } | undefined {
    return this.#refused;
  }

  /** The connection stands. */
  start(): void {
    this.#ask('ANNOUNCE', this.#options.url, [['Content-Type', 'application/sdp']], this.camera.sdp);
  }

  receive(bytes: Buffer): void {
    this.#parser.push(bytes);
    for (let message = this.#parser.next(); message; message = this.#parser.next()) {
      if (message.kind === 'response') this.#answered(message);
    }
  }

  /** Sends what is due at `ms` of the camera's time; gives when the next packet is due, undefined when nothing is. */
  advance(ms: number): number | undefined {
    return this.#playout.advance(ms);
  }

  #packet(track: number, kind: 'rtp' | 'rtcp', bytes: Buffer): void {
    if (this.#options.ports) this.#handlers.sendPacket(track, kind, bytes);
    else this.#handlers.send(serializeInterleaved(2 * track + (kind === 'rtp' ? 0 : 1), bytes));
  }

  #goodbye(): void {
    for (const [track, bytes] of this.camera.goodbyes().entries()) this.#packet(track, 'rtcp', bytes);
    this.#ask('TEARDOWN', this.#options.url);
    this.#handlers.end();
  }

  #answered(response: RtspResponse): void {
    const { method, track } = this.#step;
    if (this.#playout.running || this.#refused || method === 'TEARDOWN') return;
    if (response.status !== 200) {
      this.#refused = { method, status: response.status };
      this.#handlers.end();
      return;
    }
    this.#session = (response.headers.get('session') ?? this.#session).split(';')[0] ?? '';
    if (method === 'SETUP') this.peerPorts[track] = serverPorts(response.headers.get('transport') ?? '');
    if (method === 'RECORD') {
      this.#playout.running = true;
      return;
    }
    const next = method === 'ANNOUNCE' ? 0 : track + 1;
    if (next < this.camera.tracks.length) this.#setup(next);
    else this.#ask('RECORD', this.#options.url);
  }

  #setup(track: number): void {
    const ports = this.#options.ports?.[track];
    const transport = ports
      ? `RTP/AVP;unicast;client_port=${ports[0]}-${ports[1]};mode=record`
      : `RTP/AVP/TCP;unicast;interleaved=${2 * track}-${2 * track + 1};mode=record`;
    const id = this.camera.tracks[track]?.id ?? track;
    this.#ask('SETUP', `${this.#options.url}/trackID=${id}`, [['Transport', transport]], '', track);
  }

  #ask(method: string, uri: string, headers: [string, string][] = [], body = '', track = 0): void {
    this.#step = { method, track };
    const all = RtspHeaders.from([
      ['CSeq', String(++this.#cseq)],
      ['Session', this.#session || undefined],
      ...headers,
    ]);
    this.#handlers.send(serializeRequest(method, uri, all, Buffer.from(body)));
  }
}

/** `server_port=5000-5001` of a Transport header. */
function serverPorts(transport: string): PortPair | undefined {
  const match = /server_port=(\d+)(?:-(\d+))?/i.exec(transport);
  if (!match) return undefined;
  const rtp = Number(match[1]);
  return [rtp, match[2] === undefined ? rtp + 1 : Number(match[2])];
}
