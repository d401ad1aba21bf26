import type { BurnedInViews } from '#cameras/burned-in-views.ts';
import type { RunManager } from '#cameras/runs.ts';
import type { EntryWish } from '#config/entry-change.ts';
import type { JobKeys } from '#config/job-change.ts';
import type { JobEntry } from '#config/job-schema.ts';
import type { StreamEntry } from '#config/stream-schema.ts';
import type { Hub } from '#hub/hub.ts';
import type { ApiAccess } from './gate.ts';

/**
 * What the API needs of the server, given to it by whoever wires the rooms. Everything here is only looked at, but for
 * the runs, which are started and stopped, and the entries of streams, which are written.
 */
export interface ApiDependencies {
  readonly hub: Pick<Hub, 'streams' | 'get'>;
  readonly runs: Pick<RunManager, 'list' | 'get' | 'acquire' | 'stop'>;
  /** Streams with the results of runs drawn in. */
  readonly burnedIn: Pick<BurnedInViews, 'nameOf' | 'ask'>;
  /** Streams that have a source of their own, whether it runs or not. */
  readonly sources: () => readonly SourceInfo[];
  readonly forwards?: () => readonly ForwardInfo[];
  readonly jobs?: JobsAccess;
  readonly algorithms: () => readonly AlgorithmInfo[];
  readonly workers: () => readonly WorkerInfo[];
  readonly hooks?: () => readonly HookInfo[];
  /** Undefined when the configuration comes from no file. */
  readonly configuration?: () => ConfigurationInfo | undefined;
  /** The entries of `streams` in the configuration. */
  readonly entries?: StreamEntriesAccess;
  readonly access: ApiAccess;
  readonly place: Place;
  /** Version of Sluice. */
  readonly version: string;
  /** Folder of the built page; it need not be there. */
  readonly pageFolder: string;
  /** Told of every fault that is answered with INTERNAL_ERROR. */
  readonly onFault?: (error: unknown, where: string) => void;
}

/** A hook, and how its last call went. Times in milliseconds since 1970. */
export interface HookInfo {
  readonly on?: readonly string[];
  readonly while?: string;
  readonly streams: string;
  readonly target: string;
  readonly queued: number;
  readonly counters: {
    readonly delivered: number;
    readonly failed: number;
    readonly retried: number;
    readonly dropped: number;
  };
  readonly last?: {
    readonly event: { readonly id: string; readonly type: string; readonly stream: string };
    readonly outcome: { readonly ok: boolean; readonly status?: number; readonly message?: string };
    readonly attempts: number;
    readonly at: number;
  };
  readonly running: readonly {
    readonly stream: string;
    readonly pid?: number;
    readonly since: number;
    readonly restarts: number;
  }[];
}

/** Reads and writes entries of `streams` in the configuration, by their keys: names, or patterns of names. */
export interface StreamEntriesAccess {
  /** In the order of the file. */
  list(): ReadonlyMap<string, StreamEntry>;
  /**
   * @param wish `whole`: the keys that it does not have are as by default. `fresh`: there must be no entry yet. `match`:
   *   its `entryVersion` must be one of these
   * @returns whether there was none
   * @throws NamedError
   */
  set(
    key: string,
    wish: {
      readonly keys: EntryWish;
      readonly whole: boolean;
      readonly fresh?: boolean;
      readonly match?: readonly string[] | undefined;
    },
  ): Promise<boolean>;
  /** @throws NamedError */
  remove(key: string, match?: readonly string[]): Promise<void>;
}

/** Where the server listens; asked anew at each request, since it may move. */
export interface Place {
  /** The address of the configuration. */
  readonly host: string;
  /** Names by which it may be reached besides. */
  readonly names: readonly string[];
  /** Origins whose pages may use it; `*`: every one. */
  readonly origins: readonly string[];
  /** Everybody is asked who they are; else only this machine is served. */
  readonly asksWho: boolean;
}

