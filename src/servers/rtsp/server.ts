import { lookup } from 'node:dns/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { type Access, openAccess } from '#hub/access.ts';
import type { Hub } from '#hub/hub.ts';
import { DEFAULT_REORDER_MS } from '#protocols/rtp/reorder.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { TcpPort } from '#util/tcp-port.ts';
import { TlsDoor } from '#util/tls-door.ts';
import { HttpTunnels } from './http-tunnels.ts';
import type { RtspLog } from './log.ts';
import { Multicast, type MulticastSettings } from './multicast.ts';
import { RtspConnection } from './session.ts';
import { UdpPorts } from './udp-ports.ts';

export interface RtspServerOptions {
  readonly hub: Hub;
  /** Who may publish and read; everybody by default. */
  readonly access?: Access;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly log?: RtspLog;
  /** A client that shows no sign of life for so long is disconnected, in ms. */
  readonly sessionTimeoutMs?: number;
  readonly maxConnections?: number;
  /** Inside the connection only, by default. */
  readonly media?: RtspMedia;
  readonly clock?: Clock;
  /** Where the RTP of its feeds stands, where forwards share them. */
  readonly sequences?: RtpSequences;
}

/** How media may travel. */
export interface RtspMedia {
  /** Inside the connection. */
  readonly tcp: boolean;
  /**
   * Over UDP: our port of RTP, even, with RTCP on the next one; 0: any free pair; auto: the usual one, unless it is busy
   * and media can travel inside the connection. Undefined: not at all.
   */
  readonly udpPort: number | 'auto' | undefined;
  /** To groups of readers, where it is wanted. */
  readonly multicast?: MulticastSettings | undefined;
  /** How long a publisher's packets over UDP wait for others before these are lost, in ms. */
  readonly reorderMs: number;
}

/** The pair of ports, and what was asked for. */
interface OpenUdp {
  readonly ports: UdpPorts;
  readonly host: string;
  readonly port: number;
}

/** The groups, and our address that they are sent from. */
interface OpenMulticast {
  readonly groups: Multicast;
  readonly host: string;
}

/** What `setMedia` takes: nothing in it can fail any more. */
export interface PreparedMedia {
  readonly media: RtspMedia;
  readonly udp: OpenUdp | undefined;
  readonly multicast: OpenMulticast | undefined;
  /** Why media cannot travel over UDP although they might. */
  readonly warning?: string;
  /** Nobody wants it after all; of no effect once it was taken. */
  release(): void;
}

/** The pair of `auto` is always the same, so that it can be opened in a firewall. */
const USUAL_UDP_PORT = 8000;

const TCP_ONLY: RtspMedia = { tcp: true, udpPort: undefined, reorderMs: DEFAULT_REORDER_MS };

/** A peer that vanished is noticed by probes after 30 s without traffic, and given up 10 s later. */
const SOCKETS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
const SILENT: RtspLog = { info() {}, warn() {}, debug() {} };

