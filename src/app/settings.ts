import { fileURLToPath } from 'node:url';
import { type FoundManifest, findManifests } from '#algorithms/manifest.ts';
import type { Config } from '#config/schema.ts';
import type { HubSettings } from '#hub/hub.ts';
import type { TcpAddress } from '#util/tcp-port.ts';
import type { TlsWish } from '#util/tls-door.ts';
import type { WorkerLimits } from './worker-room.ts';

/** The project's own folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What the rooms are told of a configuration, in their own words: at the start, and whenever it changes. */

export function hubSettings({ reader, publisher }: Config): HubSettings {
  return {
    readerLimits: {
      queueMs: reader.queueMs,
      queueBytes: reader.queueBytes,
      stallMs: reader.stallSeconds * 1000,
    },
    holdMs: publisher.holdSeconds * 1000,
    takeover: publisher.takeover,
  };
}

export function workerLimits({ workers, algorithms }: Config): WorkerLimits {
  return { max: workers.max, memoryMb: workers.memoryMb, hostMemoryMb: algorithms.memoryMb };
}

export function httpAddress({ host, http }: Config): TcpAddress {
  return { host, port: http.port, setting: 'http.port' };
}

/** The port of HTTPS; undefined where there is no certificate. */
export function httpTls({ host, http, tls }: Config): TlsWish | undefined {
  return tls.cert === '' ? undefined : { host, port: http.tlsPort, files: tls };
}

export function rtspAddress({ host, rtsp }: Config): TcpAddress {
  return { host, port: rtsp.port, setting: 'rtsp.port' };
}

/** The port of RTSPS; undefined where there is no certificate. */
export function rtspTls({ host, rtsp, tls }: Config): TlsWish | undefined {
  return tls.cert === '' ? undefined : { host, port: rtsp.tlsPort, files: tls };
}

export function rtmpAddress({ host, rtmp }: Config): TcpAddress {
  return { host, port: rtmp.port, setting: 'rtmp.port' };
}

/** The port of RTMPS; undefined where there is no certificate. */
export function rtmpTls({ host, rtmp, tls }: Config): TlsWish | undefined {
  return tls.cert === '' ? undefined : { host, port: rtmp.tlsPort, files: tls };
}

/**
 * The algorithms of the built-in folder and those of the configuration, by id.
 * @throws NamedError ALGORITHM_FOLDER_MISSING, ALGORITHM_MANIFEST_INVALID, ALGORITHM_DUPLICATE
 */
export function configuredAlgorithms({ algorithms }: Config): Promise<Map<string, FoundManifest>> {
  return findManifests([`${ROOT}models`, ...algorithms.folders]);
}
