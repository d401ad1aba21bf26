import type { Offering } from '#hub/on-demand.ts';
import { NamedError } from '#util/named-error.ts';
import type { PatternSources, SourceOverview, SourceSettings } from './configured.ts';
import { ConfiguredSource, type ConfiguredSourceOptions } from './configured-source.ts';

const NO_PATTERNS: PatternSources = { find: () => undefined, max: 0 };

const TAKEN_OUT = 'The source was taken out of the configuration.';

/** The sources that the configuration asks for, those on demand too, and those of patterns while somebody wants them. */
export class ConfiguredSources implements AsyncDisposable, Offering {
  readonly #options: ConfiguredSourceOptions & {
    readonly onRemoved: (stream: string, reason: string) => void;
  };
  readonly #sources = new Map<string, ConfiguredSource>();
  /** Ends of sources that were taken out, by stream. */
  readonly #ending = new Map<string, Promise<void>>();
  #patterns: PatternSources = NO_PATTERNS;
  /** Those of `#sources` that came by a pattern. */
  readonly #byPattern = new Set<string>();

  /** `onRemoved` is told of a source that was taken out before it ends, and ends its stream. */
  constructor(
    options: ConfiguredSourceOptions & {
      readonly settings: readonly SourceSettings[];
      readonly patterns?: PatternSources;
      readonly onRemoved: (stream: string, reason: string) => void;
    },
  ) {
    this.#options = options;
    this.apply(options.settings, options.patterns);
    options.onDemand.offerings.add(this);
  }

  list(): SourceOverview[] {
    return this.#sources
      .values()
      .map((source) => source.status)
      .toArray();
  }

  /**
   * Goes on with these sources: begins those that are new, ends those that are gone, and lets those that are not what
   * they were begin anew; the others do not notice. What stands there by name goes before every pattern.
   */
  apply(settings: readonly SourceSettings[], patterns = NO_PATTERNS): void {
    this.#patterns = patterns;
    const wanted = new Map(settings.map((one) => [one.stream, one]));
    for (const stream of [...this.#byPattern]) {
      const found = wanted.has(stream) ? undefined : patterns.find(stream);
      if (found) wanted.set(stream, found);
      else this.#byPattern.delete(stream);
    }
    for (const [stream, source] of this.#sources) if (!wanted.has(stream)) this.#remove(stream, source);
    for (const one of wanted.values()) {
      const known = this.#sources.get(one.stream);
      if (known) known.change(one);
      else this.#add(one);
    }
  }

  has(name: string): boolean {
    return !this.#sources.has(name) && this.#patterns.find(name) !== undefined;
  }

  offer(name: string): NamedError | undefined {
    const settings = this.#sources.has(name) ? undefined : this.#patterns.find(name);
    if (!settings) return undefined;
    const { max } = this.#patterns;
    if (this.#byPattern.size >= max) {
      const most = `${max} streams of patterns are there already, which is the most ("sources.patternStreams")`;
      return new NamedError('SOURCE_LIMIT', `"${name}" cannot come now: ${most}. Try again later.`, 503);
    }
    this.#byPattern.add(name);
    this.#add(settings);
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.onDemand.offerings.delete(this);
    const ends = this.#sources.values().map((source) => source[Symbol.asyncDispose]());
    await Promise.all([...ends, ...this.#ending.values()]);
  }

  #add(settings: SourceSettings): void {
    const { stream } = settings;
    const onDismissed = (reason: string) => {
      // Of a pattern nothing stays behind: the next who wants the stream begins anew.
      if (this.#byPattern.delete(stream)) this.#forget(stream, source, reason);
    };
    const options = { ...this.#options, onDismissed };
    const source = new ConfiguredSource(settings, options, this.#ending.get(stream));
    this.#sources.set(stream, source);
  }

  #remove(stream: string, source: ConfiguredSource): void {
    this.#options.onRemoved(stream, TAKEN_OUT);
    this.#forget(stream, source, TAKEN_OUT);
  }

  #forget(stream: string, source: ConfiguredSource, reason: string): void {
    this.#sources.delete(stream);
    const ending = source.end(reason).then(() => {
      if (this.#ending.get(stream) === ending) this.#ending.delete(stream);
    });
    this.#ending.set(stream, ending);
  }
}
