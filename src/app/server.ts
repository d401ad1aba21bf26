import type { AddressInfo, Server } from 'node:net';
import { TLSSocket } from 'node:tls';
import { parameterSchema } from '#algorithms/parameters.ts';
import type { Place } from '#api/dependencies.ts';
import { EventsSocket } from '#api/events-socket.ts';
import { requestRefusal } from '#api/request-guard.ts';
import { ResultsSocket } from '#api/results-socket.ts';
import { ResultsViewers } from '#api/results-viewers.ts';
import { createApi } from '#api/server.ts';
import { AccessControl } from '#auth/access-control.ts';
import { MemoryBus } from '#bus/memory-bus.ts';
import { RunManager } from '#cameras/runs.ts';
import type { Config } from '#config/schema.ts';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { Hooks } from '#hooks/hooks.ts';
import { credentialsOf } from '#hub/http-credentials.ts';
import { Hub } from '#hub/hub.ts';
import type { Jobs } from '#jobs/jobs.ts';
import { FlvServer } from '#servers/flv/server.ts';
import { HlsServer } from '#servers/hls/server.ts';
import { MseServer } from '#servers/mse/server.ts';
import { PicturesServer } from '#servers/pictures/server.ts';
import { RtmpServer } from '#servers/rtmp/server.ts';
import { RtspServer } from '#servers/rtsp/server.ts';
import { WebRtcServer } from '#servers/webrtc/server.ts';
import { Forwards } from '#sinks/forwards.ts';
import { ConfiguredSources } from '#sources/configured-sources.ts';
import { systemClock } from '#util/clock.ts';
import { setListenerErrorHandler } from '#util/emitter.ts';
import { looksHashed } from '#util/password-hash.ts';
import { TcpPort } from '#util/tcp-port.ts';
import { createBurnedIn } from './burned-in.ts';
import { CertificateWatch } from './certificate-watch.ts';
import { ConfigurationFile, type ConfigurationSource } from './configuration-file.ts';
import {
  checkDetection,
  configuredStreams,
  detectionOf,
  detectOn,
  patternSources,
  patternStreams,
} from './configured-streams.ts';
import { connectHooks } from './connect-hooks.ts';
import { type BusTopics, connectRuns } from './connect-runs.ts';
import { forwardOpeners } from './forward-openers.ts';
import { routeDoors } from './http-doors.ts';
import { httpsDoor } from './https-door.ts';
import { JobEntries } from './job-entries.ts';
import { createLog, type Logger } from './logger.ts';
import { Rooms } from './rooms.ts';
import { rtspMedia } from './rtsp-media.ts';
import {
  configuredAlgorithms,
  httpAddress,
  httpTls,
  hubSettings,
  ROOT,
  rtmpTls,
  rtspTls,
  workerLimits,
} from './settings.ts';
import { beginJobs } from './start-jobs.ts';
import { picturesStarter } from './start-pictures.ts';
import { renditionStarter } from './start-rendition.ts';
import { sourceStarter } from './start-source.ts';
import { StreamEntries } from './stream-entries.ts';
import { TroubleLog } from './trouble-log.ts';
import { letTunnelsIn } from './tunnel-door.ts';
import { routeUpgrades } from './upgrades.ts';
import { version } from './version.ts';
import { createWorkerRoom } from './worker-room.ts';

/** The head start of jobs when the server stops. */
const JOBS_MS = 1500;

export interface SluiceServer extends AsyncDisposable {
  /** As they are now: a change of the configuration may move them. */
  readonly addresses: {
    readonly http: string;
    /** Where there is a certificate. */
    readonly https?: string;
    readonly rtsp: string;
    readonly rtmp: string;
    readonly rtsps?: string;
    readonly rtmps?: string;
  };
  /** Ends everything: readers learn the reason, workers end, ports are free when it resolves. Idempotent. */
  close(reason?: string): Promise<void>;
}

