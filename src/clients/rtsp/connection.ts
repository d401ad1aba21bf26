import { RtspClient, type RtspClientHandlers, type RtspPlayPlan } from '#protocols/rtsp/client.ts';
import { splitCredentials } from '#protocols/rtsp/credentials.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { innerPlace } from '#util/inner-address.ts';
import { maskAddress } from '#util/mask-address.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import { ClientSocket } from '../client-socket.ts';
import { parseTarget, RTSP_CODES } from './target.ts';
import { UdpTracks } from './udp-tracks.ts';

export type RtspConnectionHandlers = Omit<RtspClientHandlers, 'send' | 'redirected' | 'udp' | 'sendDatagram'>;

export interface RtspConnectionOptions {
  readonly clock?: Clock;
  /** How long the first packet may take, ms; as long as every other where nothing is said. */
  readonly firstMediaMs?: number | undefined;
  /** Of an `rtsps://` server; by default its certificate has to be trusted by the system. */
  readonly trust?: ServerTrust | undefined;
  /** Wherever it leads, also by a redirect: not to this machine, its cable or its cloud. */
  readonly guarded?: boolean | undefined;
}

/**
 * A client's connection to an RTSP server: the socket, its time limit, and one redirect. Ends by `failed`, or by
 * `close`.
 */
export class RtspConnection {
  readonly #handlers: RtspConnectionHandlers;
  readonly #clock: Clock;
  readonly #firstMediaMs: number | undefined;
  readonly #trust: ServerTrust;
  readonly #guarded: boolean;
  #client: RtspClient;
  #socket: ClientSocket | undefined;
  #udp: UdpTracks | undefined;
  #over = false;

  /** @throws NamedError RTSP_ADDRESS_INVALID, SOURCE_FORBIDDEN */
  constructor(url: string, handlers: RtspConnectionHandlers, options: RtspConnectionOptions = {}) {
    this.#handlers = handlers;
    this.#clock = options.clock ?? systemClock;
    this.#firstMediaMs = options.firstMediaMs;
    this.#trust = options.trust ?? {};
    this.#guarded = options.guarded ?? false;
    this.#client = this.#open(url, (location, from) => this.#redirect(url, location, from));
  }

  /** The address that is talked to, without credentials. */
  get url(): string {
    return this.#client.url;
  }

  /** Plays, with the media inside the connection, or over UDP. */
  play(plan: Omit<RtspPlayPlan, 'ports'>, transport: 'tcp' | 'udp'): void {
    if (transport === 'tcp') this.#client.play(plan);
    else void this.#playOverUdp(plan);
  }

  async #playOverUdp(plan: Omit<RtspPlayPlan, 'ports'>): Promise<void> {
    const client = this.#client;
    const { localAddress: local = '', remoteAddress: server = '' } = this.#socket ?? {};
    try {
      const udp = await UdpTracks.open({
        count: plan.tracks.length,
        local,
        server,
        receive: (track, kind, bytes) => client.datagram(track, kind, bytes),
      });
      if (this.#over) return void udp.close();
      this.#udp = udp;
      client.play({ ...plan, ports: udp.ports });
    } catch (error) {
      const sentence = `No UDP ports for ${client.url}: ${messageOf(error)}.`;
      client.fail(new NamedError('LISTEN_FAILED', sentence, 500, { cause: error }));
    }
  }

  /** Sends RTCP about a track, by its place in the plan. */
  sendRtcp(track: number, packet: Buffer): void {
    this.#client.sendRtcp(track, packet);
  }

  /** Says goodbye and ends the connection; resolves when it is gone. Idempotent. */
  async close(): Promise<void> {
    this.#over = true;
    this.#client.close();
    void this.#udp?.close();
    await this.#socket?.close();
  }

  /**
   * @param redirected where the server may send us instead; absent when there was a redirect already
   * @param from the address that a redirect came from, to which it is held
   */
  #open(url: string, redirected?: (location: string, from: string) => void, from?: string): RtspClient {
    const target = parseTarget(url);
    const socket: ClientSocket = new ClientSocket({
      target,
      guarded: this.#guarded,
      trust: this.#trust,
      url: maskAddress(url),
      codes: RTSP_CODES,
      clock: this.#clock,
      connected: () => {
        if (from !== undefined && isOuter(from) && !isOuter(socket.remoteAddress)) {
          return client.fail(redirectRefused(client.url, 'to an address of this machine or its cable'));
        }
        client.start();
      },
      received: (bytes) => client.receive(bytes),
      failed: (error) => client.fail(error),
    });
    const current = () => this.#socket === socket && !this.#over;
    const client: RtspClient = new RtspClient(
      url,
      {
        ...this.#handlers,
        send: (bytes) => {
          socket.write(bytes);
        },
        failed: (error) => {
          if (current()) this.#fail(error);
        },
        udp: (track, ports) => {
          if (ports) this.#udp?.meet(track, { address: socket.remoteAddress, ports });
        },
        sendDatagram: (track, packet) => this.#udp?.sendRtcp(track, packet),
        ...(redirected && {
          redirected: (location: string) => redirected(location, socket.remoteAddress),
        }),
      },
      {
        clock: this.#clock,
        ...(this.#firstMediaMs !== undefined && { firstMediaMs: this.#firstMediaMs }),
      },
    );
    this.#socket = socket;
    return client;
  }

  #fail(error: NamedError): void {
    this.#over = true;
    this.#socket?.destroy();
    void this.#udp?.close();
    this.#handlers.failed(error);
  }

  /** One redirect is followed. Credentials go to the host that they were written for, and to no other. */
  #redirect(asked: string, location: string, from: string): void {
    this.#socket?.destroy();
    const shown = maskAddress(asked);
    try {
      const absolute = location.startsWith('/')
        ? `${/^rtsps?:\/\/[^/?#]*/i.exec(splitCredentials(asked).url)?.[0] ?? ''}${location}`
        : location;
      const target = parseTarget(absolute);
      const userinfo = /^rtsps?:\/\/([^/?#]*@)/i.exec(asked)?.[1] ?? '';
      if (parseTarget(asked).secure && !target.secure) {
        return this.#fail(redirectRefused(shown, 'to an address without TLS'));
      }
      const own =
        splitCredentials(absolute).credentials === undefined && target.host === parseTarget(asked).host;
      this.#client = this.#open(
        own ? absolute.replace(/^rtsps?:\/\//i, (scheme) => scheme + userinfo) : absolute,
        undefined,
        from,
      );
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      const forbidden = error.code === 'SOURCE_FORBIDDEN';
      this.#fail(forbidden ? error : redirectRefused(shown, 'to what is no rtsp:// address'));
    }
  }
}

/** Whether the other end is neither this machine nor on its cable. */
function isOuter(address: string | undefined): boolean {
  return innerPlace(address ?? '') === undefined;
}

function redirectRefused(url: string, where: string): NamedError {
  return new NamedError('RTSP_REDIRECT_REFUSED', `${url} was left by a redirect ${where}.`, 502);
}
