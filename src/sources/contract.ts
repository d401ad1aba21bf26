/** What brings a stream, as long as it is not stopped: a task in a worker, or a connection of our own. */
export interface SourceTask {
  readonly status: {
    readonly state: 'starting' | 'running' | 'waiting' | 'failed' | 'done' | 'stopped';
    /** Why it does not run, in a sentence. */
    readonly reason?: string;
    /** Where `reason` tells also of the next attempt: the same without it, equal as long as the trouble is. */
    readonly trouble?: string;
    readonly code?: string;
    /** In `failed`: it can never work, and is not tried again. */
    readonly final?: boolean;
    /** When the state began, ms since 1970. */
    readonly since: number;
  };
  /** How long the media are, where they have an end that is known, ms. */
  readonly durationMs?: number | undefined;
  /** Resolves when nothing of it is left. */
  stop(reason?: string): Promise<void>;
}