/** The RTSP door (RFC 2326): publishers and readers of the hub's streams, their media over TCP or UDP. */
export class RtspServer implements AsyncDisposable {
  readonly #options: RtspServerOptions;
  readonly #log: RtspLog;
  readonly #server: Server;
  readonly #connections = new Set<RtspConnection>();
  /** RTSPS; closed until it is given a port and a certificate. */
  readonly tls: TlsDoor;
  readonly #sequences: RtpSequences;
  readonly #tunnels = new HttpTunnels();
  /** UDP ports that new sessions do not get any more. */
  readonly #retired = new Set<UdpPorts>();
  #media: RtspMedia;
  #udp: OpenUdp | undefined;
  #multicast: OpenMulticast | undefined;
  #sessionTimeoutMs: number;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  constructor(options: RtspServerOptions) {
    this.#options = options;
    this.#log = options.log ?? SILENT;
    this.#sequences = options.sequences ?? new RtpSequences();
    this.#media = options.media ?? TCP_ONLY;
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? 60_000;
    this.#server = createServer(SOCKETS, (socket) => this.#accept(socket));
    const maxConnections = options.maxConnections ?? 4096;
    this.#server.maxConnections = maxConnections;
    this.tls = new TlsDoor({
      name: 'RTSPS',
      setting: 'rtsp.tlsPort',
      log: this.#log,
      maxConnections,
      accept: (socket) => this.#accept(socket, true),
    });
    this.#server.on('drop', (data) =>
      this.#log.warn(
        `RTSP: ${data?.remoteAddress ?? 'a client'} was turned away, too many connections are open.`,
      ),
    );
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Begins to listen.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE
   */
  async listen(): Promise<{ port: number }> {
    const { host, port } = this.#options;
    const taken = await TcpPort.take({ host, port, setting: 'rtsp.port' });
    this.#server.on('error', (error) => this.#log.warn(`RTSP: ${error.message}`));
    this.moveTo(taken);
    const { address } = this.#server.address() as AddressInfo;
    this.setMedia(await this.prepareMedia(this.#media, address));
    return { port: taken.port };
  }

  /** The UDP ports of RTP and RTCP; undefined where UDP is off. */
  get udpPorts(): readonly [number, number] | undefined {
    return this.#udp?.ports.ports;
  }

  /** Packets that came over UDP from whom no session knows. */
  get udpUnknown(): number {
    return this.#udp?.ports.counters.unknown ?? 0;
  }

  /**
   * Makes ready that media may travel otherwise: opens UDP ports on `host` unless those that are open will do. Give the
   * outcome to `setMedia`, or release it.
   * @throws NamedError PORT_BUSY, PORT_FORBIDDEN, ADDRESS_UNAVAILABLE
   */
  async prepareMedia(media: RtspMedia, name: string): Promise<PreparedMedia> {
    const { address: host } = await lookup(name).catch(() => ({ address: name }));
    const { udp, warning } = await this.#prepareUdp(media, host);
    let multicast: OpenMulticast | undefined;
    const release = () => {
      if (udp && this.#udp !== udp) void udp.ports.close();
      if (multicast && this.#multicast !== multicast) multicast.groups.retire();
    };
    try {
      multicast = await this.#prepareMulticast(media, host);
    } catch (error) {
      release();
      throw error;
    }
    return { media, udp, multicast, release, ...(warning !== undefined && { warning }) };
  }

  /** Goes for sessions that begin from now on; those that there are keep what they have. */
  setMedia({ media, udp, multicast, warning }: PreparedMedia): void {
    if (warning !== undefined) this.#log.warn(warning);
    if (this.#udp && this.#udp !== udp) this.#retired.add(this.#udp.ports);
    if (this.#multicast !== multicast) this.#multicast?.groups.retire();
    this.#media = media;
    this.#udp = udp;
    this.#multicast = multicast;
    this.#closeRetired();
  }

  async #prepareUdp(
    media: RtspMedia,
    host: string,
  ): Promise<{ readonly udp: OpenUdp | undefined; readonly warning?: string }> {
    const { udpPort } = media;
    const port = udpPort === 'auto' ? USUAL_UDP_PORT : udpPort;
    const former = this.#udp;
    if (port === undefined) return { udp: undefined };
    if (former?.port === port && former.host === host) return { udp: former };
    try {
      return { udp: { ports: await UdpPorts.open({ host, port, log: this.#log }), host, port } };
    } catch (error) {
      const isBusy = error instanceof NamedError && error.code === 'PORT_BUSY';
      if (udpPort !== 'auto' || !media.tcp || !isBusy) throw error;
      return {
        udp: undefined,
        warning: `RTSP has no UDP: media travel over TCP only. ${error.message}`,
      };
    }
  }

  async #prepareMulticast({ multicast }: RtspMedia, host: string): Promise<OpenMulticast | undefined> {
    const former = this.#multicast;
    if (!multicast) return undefined;
    if (former?.host === host && isDeepStrictEqual(former.groups.settings, multicast)) return former;
    const groups = await Multicast.open(host, {
      settings: multicast,
      hub: this.#options.hub,
      sequences: this.#sequences,
      clock: this.#options.clock ?? systemClock,
    });
    return { groups, host };
  }

  /** The listening socket; its connections are the sessions. */
  get tcp(): Server {
    return this.#server;
  }

  /** Goes on listening on another port. Sessions go on. */
  moveTo(port: TcpPort): void {
    port.giveTo(this.#server);
  }

  /** A session that begins from now on, and shows no sign of life for so long, is ended. */
  setSessionTimeout(ms: number): void {
    this.#sessionTimeoutMs = ms;
  }

  /** Takes a connection that came to another port: a half of a tunnel through HTTP, or HTTPS (`secure`). */
  acceptTunnel(socket: Socket, secure: boolean): void {
    socket.setNoDelay(true);
    this.#accept(socket, secure);
  }

  /** Stops listening and ends every connection. Idempotent. */
  close(reason = 'The server is shutting down.'): Promise<void> {
    this.#closing ??= (async () => {
      const listening = new Promise<void>((resolve) => this.#server.close(() => resolve()));
      for (const connection of this.#connections) connection.close(reason);
      this.#multicast?.groups.close(reason);
      const ports = [...this.#retired, ...(this.#udp ? [this.#udp.ports] : [])];
      await Promise.all([listening, this.tls.close(), ...ports.map((one) => one.close())]);
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @param secure over TLS: media that travelled beside the connection would be open to all */
  #accept(socket: Socket, secure = false): void {
    const connection = new RtspConnection({
      socket,
      id: `rtsp-${this.#nextId++}`,
      hub: this.#options.hub,
      access: this.#options.access ?? openAccess,
      clock: this.#options.clock ?? systemClock,
      timeoutMs: this.#sessionTimeoutMs,
      log: this.#log,
      sequences: this.#sequences,
      tunnels: this.#tunnels,
      tcp: secure || this.#media.tcp,
      udp: secure ? undefined : this.#udp?.ports,
      multicast: secure ? undefined : this.#multicast?.groups,
      reorderMs: this.#media.reorderMs,
      onClose: () => {
        this.#connections.delete(connection);
        this.#closeRetired();
      },
    });
    this.#connections.add(connection);
  }

  /** Ports stay open for the sessions that have them. */
  #closeRetired(): void {
    for (const ports of this.#retired) {
      if ([...this.#connections].some(({ udp }) => udp === ports)) continue;
      this.#retired.delete(ports);
      void ports.close();
    }
  }
}
