import type { AddressInfo, Server } from 'node:net';
import type { AccessControl } from '#auth/access-control.ts';
import type { BurnedInViews } from '#cameras/burned-in-views.ts';
import type { RunManager } from '#cameras/runs.ts';
import { affectedParts, type Change, diffConfig } from '#config/diff.ts';
import type { Config } from '#config/schema.ts';
import type { Part } from '#config/settings.ts';
import type { Hooks } from '#hooks/hooks.ts';
import type { Hub } from '#hub/hub.ts';
import type { Jobs } from '#jobs/jobs.ts';
import type { HlsServer } from '#servers/hls/server.ts';
import type { RtmpServer } from '#servers/rtmp/server.ts';
import type { PreparedMedia, RtspServer } from '#servers/rtsp/server.ts';
import type { PreparedWebRtc, WebRtcServer } from '#servers/webrtc/server.ts';
import type { Forwards } from '#sinks/forwards.ts';
import type { ConfiguredSources } from '#sources/configured-sources.ts';
import { NamedError } from '#util/named-error.ts';
import { listensOn, type TcpAddress, TcpPort } from '#util/tcp-port.ts';
import type { PreparedTls, TlsDoor } from '#util/tls-door.ts';
import type { CertificateWatch } from './certificate-watch.ts';
import { configuredJobs } from './configured-jobs.ts';
import {
  type ConfiguredStream,
  checkDetection,
  configuredStreams,
  detectionOf,
  detectOn,
  forwardsOf,
  type PatternStreams,
  patternSources,
  patternStreams,
} from './configured-streams.ts';
import type { Log } from './logger.ts';
import { rtspMedia } from './rtsp-media.ts';
import {
  configuredAlgorithms,
  httpAddress,
  httpTls,
  hubSettings,
  rtmpAddress,
  rtmpTls,
  rtspAddress,
  rtspTls,
  workerLimits,
} from './settings.ts';
import type { WorkerRoom } from './worker-room.ts';

/** The parts of a running server that take up a change of the configuration. */
export interface RoomParts {
  readonly access: AccessControl;
  readonly hub: Hub;
  readonly workers: WorkerRoom;
  readonly runs: RunManager;
  readonly burnedIn: BurnedInViews;
  readonly http: Server;
  readonly https: TlsDoor;
  readonly rtsp: RtspServer;
  readonly hls: HlsServer;
  readonly rtmp: RtmpServer;
  readonly webrtc: WebRtcServer;
  readonly sources: ConfiguredSources;
  readonly forwards: Forwards;
  readonly jobs: Jobs;
  readonly hooks: Hooks;
  readonly certificates: CertificateWatch;
  readonly log: Log;
}

/** What could fail, done before anything changes. */
interface Prepared {
  readonly streams: readonly ConfiguredStream[];
  readonly patterns: readonly PatternStreams[];
  /** Ports that servers move to. */
  readonly http: TcpPort | undefined;
  readonly rtsp: TcpPort | undefined;
  readonly rtmp: TcpPort | undefined;
  /** UDP ports, as far as they change. */
  readonly media: PreparedMedia | undefined;
  /** The ports of HTTPS, RTSPS and RTMPS, as far as they change. */
  readonly https: PreparedTls | undefined;
  readonly rtsps: PreparedTls | undefined;
  readonly rtmps: PreparedTls | undefined;
  readonly webrtc: PreparedWebRtc | undefined;
}

/** A server at work, and the configuration it works by. */
export class Rooms {
  readonly #parts: RoomParts;
  #config: Config;

  /** Who takes up what (`src/config/settings.ts`). None of these fails. */
  readonly #takeUp: Readonly<Record<Part, (config: Config, prepared: Prepared) => void>> = {
    'http.listener': (_, { http }) => http?.giveTo(this.#parts.http),
    'rtsp.listener': (_, { rtsp }) => rtsp && this.#parts.rtsp.moveTo(rtsp),
    'rtmp.listener': (_, { rtmp }) => rtmp && this.#parts.rtmp.moveTo(rtmp),
    'rtsp.media': (_, { media }) => media && this.#parts.rtsp.setMedia(media),
    'http.tls': (_, { https }) => https && this.#parts.https.take(https),
    'rtsp.tls': (config, { rtsps }) => {
      if (rtsps) this.#parts.rtsp.tls.take(rtsps);
      this.#parts.certificates.watch(config.tls);
    },
    'rtmp.tls': (_, { rtmps }) => rtmps && this.#parts.rtmp.tls.take(rtmps),
    'webrtc.media': (_, { webrtc }) => webrtc && this.#parts.webrtc.setMedia(webrtc),
    'rtsp.sessions': ({ rtsp }) => this.#parts.rtsp.setSessionTimeout(rtsp.sessionTimeout * 1000),
    hls: ({ hls }) => this.#parts.hls.configure(hls),
    sources: (config, { streams, patterns }) => {
      const named = streams.flatMap(({ source }) => source ?? []);
      this.#parts.sources.apply(named, patternSources(patterns, config));
    },
    forwards: (_, { streams, patterns }) => this.#forward(streams, patterns),
    jobs: (config) => this.#parts.jobs.apply(configuredJobs(config)),
    // Both are checked and taken up together, in `apply`.
    detection: () => {},
    algorithms: () => {},
    'algorithm.hosts': (config) => this.#parts.workers.configure(workerLimits(config)),
    workers: (config) => this.#parts.workers.configure(workerLimits(config)),
    readers: (config) => this.#parts.hub.configure(hubSettings(config)),
    publishers: (config) => this.#parts.hub.configure(hubSettings(config)),
    hooks: ({ hooks }) => this.#parts.hooks.configure(hooks),
    access: (config) => this.#parts.access.configure(config),
    // Asked for anew at each request.
    'http.names': () => {},
    log: ({ log }) => this.#parts.log.configure(log),
  };

