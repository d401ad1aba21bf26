import type { Config } from './schema.ts';

/**
 * What a change of the configuration does to a server that runs. The table names for every key the parts of the
 * server that have to take it up; a key that is missing here is an error of the compiler, and a part that nobody
 * takes up is one in `src/app/rooms.ts`.
 */

/** Parts of the server that take up changes on their own, and what each does then. The texts stand in the reference. */
export const parts = {
  'http.listener':
    'The HTTP port moves. Who is connected stays; new connections come over the new port. When it is busy, the old one stays open.',
  'http.tls':
    'The HTTPS port opens, moves or closes. Who is connected stays. When it is busy, or the certificate cannot be used, everything stays as it was.',
  'rtsp.listener':
    'The RTSP port moves. Sessions go on; new ones come over the new port. When it is busy, the old one stays open.',
  'rtsp.tls':
    'The RTSPS port opens, moves or closes. Sessions go on. When it is busy, or the certificate cannot be used, everything stays as it was.',
  'rtmp.listener':
    'The RTMP port moves. Sessions go on; new ones come over the new port. When it is busy, the old one stays open.',
  'rtmp.tls':
    'The RTMPS port opens, moves or closes. Sessions go on. When it is busy, or the certificate cannot be used, everything stays as it was.',
  'rtsp.sessions': 'Goes for new sessions.',
  'rtsp.media':
    'Goes for new sessions; those that there are keep their ports. When a UDP port that is given is busy, everything stays as it was; with `auto`, new sessions have TCP only.',
  hls: 'Goes for streams whose first HLS player comes from then on.',
  'webrtc.media':
    'Goes for new sessions; those that there are keep their port. When the new port is busy, everything stays as it was.',
  sources:
    'Only this source ends or begins; with another source its readers wait and go on. The stream of a source that is taken out ends.',
  forwards: 'Only this forward ends or begins; one that stays the same does not notice.',
  jobs: 'Only this job ends, or begins anew; one that stays the same does not notice.',
  detection:
    'Goes at once, also for those who watch already. Parameters that somebody asked for by name stay until that run ends.',
  hooks:
    'Goes for what happens from then on; a command with `while` begins at once where its reason is there. A hook that stays the same keeps what it has to deliver and its commands; one that is taken out has 1.5 s for what waits.',
  algorithms:
    'The folders are read anew, as at every reload. New algorithms can be used at once; runs of one that is gone go on until they end.',
  'algorithm.hosts': 'Goes for worker processes that start from then on.',
  workers: 'Goes at once. Processes over a lower limit end when they have no work left.',
  readers: 'Goes for readers that come from then on.',
  publishers: 'Goes at once, also for readers that are waiting.',
  access:
    'Goes at once for whoever comes. Sessions that would not be let in any more end; those of a user whose password changed too.',
  'http.names': 'Goes at once.',
  log: 'Goes at once.',
} as const satisfies Record<string, string>;

export type Part = keyof typeof parts;

/** Every key of the configuration, in the notation of the reference: `streams.<name>.loop`. */
export type Setting = PathsBelow<Config, ''>;

type PathsBelow<T, Prefix extends string> = T extends unknown
  ? {
      [K in keyof T & string]-?: PathsTo<NonNullable<T[K]>, `${Prefix}${string extends K ? '<name>' : K}`>;
    }[keyof T & string]
  : never;

type PathsTo<T, Path extends string> = T extends string | number | boolean | readonly unknown[] | Address
  ? Path
  : PathsBelow<T, `${Path}.`>;

/** What may be written as text too is one value, with what is said about it. */
interface Address {
  readonly url: string;
  readonly restricted: boolean;
}

