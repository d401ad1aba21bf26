import { fileURLToPath } from 'node:url';
import type { Config } from '#config/schema.ts';
import { parseStreamName } from '#hub/name.ts';
import type { SourceSettings } from '#sources/configured.ts';

const DEMONSTRATION: ConfiguredStream = {
  source: {
    stream: 'demo',
    path: fileURLToPath(new URL('../../media/people.mp4', import.meta.url)),
    loop: true,
  },
  stream: 'demo',
  detect: [{ algorithm: 'people', parameters: {} }],
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
}

/**
 * The streams of the configuration, and the demonstration camera unless it is off or its name is taken.
 * @throws NamedError STREAM_NAME_INVALID
 */
export function configuredStreams(config: Config): ConfiguredStream[] {
  const streams = Object.entries(config.streams).map(([name, { source, loop, detect }]) => {
    const stream = parseStreamName(name);
    return { stream, source: source === undefined ? undefined : { stream, path: source, loop }, detect };
  });
  const taken = streams.some(({ stream }) => stream === DEMONSTRATION.stream);
  return config.demo && !taken ? [DEMONSTRATION, ...streams] : streams;
}
