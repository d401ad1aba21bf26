import type { Manifest, Parameters, RunStatistics } from '#algorithms/contract.ts';

/** Who asks for a run. `id` tells askers apart, over all kinds; `reason` is for people. */
export interface Holder {
  readonly kind: 'viewer' | 'view' | 'api' | 'config';
  readonly id: string;
  readonly reason: string;
}

/** One asker's claim on a run. */
export interface Lease {
  readonly id: string;
  /** Id of the run. */
  readonly run: string;
  readonly holder: Holder;
  /** Its holder named parameters, which therefore nobody changes under it. */
  insists: boolean;
  /** ms since 1970 */
  readonly since: number;
}

export type RunState = 'starting' | 'running' | 'waiting' | 'failed';

/** A run as the API shows it. */
export interface RunInfo {
  readonly id: string;
  readonly stream: string;
  readonly algorithm: string;
  /** The algorithm's, by language. */
  readonly title: Manifest['title'];
  readonly parameters: Parameters;
  readonly state: RunState;
  /** Why it is not running, in a sentence. */
  readonly reason?: string;
  readonly code?: string;
  /** When the run began, ms since 1970. */
  readonly since: number;
  readonly leases: readonly {
    readonly id: string;
    readonly holder: Holder['kind'];
    readonly reason: string;
    readonly since: number;
  }[];
  /** Since the run began, over restarts of its worker. */
  readonly statistics: RunStatistics;
  readonly lastResult?: { readonly pts: number; readonly ntp: number; readonly objects: number };
  /** Objects per result, mean over the results of the last 10 s; absent when there were none. */
  readonly averageObjects?: number;
}

/** How results are drawn into the pictures of a stream. */
export interface BurnIn {
  /** Boxes have labels and scores. */
  readonly labels: boolean;
  /** When the picture was captured stands in its corner. */
  readonly clock: boolean;
  /** A picture that the algorithm gave back stands until the next one. */
  readonly hold: boolean;
  /** Longest time that pictures wait for their results. */
  readonly maxDelaySeconds: number;
}

/** An algorithm that runs on a stream whenever somebody watches it. */
export interface DefaultWish {
  readonly algorithm: string;
  readonly parameters?: Parameters | undefined;
  /** There is a stream `<stream>/<algorithm>` as well, with the results drawn into its pictures. */
  readonly burnIn?: BurnIn | undefined;
}

/** A picture that an algorithm gave back. */
export interface GivenPicture {
  readonly jpeg: Buffer;
  /** Of the picture that it was made from, ticks of the track's clock rate. */
  readonly pts: number;
  /** When that was captured, ms since 1970. */
  readonly ntp: number;
  readonly width: number;
  readonly height: number;
}

/** What a worker is asked to do for a run. */
export interface RunSpec {
  readonly kind: 'run';
  readonly run: string;
  readonly stream: string;
  readonly algorithm: string;
  /** Path of the manifest file. */
  readonly manifest: string;
  readonly parameters: Parameters;
}

/** A run's task, as its executor keeps it. */
export interface RunTask {
  readonly id: string;
  /** Number of the attempt; results of another one are void. */
  readonly epoch: number;
  /** Resolves when nothing of the task is left. */
  stop(): Promise<void>;
}

/** Who gets the work done: the worker pool. It retries what fails, and never calls `onState` before it returns. */
export interface Executor {
  start(request: {
    readonly role: 'pipeline';
    readonly affinity: string;
    readonly spec: RunSpec;
    readonly onState: (status: {
      readonly state: RunState | 'done' | 'stopped';
      readonly reason?: string;
      readonly code?: string;
    }) => void;
  }): RunTask;
}
