import { isDeepStrictEqual } from 'node:util';
import type { OnDemand, OnDemandLimits } from '#hub/on-demand.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import type { SourceTask } from './contract.ts';

/** One stream of the configuration that has a source of its own. */
export type SourceSettings = FileSettings | NetworkSettings | TestSettings | RtspSettings | WhepSettings;

interface CommonSettings {
  readonly stream: string;
  /** The source is there while somebody wants the stream, within these limits; undefined: always. */
  readonly onDemand: OnDemandLimits | undefined;
}

export interface FileSettings extends CommonSettings {
  readonly kind: 'file';
  /** Absolute path of a file, a folder of files, or a picture. */
  readonly path: string;
  readonly loop: boolean;
}

export interface NetworkSettings extends CommonSettings {
  /** What FFmpeg opens in a worker: http, https, srt, udp. */
  readonly kind: 'network';
  /** With credentials. */
  readonly url: string;
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

export interface WhepSettings extends CommonSettings {
  readonly kind: 'whep';
  /** With credentials. */
  readonly url: string;
  /** How the certificate of a server over HTTPS is judged. */
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
}

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

  list(): SourceStatus[] {
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
    case 'whep':
      return maskAddress(settings.url);
  }
}
