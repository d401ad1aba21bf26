import assert from 'node:assert';
import { fileURLToPath } from 'node:url';
import type { FoundManifest } from '#algorithms/manifest.ts';
import { viewName } from '#cameras/burned-in-views.ts';
import { checkDefault } from '#cameras/catalogue.ts';
import type { BurnIn, FrameSettings } from '#cameras/contract.ts';
import { parseDevice } from '#config/device-address.ts';
import type { Config } from '#config/schema.ts';
import { sourceKind } from '#config/source.ts';
import { compileStreamPattern, isStreamPattern } from '#config/stream-pattern.ts';
import type { LeadingKey, StreamEntry } from '#config/stream-schema.ts';
import { isJobStream, parsePublishedName } from '#hub/name.ts';
import type { ForwardSettings } from '#sinks/forward.ts';
import type { NamelessSource, PatternSources, RtspSettings, SourceSettings } from '#sources/configured.ts';
import { NamedError } from '#util/named-error.ts';

const DEMONSTRATION: ConfiguredStream = {
  source: {
    kind: 'file',
    stream: 'demo',
    path: fileURLToPath(new URL('../../media/people.mp4', import.meta.url)),
    loop: true,
    onDemand: undefined,
  },
  stream: 'demo',
  detect: [{ algorithm: 'people', parameters: {} }],
  forwards: [],
};

/** What the configuration says about one stream. */
export interface ConfiguredStream {
  readonly stream: string;
  /** Absent where somebody publishes it. */
  readonly source: SourceSettings | undefined;
  /** Algorithms that run while somebody watches. */
  readonly detect: readonly {
    readonly algorithm: string;
    readonly parameters: Readonly<Record<string, unknown>>;
    readonly frames?: FrameSettings | undefined;
    readonly burnIn?: BurnIn | undefined;
  }[];
  /** Where it is published too. */
  readonly forwards: readonly ForwardSettings[];
}

/** What the configuration says about all streams whose names fit a pattern. */
export interface PatternStreams {
  /** The key of the entry. */
  readonly pattern: string;
  readonly detect: ConfiguredStream['detect'];
  /** Its streams are published elsewhere too. */
  readonly forwards: boolean;
  /** What it says about the stream of that name; undefined where the name does not fit. */
  readonly of: (name: string) => ConfiguredStream | undefined;
}

/**
 * The streams that the configuration names, and the demonstration camera unless it is off or its name is taken.
 * @throws NamedError STREAM_NAME_INVALID
 */
export function configuredStreams(config: Config): ConfiguredStream[] {
  const named = Object.entries(config.streams).filter(([key]) => !isStreamPattern(key));
  const streams = named.map(([name, entry]) => {
    const stream = parsePublishedName(name);
    const { detect, forward } = entry;
    const source = sourceOf(stream, entry, limitsOf(entry, config));
    return { stream, source, detect, forwards: forward.map((one) => forwardOf(stream, one, config)) };
  });
  const taken = streams.some(({ stream }) => stream === DEMONSTRATION.stream);
  return config.demo && !taken ? [DEMONSTRATION, ...streams] : streams;
}

/** The entries for patterns, in the order of the file. */
export function patternStreams(config: Config): PatternStreams[] {
  const patterns = Object.entries(config.streams).filter(([key]) => isStreamPattern(key));
  return patterns.map(([pattern, entry]) => {
    const { choosesHost, match } = compileStreamPattern(pattern, entry.source);
    const forwards = entry.forward.map((one) => ({ one, address: compileStreamPattern(pattern, one.url) }));
    // Where the name has a say in the host, whoever asks for a stream has: then nobody's word counts for all of them.
    const fill = compileStreamPattern(pattern, entry.fill);
    const limits = limitsOf(entry, config, { source: choosesHost, fill: fill.choosesHost });
    const onDemand = { ...entry, onDemand: true };
    return {
      pattern,
      detect: entry.detect,
      forwards: forwards.length > 0,
      of: (name) => {
        const found = match(name);
        if (!found) return undefined;
        const source = sourceOf(
          name,
          { ...onDemand, source: found.source, fill: fill.match(name)?.source },
          limits,
        );
        return {
          stream: name,
          source,
          detect: entry.detect,
          forwards: forwards.flatMap(({ one, address }) => {
            const url = address.match(name)?.source;
            return url === undefined ? [] : [forwardOf(name, { ...one, url }, config)];
          }),
        };
      },
    };
  });
}

