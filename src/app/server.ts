import { fileURLToPath } from 'node:url';
import { findManifests } from '#algorithms/manifest.ts';
import { parameterSchema } from '#algorithms/parameters.ts';
import { EventsSocket } from '#api/events-socket.ts';
import { ResultsSocket } from '#api/results-socket.ts';
import { createApi } from '#api/server.ts';
import { MemoryBus } from '#bus/memory-bus.ts';
import { RunManager } from '#cameras/runs.ts';
import type { Config } from '#config/schema.ts';
import { Hub } from '#hub/hub.ts';
import { MseServer } from '#servers/mse/server.ts';
import { RtspServer } from '#servers/rtsp/server.ts';
import { ConfiguredSources } from '#sources/configured.ts';
import { RtspSource } from '#sources/rtsp/source.ts';
import { setListenerErrorHandler } from '#util/emitter.ts';
import { configuredStreams } from './configured-streams.ts';
import { type BusTopics, connectRuns } from './connect-runs.ts';
import { hostInUrl, listen } from './listen.ts';
import { createLogger, type Logger } from './logger.ts';
import { rtspMedia } from './rtsp-media.ts';
import { routeUpgrades } from './upgrades.ts';
import { version } from './version.ts';
import { createWorkerRoom } from './worker-room.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export interface SluiceServer extends AsyncDisposable {
  readonly addresses: { readonly http: string; readonly rtsp: string };
  /** Ends everything: readers learn the reason, workers end, ports are free when it resolves. Idempotent. */
  close(reason?: string): Promise<void>;
}

/**
 * Starts the whole server in this process (which runs no native code) and its workers.
 * @throws NamedError for a busy port, an unknown algorithm, a broken manifest, a forbidden stream name
 */
export async function createServer(config: Config, options: { log?: Logger } = {}): Promise<SluiceServer> {
  const log = options.log ?? createLogger(config.log);
  setListenerErrorHandler((error, event) => log.error({ err: error }, `a listener of "${event}" failed`));
  const streams = configuredStreams(config);
  const algorithms = await findManifests([`${ROOT}models`, ...config.algorithms.folders]);

  const hub = new Hub({
    readerLimits: {
      queueMs: config.reader.queueMs,
      queueBytes: config.reader.queueBytes,
      stallMs: config.reader.stallSeconds * 1000,
    },
    holdMs: config.publisher.holdSeconds * 1000,
    takeover: config.publisher.takeover,
    startRendition: (request, onFailure) => {
      const task = workers.pool.start({
        role: 'pipeline',
        affinity: request.stream,
        spec: { kind: 'rendition', ...request },
        onState: ({ state, reason }) => {
          if (state === 'failed' || state === 'stopped') onFailure(reason ?? 'its worker ended.');
        },
      });
      return () => void task.stop();
    },
  });
  const workers = createWorkerRoom({
    hub,
    linkUrl: () => linkUrl,
    max: config.workers.max,
    memoryMb: config.workers.memoryMb,
    hostMemoryMb: config.algorithms.memoryMb,
    log,
  });
  const runs = new RunManager({
    executor: workers.pool,
    algorithms,
    streamExists: (name) => hub.get(name)?.state === 'live',
    onDemand: { has: (name) => hub.onDemand.has(name), claim: (name) => hub.onDemand.claim(name) },
  });
  const bus = new MemoryBus<BusTopics>();
  connectRuns({ hub, runs, bus, workers, log });
  for (const { stream, detect } of streams) if (detect.length > 0) runs.setDefaults(stream, detect);

  const api = createApi({
    hub,
    runs,
    sources: () => sources?.list() ?? [],
    algorithms: () =>
      [...algorithms.values()].map(({ manifest }) => ({
        ...manifest,
        parameters: parameterSchema(manifest),
      })),
    workers: () => workers.pool.list(),
    host: config.host,
    version,
    pageFolder: `${ROOT}web/dist`,
    onFault: (error, where) => log.error({ err: error }, where),
  });
  const mse = new MseServer({ hub, logger: log });
  const results = new ResultsSocket({ runs, bus, algorithms, host: config.host });
  const events = new EventsSocket({ hub, runs, host: config.host });
  routeUpgrades(api.server, {
    paths: {
      '/api/link': (request, socket, head) => workers.link.handleUpgrade(request, socket, head),
      '/api/events': (request, socket, head) => events.handleUpgrade(request, socket, head),
    },
    doors: {
      mse: (request, socket, head, stream) => mse.handleUpgrade(request, socket, head, stream),
      results: (request, socket, head, stream) => results.handleUpgrade(request, socket, head, stream),
    },
  });

  const rtsp = new RtspServer({
    hub,
    host: config.host,
    port: config.rtsp.port,
    sessionTimeoutMs: config.rtsp.sessionTimeout * 1000,
    media: rtspMedia(config),
    log,
  });
  let sources: ConfiguredSources | undefined;
  let linkUrl = '';
  let closing: Promise<void> | undefined;
  const close = (reason = 'The server stops.'): Promise<void> => {
    closing ??= (async () => {
      // All at a time: each has its own patience with what hangs, and together they have less than five seconds.
      const tasks = [sources?.[Symbol.asyncDispose](), runs.close(reason)];
      hub.close(reason);
      mse.close();
      const doors = [rtsp.close(reason), results.close(), events.close()];
      await Promise.all([...tasks, ...doors, workers[Symbol.asyncDispose]()]);
      await api.close();
    })();
    return closing;
  };

  try {
    await api.ready();
    const { port: rtspPort } = await rtsp.listen();
    const httpPort = await listen(api.server, config.host, config.http.port, 'http.port');
    linkUrl = `ws://${hostInUrl(config.host)}:${httpPort}/api/link`;
    sources = new ConfiguredSources({
      settings: streams.flatMap(({ source }) => source ?? []),
      start: (settings, onState) =>
        settings.kind === 'rtsp'
          ? new RtspSource({ hub, ...settings, onState })
          : workers.pool.start({
              role: 'source',
              affinity: settings.stream,
              spec: {
                kind: 'file-source',
                stream: settings.stream,
                path: settings.path,
                loop: settings.loop,
              },
              onState,
            }),
      onState: ({ stream, state, reason }) => {
        events.streamsChanged();
        // Runs that wait for the stream show why it does not come.
        if (reason !== undefined && !hub.get(stream)) runs.streamEnded(stream, reason);
        if (state === 'failed') log.error({ stream }, `source failed: ${reason}`);
        else if (state === 'waiting') log.warn({ stream }, `source waits: ${reason}`);
        else log.info({ stream, reason }, `source ${state}`);
      },
      onDemand: hub.onDemand,
      onRemoved: (name, reason) => {
        const stream = hub.get(name);
        // Somebody else may publish it meanwhile.
        if (stream && (stream.publisher?.door ?? 'source') === 'source') stream.end(reason);
      },
    });
    const host = hostInUrl(config.host);
    return {
      addresses: { http: `http://${host}:${httpPort}`, rtsp: `rtsp://${host}:${rtspPort}` },
      close,
      [Symbol.asyncDispose]: () => close(),
    };
  } catch (error) {
    await close();
    throw error;
  }
}
