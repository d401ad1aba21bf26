import type { Hub } from '#hub/hub.ts';
import type { OpenForward } from '#sinks/contract.ts';
import type { ForwardStatus } from '#sinks/forward.ts';
import type { SourceStatus, StartSource } from '#sources/configured.ts';
import type { Clock } from '#util/clock.ts';
import type { JobType } from './plan.ts';

/** What a job needs of whoever runs it: the server, or a command. */
export interface JobEnvironment {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly startSource: StartSource;
  /** @throws AssertionError for an address that the settings should not have let in */
  readonly openForward: (url: string) => OpenForward;
}

/**
 * `starting`: not everything is there yet. `running`: something goes out. `waiting`: for an input, or for the next attempt
 * at all outputs. `failed`: it can never work, and is not tried again. `stopped`: its input ended, or somebody ended it.
 */
export type JobState = 'starting' | 'running' | 'waiting' | 'failed' | 'stopped';

export interface JobStatus {
  readonly name: string;
  readonly type: JobType;
  readonly state: JobState;
  /** Why it does not run, or what of it does not, in a sentence. */
  readonly reason?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
  /** The latest lines, oldest first. */
  readonly log: readonly JobLogLine[];
  readonly progress: JobProgress;
  readonly inputs: readonly JobPartStatus[];
  readonly outputs: readonly (JobPartStatus & { readonly bytesSent: number })[];
}

export interface JobLogLine {
  /** Ms since 1970. */
  readonly time: number;
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
}

/** How one address of a job does; it is shown without credentials. */
export interface JobPartStatus {
  readonly url: string;
  readonly state: SourceStatus['state'] | ForwardStatus['state'];
  readonly reason?: string;
  readonly code?: string;
}

/** How far a job has come. */
export interface JobProgress {
  /** Media that went through since it began, ms. */
  readonly timeMs: number;
  /** Length of the input, where it has an end that is known, ms. */
  readonly durationMs?: number;
  /** Media time per time, over the last seconds; 1 is real time. */
  readonly speed: number;
  /** Pictures per second, over the last seconds. */
  readonly fps: number;
  /** Bits per second, over the last seconds. */
  readonly bitRate: number;
  /** Access units that outputs lost because they were too slow. */
  readonly drops: number;
  /** By all outputs together. */
  readonly bytesSent: number;
}