/** @param also what is restricted whoever wrote it */
function limitsOf(
  { restricted }: StreamEntry,
  { sources }: Config,
  also: { readonly source?: boolean; readonly fill?: boolean; readonly standby?: boolean } = {},
): Limits {
  const of = (key: LeadingKey) =>
    (restricted.includes(key) || also[key]) && !sources.allowLocal ? sources : undefined;
  return { source: of('source'), fill: of('fill'), standby: of('standby') };
}

/** What the first pattern that fits says about a stream that the configuration does not name. */
export function byPattern(patterns: readonly PatternStreams[], name: string): ConfiguredStream | undefined {
  // Patterns are about what others bring.
  if (isJobStream(name)) return undefined;
  for (const { of } of patterns) {
    const found = of(name);
    if (found) return found;
  }
  return undefined;
}

/**
 * Where streams are published too: those that are named at any time, those of patterns while they are there.
 * @param present names of streams that are there
 */
export function forwardsOf(
  streams: readonly ConfiguredStream[],
  patterns: readonly PatternStreams[],
  present: readonly string[],
): ForwardSettings[] {
  const named = new Set(streams.map(({ stream }) => stream));
  const others = present.filter((name) => !named.has(name));
  return [
    ...streams.flatMap(({ forwards }) => forwards),
    ...others.flatMap((name) => byPattern(patterns, name)?.forwards ?? []),
  ];
}

/** The sources of streams that the configuration does not name. */
export function patternSources(patterns: readonly PatternStreams[], { sources }: Config): PatternSources {
  return {
    max: sources.patternStreams,
    find: (name) => (isStreamName(name) ? byPattern(patterns, name)?.source : undefined),
  };
}

/** What is to look at streams, by the keys of the configuration. */
export function detectionOf(
  streams: readonly ConfiguredStream[],
  patterns: readonly PatternStreams[],
): { readonly stream: string; readonly detect: ConfiguredStream['detect'] }[] {
  return [...streams, ...patterns.map(({ pattern, detect }) => ({ stream: pattern, detect }))];
}

/** What is to look at a stream, by its name. What was drawn into the picture already is not looked at by patterns again. */
export function detectOn(
  streams: readonly ConfiguredStream[],
  patterns: readonly PatternStreams[],
): (name: string) => ConfiguredStream['detect'] {
  const named = new Map(streams.map(({ stream, detect }) => [stream, detect]));
  const of = (name: string): ConfiguredStream['detect'] => {
    const own = named.get(name);
    if (own) return own;
    const at = name.lastIndexOf('/');
    const [stream, last] = [name.slice(0, at), name.slice(at + 1)];
    const isView = at > 0 && of(stream).some(({ algorithm, burnIn }) => burnIn && algorithm === last);
    return isView ? [] : (byPattern(patterns, name)?.detect ?? []);
  };
  return of;
}

/**
 * Makes sure that the algorithms which the configuration wants can run as it wants them, and that streams with their
 * results drawn in have names of their own.
 * @param file where the configuration stands, for the error
 * @throws NamedError ALGORITHM_UNKNOWN, PARAMETERS_INVALID, STREAM_NAME_INVALID, CONFIG_INVALID that names the file and the
 *   key
 */
