import { isDeepStrictEqual } from 'node:util';
import type { Offering, OnDemand, OnDemandLimits } from '#hub/on-demand.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { SourceTask } from './contract.ts';

/** One stream of the configuration that has a source of its own. */
export type SourceSettings = FileSettings | NetworkSettings | TestSettings | RtspSettings | RtmpSettings;

interface CommonSettings {
  readonly stream: string;
  /** The source is there while somebody wants the stream, within these limits; undefined: always. */
  readonly onDemand: OnDemandLimits | undefined;
  /**
   * Somebody gave it who may not lead us everywhere (the API, or the name of the stream itself): an address may not be
   * one of this machine, its cable or its cloud, whatever its name is pointed at and wherever it redirects to.
   */
  readonly restricted?: true;
}

export interface FileSettings extends CommonSettings {
  readonly kind: 'file';
  /** Absolute path of a file, a folder of files, or a picture. */
  readonly path: string;
  readonly loop: boolean;
  /** Where it is restricted: the folders that the path has to be in, links followed. */
  readonly within?: readonly string[];
}

export interface NetworkSettings extends CommonSettings {
  /** What FFmpeg opens in a worker: http, https, srt, udp. */
  readonly kind: 'network';
  /** With credentials. */
  readonly url: string;
  /** Where it is restricted, and `https`: any certificate is taken. */
  readonly insecure?: boolean;
}

export interface TestSettings extends CommonSettings {
  readonly kind: 'test';
}

export interface RtspSettings extends CommonSettings {
  readonly kind: 'rtsp';
  /** With credentials. */
  readonly url: string;
  readonly transport: 'auto' | 'tcp' | 'udp';
  /** How the certificate of an `rtsps://` server is judged. */
  readonly trust?: { readonly fingerprint: string | undefined; readonly insecure: boolean };
}

export interface RtmpSettings extends CommonSettings {
  readonly kind: 'rtmp';
  /** With credentials. */
  readonly url: string;
  /** How the certificate of an `rtmps://` server is judged. */
  readonly trust?: { readonly fingerprint: string | undefined; readonly insecure: boolean };
}

export interface SourceStatus {
  readonly stream: string;
  /** Where it comes from: the path of the file, or the address without credentials. */
  readonly address: string;
  /** `idle`: on demand, and nobody wants it; else as its task has it. */
  readonly state: SourceTask['status']['state'] | 'idle';
  /** Why it does not run, in a sentence. */
  readonly reason?: string;
  /** The reason without what differs from attempt to attempt. */
  readonly trouble?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
}

/** Begins what brings a stream; injected, because this room knows no workers. Never calls `onState` before it returns. */
export type StartSource = (
  settings: SourceSettings,
  onState: (status: SourceTask['status']) => void,
) => SourceTask;

interface ConfiguredSourceOptions {
  readonly start: StartSource;
  readonly onState: (status: SourceStatus) => void;
  readonly onDemand: OnDemand;
  readonly clock?: Clock;
  /** Nobody wants the stream of one source any more. */
  readonly onDismissed?: (reason: string) => void;
}

/** Streams that come by their names alone; all of them on demand. */
export interface PatternSources {
  /** The source of a stream of that name; undefined where no pattern has one for it. */
  readonly find: (name: string) => SourceSettings | undefined;
  /** How many may be there at a time. */
  readonly max: number;
}

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
    options.onDemand.offering = this;
  }

  list(): SourceStatus[] {
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
    this.#options.onDemand.offering = undefined;
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

/** One source: at work from its beginning to its end, or as often as somebody wants its stream. */
export class ConfiguredSource implements AsyncDisposable {
  readonly #options: ConfiguredSourceOptions;
  readonly #clock: Clock;
  #settings: SourceSettings;
  #takeBack = () => {};
  #task: SourceTask | undefined;
  /** Ends of tasks; two of one stream never work at a time. */
  #ending: Promise<void>;
  #wanted = false;
  #since: number;

  /** `after` is the end of the source that the stream had before. */
  constructor(settings: SourceSettings, options: ConfiguredSourceOptions, after?: Promise<void>) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#since = this.#clock.now();
    this.#ending = after ?? Promise.resolve();
    if (settings.onDemand) {
      this.#offer();
    } else if (after) {
      this.#summon();
    } else {
      this.#wanted = true;
      this.#begin();
    }
  }

  get settings(): SourceSettings {
    return this.#settings;
  }

  /** Goes on with other settings, where they are other ones: readers of the stream are held meanwhile. */
  change(settings: SourceSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (!isDeepStrictEqual({ ...before, onDemand: undefined }, { ...settings, onDemand: undefined })) {
      this.#stop('The source was changed.');
      if (this.#wanted) this.#summon();
    }
    if (settings.onDemand && !before.onDemand) {
      this.#offer();
    } else if (!settings.onDemand && before.onDemand) {
      this.#takeBack();
      this.#takeBack = () => {};
      this.#summon();
    }
  }

  get status(): SourceStatus {
    const settings = this.#settings;
    const address = addressOf(settings);
    const { stream } = settings;
    if (!this.#task)
      return { stream, address, state: this.#wanted ? 'starting' : 'idle', since: this.#since };
    const { state, reason, trouble = reason, code, since } = this.#task.status;
    return {
      stream,
      address,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(trouble === undefined ? {} : { trouble }),
      ...(code === undefined ? {} : { code }),
      since,
    };
  }

  /** Ends it; resolves when nothing of it is left. */
  async end(reason: string): Promise<void> {
    this.#takeBack();
    this.#dismiss(reason);
    await this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end('The source was stopped.');
  }

  get #trouble(): { reason: string; final: boolean } | undefined {
    const status = this.#task?.status;
    return status?.reason === undefined
      ? undefined
      : { reason: status.reason, final: status.state === 'failed' && status.final === true };
  }

  /** From now on it is at work only while somebody wants its stream; where it is at work, it has to be wanted. */
  #offer(): void {
    const trouble = () => this.#trouble;
    const limits = () => this.#settings.onDemand ?? { startMs: 0, closeMs: 0 };
    this.#takeBack = this.#options.onDemand.add(
      this.#settings.stream,
      {
        summon: () => this.#summon(),
        dismiss: (reason) => this.#dismiss(reason),
        get trouble() {
          return trouble();
        },
      },
      {
        get startMs() {
          return limits().startMs;
        },
        get closeMs() {
          return limits().closeMs;
        },
      },
      this.#wanted,
    );
  }

  #summon(): void {
    this.#wanted = true;
    this.#since = this.#clock.now();
    void this.#ending.then(() => {
      if (this.#wanted && !this.#task) this.#begin();
    });
  }

  #begin(): void {
    const task = this.#options.start(this.#settings, () => {
      if (this.#task === task) this.#options.onState(this.status);
    });
    this.#task = task;
    this.#options.onState(this.status);
  }

  #dismiss(reason: string): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#stop(reason);
    this.#options.onState(this.status);
    this.#options.onDismissed?.(reason);
  }

  #stop(reason: string): void {
    this.#since = this.#clock.now();
    const task = this.#task;
    this.#task = undefined;
    if (!task) return;
    const before = this.#ending;
    this.#ending = task.stop(reason).then(() => before);
  }
}

/** Where a source comes from, as people may see it. */
function addressOf(settings: SourceSettings): string {
  switch (settings.kind) {
    case 'file':
      return settings.path;
    case 'test':
      return 'testsrc';
    case 'network':
    case 'rtsp':
    case 'rtmp':
      return maskAddress(settings.url);
  }
}
