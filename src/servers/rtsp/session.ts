import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import type { Access } from '#hub/access.ts';
import type { Hub } from '#hub/hub.ts';
import type { RtspAddress } from '#protocols/rtsp/address.ts';
import type {
  AdmissionRequest,
  DescribeAnswer,
  PlayAnswer,
  RtspApplication,
  SetupAnswer,
  SetupRequest,
} from '#protocols/rtsp/application.ts';
import { TUNNEL_ANSWER, TunnelGreeting, tunnelRefusal } from '#protocols/rtsp/http-tunnel.ts';
import { RtspServerSession } from '#protocols/rtsp/server-session.ts';
import type { Clock } from '#util/clock.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { Admission } from './admission.ts';
import { describeStream, findStream, RtspReading } from './from-stream.ts';
import type { HttpTunnels } from './http-tunnels.ts';
import type { RtspLog } from './log.ts';
import { MediaPaths } from './media-paths.ts';
import type { Multicast } from './multicast.ts';
import { RtspPublishing } from './to-stream.ts';
import { plainAddress, type UdpPorts } from './udp-ports.ts';

/** How long a connection that is being closed may take to hand over what was sent before. */
const LINGER_MS = 1000;

export interface RtspConnectionOptions {
  readonly socket: Socket;
  readonly id: string;
  readonly hub: Hub;
  readonly access: Access;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly log: RtspLog;
  readonly sequences: RtpSequences;
  readonly tunnels: HttpTunnels;
  /** Media may travel in the connection. */
  readonly tcp: boolean;
  /** Media may travel over UDP, through these ports. */
  readonly udp: UdpPorts | undefined;
  /** Streams may be sent to groups. */
  readonly multicast: Multicast | undefined;
  /** How long a publisher's packets over UDP wait for others, in ms. */
  readonly reorderMs: number;
  readonly onClose: () => void;
}

/** One TCP connection: its socket, the RTSP session on it, and what the session does, publishing or reading. */
export class RtspConnection implements RtspApplication {
  readonly #options: RtspConnectionOptions;
  readonly #socket: Socket;
  readonly #session: RtspServerSession;
  readonly #remote: string;
  readonly #admission: Admission;
  #publishing: RtspPublishing | undefined;
  #reading: RtspReading | undefined;
  #paths: MediaPaths | undefined;
  /** Ends what waits for a stream when the connection is gone. */
  readonly #gone = new AbortController();
  #cancelLinger: (() => void) | undefined;
  #drained: () => void = () => {};
  /** Until it is known what the connection is. */
  #greeting: TunnelGreeting | undefined = new TunnelGreeting();
  /** Of the tunnel through HTTP whose GET this connection is; what the client says comes by the POST then. */
  #cookie: string | undefined;
  /** Why publishing was refused last. */
  #refusal: string | undefined;

