import type { OnDemand, OnDemandLimits } from '#hub/on-demand.ts';
import { maskAddress } from '#protocols/rtsp/credentials.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import type { SourceTask } from './contract.ts';

/** One stream of the configuration that has a source of its own. */
export type SourceSettings = FileSettings | RtspSettings;

interface CommonSettings {
  readonly stream: string;
  /** The source is there while somebody wants the stream, within these limits; undefined: always. */
  readonly onDemand: OnDemandLimits | undefined;
}

export interface FileSettings extends CommonSettings {
  readonly kind: 'file';
  /** Absolute path of the file. */
  readonly path: string;
  readonly loop: boolean;
}

export interface RtspSettings extends CommonSettings {
  readonly kind: 'rtsp';
  /** With credentials. */
  readonly url: string;
  readonly transport: 'auto' | 'tcp' | 'udp';
}

export interface SourceStatus {
  readonly stream: string;
  /** Where it comes from: the path of the file, or the address without credentials. */
  readonly address: string;
  /** `idle`: on demand, and nobody wants it; else as its task has it. */
  readonly state: SourceTask['status']['state'] | 'idle';
  /** Why it does not run, in a sentence. */
  readonly reason?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
}

/** Begins what brings a stream; injected, because this room knows no workers. Never calls `onState` before it returns. */
export type StartSource = (
  settings: SourceSettings,
  onState: (status: SourceTask['status']) => void,
) => SourceTask;

/** The sources that the configuration asks for, those on demand too. */
export class ConfiguredSources implements AsyncDisposable {
  readonly #sources: readonly ConfiguredSource[];

  constructor(options: {
    readonly settings: readonly SourceSettings[];
    readonly start: StartSource;
    readonly onState: (status: SourceStatus) => void;
    readonly onDemand: OnDemand;
    readonly clock?: Clock;
  }) {
    const { settings, ...rest } = options;
    this.#sources = settings.map((one) => new ConfiguredSource(one, rest));
  }

  list(): SourceStatus[] {
    return this.#sources.map((source) => source.status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sources.map((source) => source[Symbol.asyncDispose]()));
  }
}

/** One source: at work from its beginning to its end, or as often as somebody wants its stream. */
export class ConfiguredSource implements AsyncDisposable {
  readonly settings: SourceSettings;
  readonly #start: StartSource;
  readonly #onState: (status: SourceStatus) => void;
  readonly #clock: Clock;
  readonly #takeBack: () => void;
  #task: SourceTask | undefined;
  /** Ends of tasks; two of one source never work at a time. */
  #ending: Promise<void> = Promise.resolve();
  #wanted = false;
  #since: number;

  constructor(
    settings: SourceSettings,
    options: {
      readonly start: StartSource;
      readonly onState: (status: SourceStatus) => void;
      readonly onDemand: OnDemand;
      readonly clock?: Clock;
    },
  ) {
    this.settings = settings;
    this.#start = options.start;
    this.#onState = options.onState;
    this.#clock = options.clock ?? systemClock;
    this.#since = this.#clock.now();
    if (settings.onDemand) {
      const source = this;
      this.#takeBack = options.onDemand.add(
        settings.stream,
        {
          summon: () => this.#summon(),
          dismiss: (reason) => this.#dismiss(reason),
          get trouble() {
            return source.#trouble;
          },
        },
        settings.onDemand,
      );
    } else {
      this.#takeBack = () => {};
      this.#wanted = true;
      this.#begin();
    }
  }

  get status(): SourceStatus {
    const { settings } = this;
    const address = settings.kind === 'file' ? settings.path : maskAddress(settings.url);
    const { stream } = settings;
    if (!this.#task)
      return { stream, address, state: this.#wanted ? 'starting' : 'idle', since: this.#since };
    const { state, reason, code, since } = this.#task.status;
    return {
      stream,
      address,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
      since,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#takeBack();
    this.#dismiss('The source was stopped.');
    await this.#ending;
  }

  get #trouble(): { reason: string; final: boolean } | undefined {
    const status = this.#task?.status;
    return status?.reason === undefined
      ? undefined
      : { reason: status.reason, final: status.state === 'failed' && status.final === true };
  }

  #summon(): void {
    this.#wanted = true;
    this.#since = this.#clock.now();
    void this.#ending.then(() => {
      if (this.#wanted && !this.#task) this.#begin();
    });
  }

  #begin(): void {
    const task = this.#start(this.settings, () => {
      if (this.#task === task) this.#onState(this.status);
    });
    this.#task = task;
    this.#onState(this.status);
  }

  #dismiss(reason: string): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#since = this.#clock.now();
    const task = this.#task;
    this.#task = undefined;
    if (task) this.#ending = task.stop(reason);
    this.#onState(this.status);
  }
}
