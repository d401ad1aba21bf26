/** One stream of the configuration that has a source of its own. */
export interface SourceSettings {
  readonly stream: string;
  /** Absolute path of the file. */
  readonly path: string;
  readonly loop: boolean;
}

export interface SourceStatus {
  readonly stream: string;
  readonly path: string;
  readonly state: string;
  /** Why it does not run, in a sentence. */
  readonly reason?: string | undefined;
  readonly code?: string | undefined;
}

/** What a source needs of the workers; injected, because this room knows none. */
export interface SourceTask {
  readonly status: { readonly state: string; readonly reason?: string; readonly code?: string };
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
      const { stream, path } = one;
      const task = start(one, ({ state, reason, code }) => onState({ stream, path, state, reason, code }));
      this.#tasks.set(stream, { settings: one, task });
    }
  }

  list(): SourceStatus[] {
    return [...this.#tasks.values()].map(({ settings: { stream, path }, task: { status } }) => ({
      stream,
      path,
      state: status.state,
      reason: status.reason,
      code: status.code,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#tasks.values()].map(({ task }) => task.stop()));
  }
}