  constructor(options: RtspConnectionOptions) {
    const { socket, clock, timeoutMs, tcp, udp, multicast } = options;
    this.#options = options;
    this.#socket = socket;
    this.#remote = `${plainAddress(socket.remoteAddress ?? '')}:${socket.remotePort ?? 0}`;
    this.#admission = new Admission({
      access: options.access,
      remote: plainAddress(socket.remoteAddress ?? ''),
      onRevoked: (reason) => this.close(reason),
    });
    this.#session = new RtspServerSession({
      application: this,
      clock,
      timeoutMs,
      transports: { tcp, udp: udp?.ports, multicast: multicast !== undefined },
      id: randomBytes(8).toString('hex'),
      send: (bytes) => this.#write(bytes),
    });
    let why = 'The connection was closed by the client.';
    socket.on('data', (bytes: Buffer) => this.#greet(bytes));
    socket.on('drain', () => this.#drained());
    socket.on('error', (error) => {
      why = `The connection broke: ${error.message}.`;
    });
    socket.on('close', () => {
      this.#cancelLinger?.();
      if (this.#cookie !== undefined) options.tunnels.leave(this.#cookie);
      this.#gone.abort();
      this.#admission.close();
      this.#session.close(why);
      this.#paths?.close();
      options.onClose();
    });
    options.log.debug(`RTSP ${options.id}: connection from ${this.#remote}`);
  }

  /** The UDP ports that the session may use. */
  get udp(): UdpPorts | undefined {
    return this.#options.udp;
  }

  /** Ends the session and the connection. Idempotent. */
  close(reason: string): void {
    this.#session.close(reason);
    this.disconnect(reason);
  }

  #greet(bytes: Buffer): void {
    if (this.#cookie !== undefined) return;
    if (!this.#greeting) return this.#session.receive(bytes);
    const heard = this.#greeting.push(bytes);
    if (heard.kind === 'more') return;
    this.#greeting = undefined;
    if (heard.kind === 'rtsp') this.#session.receive(heard.bytes);
    else if (heard.kind === 'get') this.#openTunnel(heard.cookie);
    else this.#becomePost(heard.cookie, heard.body);
  }

  #openTunnel(cookie: string): void {
    const opened = this.#options.tunnels.open(cookie, {
      address: plainAddress(this.#socket.remoteAddress ?? ''),
      receive: (bytes) => this.#session.receive(bytes),
      close: (reason) => this.close(reason),
    });
    if (opened) {
      this.#cookie = cookie;
      this.#write(TUNNEL_ANSWER);
      return;
    }
    this.#write(tunnelRefusal('409 Conflict'));
    this.close('The session cookie of the tunnel belongs to another one.');
  }

  /** The connection is the other half of a tunnel, and no session of its own. */
  #becomePost(cookie: string, body: Buffer): void {
    const { tunnels, onClose } = this.#options;
    for (const event of ['data', 'drain', 'error', 'close']) this.#socket.removeAllListeners(event);
    this.#session.close('It is a half of a tunnel.');
    onClose();
    tunnels.post(cookie, this.#socket, body);
  }

  admit(request: AdmissionRequest): Promise<void> | undefined {
    return this.#admission.ask(request);
  }

  async describe(address: RtspAddress): Promise<DescribeAnswer> {
    this.#admission.mustCover('read', address.path);
    const stream = await findStream(this.#options.hub, address.path, this.#gone.signal);
    return describeStream(stream, { clock: this.#options.clock, address: this.#socket.localAddress });
  }

  announce(name: string, sdp: string): void {
    this.#admission.mustCover('publish', name);
    const { clock, reorderMs } = this.#options;
    const send = (channel: number, packet: Buffer) => this.#paths?.send(channel, packet);
    this.#publishing = this.#orSay(name, () => new RtspPublishing(name, sdp, clock, { reorderMs, send }));
    for (const sentence of this.#publishing.ignored) {
      this.#options.log.warn(
        `RTSP ${this.#options.id}: a track of "${this.#publishing.name}" is left out. ${sentence}`,
      );
    }
  }

  async setupPlay(setup: SetupRequest): Promise<SetupAnswer> {
    this.#admission.mustCover('read', setup.name);
    const { hub, sequences, clock, id, multicast } = this.#options;
    const reading =
      this.#reading ??
      new RtspReading({
        stream: await findStream(hub, setup.name, this.#gone.signal),
        hub,
        sequences,
        clock,
        id,
        remote: this.#remote,
        transport: this.#mediaPaths(),
        multicast,
        onEnd: (reason) => this.close(reason),
      });
    // What is taken from here on is given back when the connection closes, so it must not have.
    this.#gone.signal.throwIfAborted();
    const answer = reading.setup(setup);
    this.#reading = reading;
    if (!setup.multicast) this.#mediaPaths().lead(setup.channels, setup.clientPorts);
    return answer;
  }

  setupRecord(setup: SetupRequest): undefined {
    this.#orSay(setup.name, () => this.#publishing?.setup(setup));
    this.#mediaPaths().lead(setup.channels, setup.clientPorts);
  }

  play(): PlayAnswer {
    const reading = this.#reading;
    if (!reading) throw new Error('PLAY without anything to read.');
    const { info, start } = reading.play();
    return {
      info,
      start: () => {
        this.#options.log.info(`RTSP ${this.#options.id}: ${this.#remote} reads "${reading.stream.name}"`);
        start();
      },
    };
  }

  pause(): void {
    this.#reading?.pause();
    this.#publishing?.pause();
  }

  record(): void {
    const publishing = this.#publishing;
    if (!publishing) throw new Error('RECORD without anything announced.');
    const { hub, id, log } = this.#options;
    this.#orSay(publishing.name, () =>
      publishing.record(hub, { id, door: 'rtsp', remote: this.#remote }, (reason) => this.close(reason)),
    );
    log.info(`RTSP ${id}: ${this.#remote} publishes "${publishing.name}"`);
  }

  interleaved(channel: number, payload: Buffer): void {
    this.#publishing?.receive(channel, payload);
    this.#reading?.receive(channel, payload);
  }

  progress(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  released(reason: string): void {
    const { log, id } = this.#options;
    const reading = this.#reading;
    const publishing = this.#publishing;
    this.#reading = undefined;
    this.#publishing = undefined;
    this.#paths?.close();
    this.#paths = undefined;
    if (publishing?.published) log.info(`RTSP ${id}: no longer publishes "${publishing.name}". ${reason}`);
    if (reading) log.info(`RTSP ${id}: no longer reads "${reading.stream.name}". ${reason}`);
    publishing?.close(reason);
    reading?.close(reason);
  }

  disconnect(reason: string): void {
    if (this.#cancelLinger || this.#socket.destroyed) return;
    this.#options.log.debug(`RTSP ${this.#options.id}: closed. ${reason}`);
    this.#cancelLinger = this.#options.clock.after(LINGER_MS, () => this.#socket.destroy());
    this.#socket.end();
  }

  fault(error: unknown): void {
    this.#options.log.warn(
      `RTSP ${this.#options.id}: ${error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error)}`,
    );
  }

  /**
   * Takes a step of publishing. Where it is refused, the log says why, once: most publishers show their users a status
   * and keep the sentence to themselves.
   */
  #orSay<T>(name: string, step: () => T): T {
    try {
      return step();
    } catch (error) {
      const { log, id } = this.#options;
      if (error instanceof NamedError && error.message !== this.#refusal) {
        this.#refusal = error.message;
        const line = `RTSP ${id}: ${this.#remote} may not publish "${name.slice(0, 255)}". ${error.message}`;
        // Names and codecs come from outside.
        log.warn(line.replace(/\p{Cc}+/gu, ' '));
      }
      throw error;
    }
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  #mediaPaths(): MediaPaths {
    const socket = this.#socket;
    const { udp, clock } = this.#options;
    this.#paths ??= new MediaPaths({
      connection: {
        write: (bytes) => this.#write(bytes),
        get backlog() {
          return socket.writableLength;
        },
        onDrain: (callback) => {
          this.#drained = callback;
        },
      },
      udp,
      clock,
      address: plainAddress(socket.remoteAddress ?? ''),
      receive: (channel, bytes) => {
        this.#session.touch();
        this.interleaved(channel, bytes);
      },
    });
    return this.#paths;
  }
}