/**
 * Starts the whole server in this process (which runs no native code) and its workers. With a `source` it takes up what
 * changes in that file.
 * @throws NamedError for a busy port, an unknown algorithm, a broken manifest, a forbidden stream name
 */
export async function createServer(
  config: Config,
  options: { log?: Logger; source?: ConfigurationSource } = {},
): Promise<SluiceServer> {
  const logs = createLog(config.log, options.log);
  const log = logs.logger;
  setListenerErrorHandler((error, event) => log.error({ err: error }, `a listener of "${event}" failed`));
  const streams = configuredStreams(config);
  const patterns = patternStreams(config);
  const algorithms = await configuredAlgorithms(config);
  checkDetection(detectionOf(streams, patterns), algorithms, options.source?.file);
  let rooms: Rooms | undefined;
  const place: Place = {
    get host() {
      return (rooms?.config ?? config).host;
    },
    get names() {
      return (rooms?.config ?? config).http.allowedHosts;
    },
    get origins() {
      return (rooms?.config ?? config).http.allowedOrigins;
    },
    get asksWho() {
      return access.enabled;
    },
  };
  const access = new AccessControl(config);
  warnOfPlainPasswords(config, log);

  const hub = new Hub({
    ...hubSettings(config),
    startRendition: renditionStarter(
      () => workers,
      () => runs,
    ),
  });
  const workers = createWorkerRoom({
    hub,
    linkUrl: () => `${urlOf('ws', place.host, api.server)}/api/link`,
    limits: workerLimits(config),
    log,
  });
  const runs = new RunManager({
    executor: workers.pool,
    algorithms,
    streamExists: (name) => hub.get(name)?.state === 'live',
    onDemand: {
      // One whose stand-by is shown comes as well.
      has: (name) => hub.onDemand.has(name) || hub.get(name)?.state === 'standby',
      claim: (name) => hub.onDemand.claim(name),
    },
  });
  const hooks = new Hooks({ settings: config.hooks, log: (level, message) => log[level](message) });
  const sourceEvents = connectHooks(hub, hooks);
  const bus = new MemoryBus<BusTopics>();
  connectRuns({ hub, runs, bus, workers, log });
  runs.configure(
    algorithms,
    new Map(streams.map(({ stream, detect }) => [stream, detect])),
    detectOn(streams, patterns),
  );
  const burnedIn = createBurnedIn({ hub, runs, log });
  burnedIn.configure(detectOn(streams, patterns));

  const api = createApi({
    hub,
    runs,
    burnedIn,
    sources: () => sources?.list() ?? [],
    algorithms: () =>
      [...runs.algorithms.values()].map(({ manifest }) => ({
        ...manifest,
        parameters: parameterSchema(manifest),
      })),
    workers: () => workers.pool.list(),
    hooks: () => hooks.list(),
    forwards: () => forwards?.list() ?? [],
    jobs: new JobEntries({ jobs: () => jobs, file: () => file, config: () => rooms?.config ?? config }),
    configuration: () => file?.state,
    entries: new StreamEntries({ file: () => file, config: () => rooms?.config ?? config }),
    access,
    place,
    version,
    pageFolder: `${ROOT}web/dist`,
    onFault: (error, where) => log.error({ err: error }, where),
  });
  const hls = new HlsServer({ hub, settings: config.hls, access, logger: log });
  const flv = new FlvServer({ hub, access, log });
  const viewers = new ResultsViewers({ runs, bus });
  const webrtc = new WebRtcServer({
    hub,
    access,
    results: (stream, line) => viewers.join(stream, line),
    log,
  });
  const mse = new MseServer({ hub, logger: log });
  const pictures = new PicturesServer({
    hub,
    access,
    startPictures: picturesStarter(workers),
    onFault: (error) => log.error({ err: error }, 'a picture could not be given'),
  });
  routeDoors(api, {
    files: {
      'index.m3u8': hls.index,
      'snapshot.jpg': pictures.snapshot,
      mjpeg: pictures.mjpeg,
      'live.flv': (request, response, target) => flv.handleRequest(request, response, target),
      whep: webrtc.whep,
      whip: webrtc.whip,
    },
    folders: { hls: hls.file, whep: webrtc.whep, whip: webrtc.whip },
  });
  const results = new ResultsSocket(viewers);
  const events = new EventsSocket({ hub, runs });
  routeUpgrades(api.server, {
    refusal: (headers) => requestRefusal(headers, place, true),
    admit: async ({ headers, socket, url }, door, stream) => {
      const query = new URLSearchParams((url ?? '').split('?').slice(1).join('?'));
      const asked = { door, remote: socket.remoteAddress ?? '', credentials: credentialsOf(headers, query) };
      return stream === undefined
        ? access.permissionsOf(asked)
        : access.check({ action: 'read', stream, ...asked });
    },
    // Its token is known to the children of this server alone.
    unasked: ['/api/link'],
    onFault: (error, where) => log.error({ err: error }, where),
    paths: {
      '/api/link': (request, socket, head) => workers.link.handleUpgrade(request, socket, head),
      '/api/events': (request, socket, head) => events.handleUpgrade(request, socket, head),
    },
    doors: {
      mse: (request, socket, head, stream) => mse.handleUpgrade(request, socket, head, stream),
      'live.flv': (request, socket, head, stream) => flv.handleUpgrade(request, socket, head, stream),
      results: (request, socket, head, stream) => results.handleUpgrade(request, socket, head, stream),
    },
  });

  const sequences = new RtpSequences();
  const rtsp = new RtspServer({
    hub,
    sequences,
    access,
    host: config.host,
    port: config.rtsp.port,
    sessionTimeoutMs: config.rtsp.sessionTimeout * 1000,
    media: rtspMedia(config),
    log,
  });
  const rtmp = new RtmpServer({
    hub,
    host: config.host,
    port: config.rtmp.port,
    access,
    log,
  });
  const closeUnknown = letTunnelsIn(api.server, {
    clock: systemClock,
    accept: (socket) => rtsp.acceptTunnel(socket, socket instanceof TLSSocket),
    refusal: (headers) => requestRefusal(headers, place, true),
  });
  const https = httpsDoor(api.server, log);
  const sourceLog = new TroubleLog(log, 'source');
  const forwardLog = new TroubleLog(log, 'forward');
  const jobLog = new TroubleLog(log, 'job');
  const certificates = new CertificateWatch({
    log,
    signals: options.source?.signals,
    onChange: () => {
      void https.reload();
      void rtsp.tls.reload();
      void rtmp.tls.reload();
    },
  });
  let sources: ConfiguredSources | undefined;
  let forwards: Forwards | undefined;
  let jobs: Jobs | undefined;
  let file: ConfigurationFile | undefined;
  let closing: Promise<void> | undefined;
  const close = (reason = 'The server stops.'): Promise<void> => {
    closing ??= (async () => {
      await file?.[Symbol.asyncDispose]();
      burnedIn.close();
      certificates[Symbol.dispose]();
      // What they write is completed while all that it needs is there; one that hangs does not hold the rest up.
      const jobsEnd = jobs?.[Symbol.asyncDispose]();
      const late = Promise.withResolvers<void>();
      const cancel = systemClock.after(JOBS_MS, late.resolve);
      await Promise.race([jobsEnd, late.promise]);
      cancel();
      // All at a time: each has its own patience with what hangs, and together they have less than five seconds.
      const tasks = [sources?.[Symbol.asyncDispose](), forwards?.[Symbol.asyncDispose](), runs.close(reason)];
      hub.close(reason);
      mse.close();
      pictures.close();
      viewers.close();
      hls.close(reason);
      flv.close(reason);
      const doors = [
        rtsp.close(reason),
        rtmp.close(reason),
        webrtc.close(reason),
        results.close(),
        events.close(),
      ];
      await Promise.all([jobsEnd, ...tasks, ...doors, hooks.close(), workers[Symbol.asyncDispose]()]);
      closeUnknown();
      await api.close();
      await https.close();
    })();
    return closing;
  };

  try {
    await api.ready();
    await rtsp.listen();
    rtsp.tls.take(await rtsp.tls.prepare(rtspTls(config)));
    await rtmp.listen();
    rtmp.tls.take(await rtmp.tls.prepare(rtmpTls(config)));
    webrtc.setMedia(await webrtc.prepareMedia(config.webrtc, config.host));
    (await TcpPort.take(httpAddress(config))).giveTo(api.server);
    const startSource = sourceStarter({ hub, workers });
    const openForward = forwardOpeners({ hub, sequences, workers });
    https.take(await https.prepare(httpTls(config)));
    sources = new ConfiguredSources({
      settings: streams.flatMap(({ source }) => source ?? []),
      patterns: patternSources(patterns, config),
      start: startSource,
      standby: {
        hub,
        start: (settings, onState) =>
          workers.pool.start({
            role: 'pipeline',
            affinity: settings.stream,
            spec: { kind: 'standby', ...settings, part: 'standby' },
            onState,
          }),
      },
      onFillRemoved: (stream, reason) => hub.fills.remove(stream, reason),
      onState: (status) => {
        const { stream, part, reason } = status;
        events.streamsChanged();
        // Runs that wait for the stream show why it does not come.
        if (reason !== undefined && !part && !hub.get(stream)) runs.streamEnded(stream, reason);
        sourceLog.state(status);
        sourceEvents(status);
      },
      onDemand: hub.onDemand,
      onRemoved: (name, reason) => hub.sourceRemoved(name, reason),
    });
    forwards = new Forwards(
      streams.flatMap((one) => one.forwards),
      {
        hub,
        opener: openForward,
        onState: (status) => forwardLog.state(status),
      },
    );
    jobs = beginJobs(config, {
      ...{ hub, workers, startSource, openForward },
      log: jobLog,
      onChange: events.jobsChanged,
    });
    certificates.watch(config.tls);
    const parts = {
      access,
      hub,
      workers,
      runs,
      burnedIn,
      hooks,
      http: api.server,
      https,
      rtsp,
      rtmp,
      hls,
      webrtc,
      sources,
      forwards,
      jobs,
      certificates,
      log: logs,
    };
    rooms = new Rooms(parts, config);
    if (options.source) {
      file = new ConfigurationFile(options.source, {
        rooms,
        log,
        onApplied: () => {
          sourceLog.forget();
          forwardLog.forget();
          jobLog.forget();
          events.streamsChanged();
          events.jobsChanged();
        },
      });
    }
    return {
      get addresses() {
        return {
          http: urlOf('http', place.host, api.server),
          ...(https.port !== undefined && { https: urlOf('https', place.host, https.server) }),
          rtsp: urlOf('rtsp', place.host, rtsp.tcp),
          ...(rtsp.tls.port !== undefined && { rtsps: urlOf('rtsps', place.host, rtsp.tls.server) }),
          rtmp: urlOf('rtmp', place.host, rtmp.tcp),
          ...(rtmp.tls.port !== undefined && { rtmps: urlOf('rtmps', place.host, rtmp.tls.server) }),
        };
      },
      close,
      [Symbol.asyncDispose]: () => close(),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Said at the start: whoever reads the file can read them. */
function warnOfPlainPasswords({ users }: Config, log: Logger): void {
  const names = users.filter(({ password }) => password !== undefined && !looksHashed(password));
  if (names.length === 0) return;
  const who = names.map(({ name }) => `"${name}"`).join(', ');
  log.info(
    `The passwords of ${who} stand in the configuration as plain text. "sluice hash" makes hashes of them; RTSP then offers Basic only, without digests.`,
  );
}

/** Address of a server that listens; IPv6 addresses stand in brackets. */
function urlOf(scheme: string, host: string, server: Server): string {
  const address = server.address() as AddressInfo | null;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${address?.port ?? 0}`;
}