/** The configuration file, and how the last reading of it went. */
export interface ConfigurationInfo {
  /** Absolute path. */
  readonly file: string;
  /** When the configuration at work was read, ms since 1970. */
  readonly loadedAt: number;
  /** Why the file as it is now is not at work. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** What brings a stream, or a part of it. */
export interface SourcePartInfo {
  /** Where it comes from. */
  readonly address: string;
  readonly state: string;
  readonly reason?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
}

/** A stream that is published elsewhere too. */
export interface ForwardInfo {
  readonly stream: string;
  /** Where, without credentials. */
  readonly url: string;
  readonly state: 'idle' | 'starting' | 'running' | 'waiting' | 'failed';
  readonly reason?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
  readonly bytesSent: number;
}

/** A job, and how it does. Times in milliseconds since 1970. */
export interface JobInfo {
  readonly name: string;
  readonly type: JobEntry['type'];
  readonly state: 'starting' | 'running' | 'waiting' | 'failed' | 'stopped';
  readonly reason?: string;
  readonly code?: string;
  readonly since: number;
  readonly log: readonly {
    readonly time: number;
    readonly level: 'info' | 'warn' | 'error';
    readonly message: string;
  }[];
  readonly progress: {
    readonly timeMs: number;
    readonly durationMs?: number;
    readonly speed: number;
    readonly fps: number;
    readonly bitRate: number;
    readonly drops: number;
    readonly bytesSent: number;
  };
  readonly inputs: readonly JobPartInfo[];
  readonly outputs: readonly (JobPartInfo & { readonly bytesSent: number; readonly drops: number })[];
}

/** An address of a job, without credentials. */
export interface JobPartInfo {
  readonly url: string;
  readonly state: 'idle' | 'starting' | 'running' | 'waiting' | 'failed' | 'done' | 'stopped';
  readonly reason?: string;
  readonly code?: string;
}

/** Reads, writes, starts and stops jobs. All of it is saved into the configuration. */
export interface JobsAccess {
  /** How they go, in the order of the file. */
  list(): readonly JobInfo[];
  /** What the configuration says about them, by name. */
  entries(): ReadonlyMap<string, JobEntry>;
  /**
   * @param wish `whole`: the keys that it does not have are as by default. `fresh`: there must be none yet. `may` asks
   *   whether they may read or publish a stream of this server that the job is to; throws where not
   * @returns whether there was none
   * @throws NamedError
   */
  set(
    name: string,
    wish: {
      readonly keys: JobKeys;
      readonly whole: boolean;
      readonly fresh?: boolean;
      readonly may: (action: 'read' | 'publish', stream: string) => Promise<unknown>;
    },
  ): Promise<boolean>;
  /** @throws NamedError */
  remove(name: string): Promise<void>;
  /** @throws NamedError */
  start(name: string): Promise<void>;
  /** @throws NamedError */
  stop(name: string): Promise<void>;
}

/** The source of a stream. */
export interface SourceInfo extends SourcePartInfo {
  readonly stream: string;
  /** A second source, for what it does not have. */
  readonly fill?: SourcePartInfo;
  /** What is shown while it is gone. */
  readonly standby?: SourcePartInfo;
}

/** A text in several languages; `en` is always there. */
export interface LocalText {
  readonly en: string;
  readonly [language: string]: string;
}

/** An algorithm that can be run. */
export interface AlgorithmInfo {
  readonly id: string;
  readonly version: string;
  readonly title: LocalText;
  readonly task: string;
  readonly labels: readonly string[];
  /** JSON Schema of everything that can be set, the parameters that all algorithms have included. */
  readonly parameters: object;
  readonly licence: string;
}

/** A process that runs native code. Times in milliseconds since 1970. */
export interface WorkerInfo {
  readonly id: string;
  readonly role: string;
  readonly pid?: number;
  readonly state: string;
  readonly reason?: string;
  readonly since: number;
  readonly restarts: number;
  readonly quarantine: boolean;
  readonly rssBytes?: number;
  readonly tasks: readonly {
    readonly id: string;
    readonly affinity: string;
    readonly state: string;
    readonly reason?: string;
  }[];
}