/** Setting → the parts that take it up. */
export const settings: Readonly<Record<Setting, readonly Part[]>> = {
  host: [
    'http.listener',
    'http.tls',
    'rtsp.listener',
    'rtsp.media',
    'rtsp.tls',
    'rtmp.listener',
    'rtmp.tls',
    'webrtc.media',
  ],
  'rtsp.port': ['rtsp.listener'],
  'rtsp.tlsPort': ['rtsp.tls'],
  'rtsp.sessionTimeout': ['rtsp.sessions'],
  'rtsp.transports': ['rtsp.media'],
  'rtsp.udpPort': ['rtsp.media'],
  'rtsp.multicast.addresses': ['rtsp.media'],
  'rtsp.multicast.port': ['rtsp.media'],
  'rtsp.multicast.ttl': ['rtsp.media'],
  'rtsp.reorderMs': ['rtsp.media'],
  'rtmp.port': ['rtmp.listener'],
  'rtmp.tlsPort': ['rtmp.tls'],
  'http.port': ['http.listener'],
  'http.tlsPort': ['http.tls'],
  'tls.cert': ['http.tls', 'rtsp.tls', 'rtmp.tls'],
  'tls.key': ['http.tls', 'rtsp.tls', 'rtmp.tls'],
  'http.allowedHosts': ['http.names'],
  'http.allowedOrigins': ['http.names'],
  'hls.lowLatency': ['hls'],
  'hls.segmentCount': ['hls'],
  'hls.segmentSeconds': ['hls'],
  'hls.partMs': ['hls'],
  'hls.segmentMaxBytes': ['hls'],
  'hls.closeSeconds': ['hls'],
  'hls.alwaysOn': ['hls'],
  'webrtc.port': ['webrtc.media'],
  'webrtc.transports': ['webrtc.media'],
  'webrtc.addresses': ['webrtc.media'],
  'webrtc.iceServers': ['webrtc.media'],
  'webrtc.sessionsPerClient': ['webrtc.media'],
  demo: ['sources', 'detection'],
  'streams.<name>.source': ['sources'],
  'streams.<name>.fill': ['sources'],
  'streams.<name>.standby': ['sources'],
  'streams.<name>.standbyAfterSeconds': ['sources'],
  'streams.<name>.onDemand': ['sources'],
  'streams.<name>.onDemandStartSeconds': ['sources'],
  'streams.<name>.onDemandCloseSeconds': ['sources'],
  'streams.<name>.transport': ['sources'],
  'streams.<name>.fingerprint': ['sources'],
  'streams.<name>.insecure': ['sources'],
  'streams.<name>.loop': ['sources'],
  'streams.<name>.detect': ['detection'],
  'streams.<name>.restricted': ['sources'],
  'sources.allowLocal': ['sources', 'forwards', 'jobs'],
  'sources.folders': ['sources', 'jobs'],
  'sources.patternStreams': ['sources'],
  'streams.<name>.forward': ['forwards'],
  'jobs.<name>.type': ['jobs'],
  'jobs.<name>.input': ['jobs'],
  'jobs.<name>.output': ['jobs'],
  'jobs.<name>.video': ['jobs'],
  'jobs.<name>.audio': ['jobs'],
  'jobs.<name>.outputs': ['jobs'],
  'jobs.<name>.offset': ['jobs'],
  'jobs.<name>.noVideo': ['jobs'],
  'jobs.<name>.noAudio': ['jobs'],
  'jobs.<name>.bitrate': ['jobs'],
  'jobs.<name>.scale': ['jobs'],
  'jobs.<name>.fps': ['jobs'],
  'jobs.<name>.sampleRate': ['jobs'],
  'jobs.<name>.hardware': ['jobs'],
  'jobs.<name>.loop': ['jobs'],
  'jobs.<name>.enabled': ['jobs'],
  'outputs.folders': ['jobs'],
  hooks: ['hooks'],
  'algorithms.folders': ['algorithms'],
  'algorithms.memoryMb': ['algorithm.hosts'],
  'workers.max': ['workers'],
  'workers.memoryMb': ['workers'],
  'reader.queueMs': ['readers'],
  'reader.queueBytes': ['readers'],
  'reader.stallSeconds': ['readers'],
  'publisher.takeover': ['publishers'],
  'publisher.holdSeconds': ['publishers'],
  users: ['access'],
  tokens: ['access'],
  'jwt.jwks': ['access'],
  'jwt.issuer': ['access'],
  'jwt.audience': ['access'],
  'jwt.permissionsClaim': ['access'],
  'authHook.url': ['access'],
  'authHook.timeoutSeconds': ['access'],
  'log.level': ['log'],
  'log.format': ['log'],
};

/** What a change of a key does, in sentences; undefined when there is no such key. */
export function effectOf(setting: string): string | undefined {
  if (!Object.hasOwn(settings, setting)) return undefined;
  return settings[setting as Setting].map((part) => parts[part]).join(' ');
}
