import { fileURLToPath } from 'node:url';
import type { FoundManifest } from '#algorithms/manifest.ts';
import { checkDefault } from '#cameras/catalogue.ts';
import type { Config } from '#config/schema.ts';
import { sourceKind } from '#config/source.ts';
import { parseStreamName } from '#hub/name.ts';
import type { ForwardSettings } from '#sinks/forward.ts';
import type { RtspSettings, SourceSettings } from '#sources/configured.ts';
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
  }[];
  /** Where it is published too. */
  readonly forwards: readonly ForwardSettings[];
}

/**
 * The streams of the configuration, and the demonstration camera unless it is off or its name is taken.
 * @throws NamedError STREAM_NAME_INVALID
 */
export function configuredStreams(config: Config): ConfiguredStream[] {
  const streams = Object.entries(config.streams).map(([name, settings]) => {
    const stream = parseStreamName(name);
    const forwards = settings.forward.map((one) => {
      const { url, fingerprint, insecure } = { fingerprint: undefined, ...one };
      return { stream, url, trust: { fingerprint, insecure } };
    });
    return { stream, source: sourceOf(stream, settings), detect: settings.detect, forwards };
  });
  const taken = streams.some(({ stream }) => stream === DEMONSTRATION.stream);
  return config.demo && !taken ? [DEMONSTRATION, ...streams] : streams;
}

/**
 * Makes sure that the algorithms which the configuration wants can run as it wants them.
 * @param file where the configuration stands, for the error
 * @throws NamedError ALGORITHM_UNKNOWN, PARAMETERS_INVALID that names the file and the key
 */
export function checkDetection(
  streams: readonly ConfiguredStream[],
  algorithms: ReadonlyMap<string, FoundManifest>,
  file = 'The configuration',
): void {
  for (const { stream, detect } of streams) {
    for (const [index, wish] of detect.entries()) {
      try {
        checkDefault(algorithms, wish);
      } catch (error) {
        if (!(error instanceof NamedError)) throw error;
        const sentence = `${file}: "streams.${stream}.detect[${index}]": ${error.message}`;
        throw new NamedError(error.code, sentence, error.status, { cause: error });
      }
    }
  }
}

function sourceOf(stream: string, settings: Config['streams'][string]): SourceSettings | undefined {
  const { source, transport, loop, fingerprint, insecure, fill, standby, standbyAfterSeconds } = settings;
  if (source === undefined) return undefined;
  const { onDemandStartSeconds, onDemandCloseSeconds } = settings;
  const kind = sourceKind(source);
  const onDemand =
    settings.onDemand ?? (kind === 'rtsp' || kind === 'rtmp' || kind === 'whep' || kind === 'network');
  return {
    ...mediaOf(stream, source, { loop, transport, trust: { fingerprint, insecure } }),
    onDemand: onDemand
      ? { startMs: onDemandStartSeconds * 1000, closeMs: onDemandCloseSeconds * 1000 }
      : undefined,
    // Whose certificate `fingerprint` is, is the source.
    fill:
      fill === undefined
        ? undefined
        : mediaOf(stream, fill, {
            loop,
            transport: 'auto',
            trust: { fingerprint: undefined, insecure },
          }),
    standby: standby === undefined ? undefined : { path: standby, afterMs: standbyAfterSeconds * 1000 },
  };
}

/** What an address of the configuration leads to, by itself. */
function mediaOf(
  stream: string,
  address: string,
  how: Pick<RtspSettings, 'transport' | 'trust'> & { readonly loop: boolean },
): SourceSettings {
  const kind = sourceKind(address);
  const common = { stream, onDemand: undefined };
  switch (kind) {
    case 'rtsp':
      return {
        ...common,
        kind,
        url: address,
        transport: how.transport,
        ...(how.trust && { trust: how.trust }),
      };
    case 'rtmp':
    case 'whep':
      return { ...common, kind, url: address, ...(how.trust && { trust: how.trust }) };
    case 'network':
      return { ...common, kind, url: address };
    case 'test':
      return { ...common, kind };
    default:
      return { ...common, kind: 'file', path: address, loop: how.loop };
  }
}
