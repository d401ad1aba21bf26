import type { SourceOverview, SourceSettings } from './configured.ts';
import { ConfiguredSource, type ConfiguredSourceOptions } from './configured-source.ts';

const TAKEN_OUT = 'The source was taken out of the configuration.';

/** The sources that the configuration asks for, those on demand too. */
export class ConfiguredSources implements AsyncDisposable {
  readonly #options: ConfiguredSourceOptions & {
    readonly onRemoved: (stream: string, reason: string) => void;
  };
  readonly #sources = new Map<string, ConfiguredSource>();
  /** Ends of sources that were taken out, by stream. */
  readonly #ending = new Map<string, Promise<void>>();

  /** `onRemoved` is told of a source that was taken out before it ends, and ends its stream. */
  constructor(
    options: ConfiguredSourceOptions & {
      readonly settings: readonly SourceSettings[];
      readonly onRemoved: (stream: string, reason: string) => void;
    },
  ) {
    this.#options = options;
    this.apply(options.settings);
  }

  list(): SourceOverview[] {
    return this.#sources
      .values()
      .map((source) => source.status)
      .toArray();
  }

  /**
   * Goes on with these sources: begins those that are new, ends those that are gone, and lets those that are not what
   * they were begin anew; the others do not notice.
   */
  apply(settings: readonly SourceSettings[]): void {
    const wanted = new Set(settings.map(({ stream }) => stream));
    for (const [stream, source] of this.#sources) if (!wanted.has(stream)) this.#remove(stream, source);
    for (const one of settings) {
      const known = this.#sources.get(one.stream);
      if (known) known.change(one);
      else
        this.#sources.set(one.stream, new ConfiguredSource(one, this.#options, this.#ending.get(one.stream)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = this.#sources.values().map((source) => source[Symbol.asyncDispose]());
    await Promise.all([...ends, ...this.#ending.values()]);
  }

  #remove(stream: string, source: ConfiguredSource): void {
    this.#sources.delete(stream);
    this.#options.onRemoved(stream, TAKEN_OUT);
    const ending = source.end(TAKEN_OUT).then(() => {
      if (this.#ending.get(stream) === ending) this.#ending.delete(stream);
    });
    this.#ending.set(stream, ending);
  }
}
