/** One stream of the configuration that has a source of its own. */
export interface SourceSettings {
  readonly stream: string;
  /** Absolute path of the file. */
  readonly path: string;
  readonly loop: boolean;
}

export interface SourceStatus {
  readonly stream: string;
  /** Where it comes from: the path of the file. */
  readonly address: string;
  readonly state: string;
  /** Why it does not run, in a sentence. */
  readonly reason?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
}

/** What a source needs of the workers; injected, because this room knows none. */
export interface SourceTask {
  readonly status: Omit<SourceStatus, 'stream' | 'address'>;
  stop(): Promise<void>;
}

export type StartSource = (
  settings: SourceSettings,
  onState: (status: SourceTask['status']) => void,
) => SourceTask;

/** The sources that the configuration asks for: each a task in a worker that publishes into the hub. */
export class ConfiguredSources implements AsyncDisposable {
  readonly #tasks = new Map<string, { settings: SourceSettings; task: SourceTask }>();

  constructor(
    settings: readonly SourceSettings[],
    start: StartSource,
    onState: (status: SourceStatus) => void,
  ) {
    for (const one of settings) {
      const task = start(one, (status) => onState(this.#describe(one, status)));
      this.#tasks.set(one.stream, { settings: one, task });
    }
  }

  list(): SourceStatus[] {
    return [...this.#tasks.values()].map(({ settings, task }) => this.#describe(settings, task.status));
  }

  #describe(
    { stream, path }: SourceSettings,
    { state, reason, code, since }: SourceTask['status'],
  ): SourceStatus {
    return {
      stream,
      address: path,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
      since,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#tasks.values()].map(({ task }) => task.stop()));
  }
}
