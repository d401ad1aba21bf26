import type { JobLogLine } from './job-log.ts';
import type { JobType } from './plan.ts';
import type { Flow } from './progress.ts';

/**
 * `starting`: not everything is there yet. `running`: something goes out. `waiting`: for an input, or for the next attempt
 * at all outputs. `failed`: it can never work as it is, and is not tried again. `stopped`: its input ended, or somebody
 * ended it.
 */
export type JobState = 'starting' | 'running' | 'waiting' | 'failed' | 'stopped';

export interface JobStatus {
  readonly name: string;
  readonly type: JobType;
  readonly state: JobState;
  /** Why it does not run, or what of it does not, in a sentence. */
  readonly reason?: string;
  /** The reason without what differs from attempt to attempt. */
  readonly trouble?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
  /** The latest lines, oldest first. */
  readonly log: readonly JobLogLine[];
  readonly progress: JobProgress;
  readonly inputs: readonly JobPartStatus[];
  readonly outputs: readonly JobOutputStatus[];
}

/** How one address of a job does; it is shown without credentials. */
export interface JobPartStatus {
  readonly url: string;
  /**
   * `idle`: an output whose stream is not there. `waiting`: for the next attempt, or for a publisher. `failed`: it can
   * never work. `done`: an input that is at its end.
   */
  readonly state: 'idle' | 'starting' | 'running' | 'waiting' | 'failed' | 'done' | 'stopped';
  readonly reason?: string;
  /** The reason without what differs from attempt to attempt. */
  readonly trouble?: string;
  readonly code?: string;
}

export interface JobOutputStatus extends JobPartStatus {
  /** In all attempts together. */
  readonly bytesSent: number;
  /** Access units that it lost because the other side was too slow. */
  readonly drops: number;
}

/** How far a job has come. */
export interface JobProgress extends Flow {
  /** Length of the input, where it has an end that is known, ms. */
  readonly durationMs?: number;
  /** By all outputs together. */
  readonly drops: number;
  readonly bytesSent: number;
}