export function checkDetection(
  streams: ReturnType<typeof detectionOf>,
  algorithms: ReadonlyMap<string, FoundManifest>,
  file = 'The configuration',
): void {
  for (const { stream, detect } of streams) {
    for (const [index, wish] of detect.entries()) {
      try {
        checkDefault(algorithms, wish);
        if (wish.burnIn && !isStreamPattern(stream)) checkViewName(viewName(stream, wish.algorithm), streams);
      } catch (error) {
        if (!(error instanceof NamedError)) throw error;
        const sentence = `${file}: "streams.${stream}.detect[${index}]": ${error.message}`;
        throw new NamedError(error.code, sentence, error.status, { cause: error });
      }
    }
  }
}

function checkViewName(name: string, streams: ReturnType<typeof detectionOf>): void {
  parsePublishedName(name);
  if (!streams.some(({ stream }) => stream === name)) return;
  const sentence = `"burnIn" makes a stream "${name}", and "streams" has another one of that name. Give that another name.`;
  throw new NamedError('CONFIG_INVALID', sentence, 400);
}

/** What is held to it may lead nowhere but where `sources` of the configuration lets the API lead. */
export type Limit = Config['sources'] | undefined;
type Limits = Readonly<Record<LeadingKey, Limit>>;

function sourceOf(stream: string, entry: StreamEntry, limits: Limits): SourceSettings | undefined {
  const { source, transport, loop, fingerprint, insecure, fill, standby, standbyAfterSeconds } = entry;
  if (source === undefined) return undefined;
  const { onDemandStartSeconds, onDemandCloseSeconds } = entry;
  const kind = sourceKind(source);
  const onDemand =
    entry.onDemand ?? (kind === 'rtsp' || kind === 'rtmp' || kind === 'whep' || kind === 'network');
  return {
    ...mediaOf(source, { loop, transport, trust: { fingerprint, insecure }, limit: limits.source }),
    stream,
    onDemand: onDemand
      ? { startMs: onDemandStartSeconds * 1000, closeMs: onDemandCloseSeconds * 1000 }
      : undefined,
    // Whose certificate `fingerprint` is, is the source.
    fill:
      fill === undefined
        ? undefined
        : {
            ...mediaOf(fill, {
              loop,
              transport: 'auto',
              trust: { fingerprint: undefined, insecure },
              limit: limits.fill,
            }),
            stream,
          },
    standby:
      standby === undefined
        ? undefined
        : {
            path: standby,
            afterMs: standbyAfterSeconds * 1000,
            ...(limits.standby ? { within: limits.standby.folders } : {}),
          },
  };
}

/** What an address of the configuration leads to, by itself. */
export function mediaOf(
  address: string,
  how: Required<Pick<RtspSettings, 'transport' | 'trust'>> & {
    readonly loop: boolean;
    readonly limit: Limit;
  },
): NamelessSource {
  const { transport, trust, loop, limit } = how;
  const kind = sourceKind(address);
  const common = { onDemand: undefined, ...(limit ? ({ restricted: true } as const) : {}) };
  switch (kind) {
    case 'rtsp':
      return { ...common, kind, url: address, transport, trust };
    case 'rtmp':
    case 'whep':
      return { ...common, kind, url: address, trust };
    case 'network':
      return { ...common, kind, url: address, ...(/^https?:/i.test(address) ? { trust } : {}) };
    case 'test':
      return { ...common, kind };
    case 'device': {
      const device = parseDevice(address);
      assert(device, 'The configuration let a device in that is none.');
      return { ...common, kind, device, address };
    }
    default:
      return { ...common, kind: 'file', path: address, loop, ...(limit ? { within: limit.folders } : {}) };
  }
}

function forwardOf(
  stream: string,
  forward: StreamEntry['forward'][number] & { fingerprint?: string | undefined },
  { sources }: Config,
): ForwardSettings {
  const { url, fingerprint, insecure, restricted } = forward;
  const limit = restricted && !sources.allowLocal ? ({ restricted: true } as const) : {};
  return { stream, url, trust: { fingerprint, insecure }, ...limit };
}

function isStreamName(text: string): boolean {
  try {
    return parsePublishedName(text) === text;
  } catch {
    return false;
  }
}