  constructor(parts: RoomParts, config: Config) {
    this.#parts = parts;
    this.#config = config;
    const look = () => {
      const patterns = patternStreams(this.#config);
      // Streams that are named are forwarded whether they are there or not.
      if (patterns.some(({ forwards }) => forwards)) this.#forward(configuredStreams(this.#config), patterns);
    };
    parts.hub.events.on('streamAdded', look);
    parts.hub.events.on('streamRemoved', look);
  }

  get config(): Config {
    return this.#config;
  }

  #forward(streams: readonly ConfiguredStream[], patterns: readonly PatternStreams[]): void {
    const present = this.#parts.hub.streams.map(({ name }) => name);
    this.#parts.forwards.apply(forwardsOf(streams, patterns, present));
  }

  /**
   * Goes on with another configuration: what it concerns takes it up, everything else does not notice. The folders of
   * algorithms are read anew in any case.
   * @param file where the configuration stands, for errors
   * @returns what changed
   * @throws NamedError for a busy port, an unknown algorithm, a broken manifest, a forbidden stream name; nothing is
   *   changed then
   */
  async apply(config: Config, file: string): Promise<Change[]> {
    const changes = diffConfig(this.#config, config);
    const affected = affectedParts(changes);
    const streams = configuredStreams(config);
    const patterns = patternStreams(config);
    const algorithms = await configuredAlgorithms(config);
    checkDetection(detectionOf(streams, patterns), algorithms, file);
    using taken = new DisposableStack();
    const take = async (part: Part, server: Server, address: TcpAddress) => {
      if (!affected.has(part) || (await listensOn(server, address))) return undefined;
      const port = await TcpPort.take(address).catch((error: unknown) => {
        if (!(error instanceof NamedError)) throw error;
        const { port: old } = server.address() as AddressInfo;
        const sentence = `${error.message} Until then the old port ${old} stays open.`;
        throw new NamedError(error.code, sentence, error.status, { cause: error });
      });
      // Does nothing once the port was given to its server.
      taken.defer(() => port.release());
      return port;
    };
    const http = await take('http.listener', this.#parts.http, httpAddress(config));
    const rtsp = await take('rtsp.listener', this.#parts.rtsp.tcp, rtspAddress(config));
    const rtmp = await take('rtmp.listener', this.#parts.rtmp.tcp, rtmpAddress(config));
    const media = affected.has('rtsp.media')
      ? await this.#parts.rtsp.prepareMedia(rtspMedia(config), config.host)
      : undefined;
    taken.defer(() => media?.release());
    const webrtc = affected.has('webrtc.media')
      ? await this.#parts.webrtc.prepareMedia(config.webrtc, config.host)
      : undefined;
    taken.defer(() => webrtc?.release());
    const https = affected.has('http.tls') ? await this.#parts.https.prepare(httpTls(config)) : undefined;
    taken.defer(() => https?.release());
    const rtsps = affected.has('rtsp.tls') ? await this.#parts.rtsp.tls.prepare(rtspTls(config)) : undefined;
    taken.defer(() => rtsps?.release());
    const rtmps = affected.has('rtmp.tls') ? await this.#parts.rtmp.tls.prepare(rtmpTls(config)) : undefined;
    taken.defer(() => rtmps?.release());
    this.#parts.runs.configure(
      algorithms,
      new Map(streams.map(({ stream, detect }) => [stream, detect])),
      detectOn(streams, patterns),
    );
    this.#parts.burnedIn.configure(detectOn(streams, patterns));
    // From here on nothing fails. Streams that end by it are looked at by what is to be.
    this.#config = config;
    const prepared = { streams, patterns, http, rtsp, rtmp, media, https, rtsps, rtmps, webrtc };
    for (const part of affected) this.#takeUp[part](config, prepared);
    return changes;
  }
}
