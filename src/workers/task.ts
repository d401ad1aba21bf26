import { Backoff } from '#util/backoff.ts';
import type { Clock } from '#util/clock.ts';
import type { WorkerRole } from './placement.ts';

/**
 * `starting`: placed, and not yet confirmed by its worker. `running`. `waiting`: for something outside (its stream,
 * its worker). `failed`: the last attempt failed; with `retryInMs` there will be another one, else that is the end.
 * `done`: it ended by itself. `stopped`: its owner, or the end of the pool, ended it.
 */
export type TaskState = 'starting' | 'running' | 'waiting' | 'failed' | 'done' | 'stopped';

/** What a worker says about a task. */
export interface TaskUpdate {
  readonly task: string;
  readonly epoch: number;
  readonly state: Exclude<TaskState, 'stopped'>;
  /** Why, in a sentence. */
  readonly reason?: string | undefined;
  readonly code?: string | undefined;
  /** With `done`: what the task was to find out. */
  readonly report?: unknown;
}

export interface TaskStatus {
  readonly state: TaskState;
  /** Why, in a sentence. */
  readonly reason?: string;
  readonly code?: string;
  readonly report?: unknown;
  /** When the state was entered, ms since 1970. */
  readonly since: number;
  /** In state `failed`: milliseconds from `since` to the next attempt. */
  readonly retryInMs?: number;
}

export interface TaskRequest<Spec> {
  readonly role: WorkerRole;
  /** Tasks with the same key share a worker: those of one stream, so that one decode serves all. */
  readonly affinity: string;
  /** What the worker is to do; the pool does not look into it. */
  readonly spec: Spec;
  /** Try again, after a back-off, when it fails or its worker dies. Default true; a probe says false. */
  readonly restart?: boolean;
  /** Told of every change that the owner did not ask for itself; never before `start` has returned. */
  readonly onState?: (status: TaskStatus) => void;
}

/** What the owner of a task holds. */
export interface TaskHandle {
  readonly id: string;
  readonly status: TaskStatus;
  readonly state: TaskState;
  readonly reason: string | undefined;
  /** Number of the attempt, from 1; 0 before the first. What a worker sends under another one is void. */
  readonly epoch: number;
  /** Ends the task; resolves when its worker has confirmed it or is gone, after 2 s in any case. May be called again. */
  stop(): Promise<void>;
  /** True when what `workerId` sends under `epoch` is this task's own. */
  accepts(workerId: string, epoch: number): boolean;
  /** Tells the task something, which the pool does not look into; lost while it is with no worker. */
  tell(input: unknown): void;
}

/** The way to a worker that has said hello. */
export interface WorkerLink<Spec> {
  start(task: { readonly id: string; readonly epoch: number; readonly spec: Spec }): void;
  stop(task: string): void;
  /** Something for the attempt `epoch` of a task. */
  tell(task: string, epoch: number, input: unknown): void;
}

/** Where a task lives; the slot of a worker is one. */
export interface TaskHome<Spec> {
  /** Changes with each restart of the worker; undefined while it is gone. */
  readonly workerId: string | undefined;
  readonly link: WorkerLink<Spec> | undefined;
  /** The task is over and leaves. */
  remove(task: PoolTask<Spec>): void;
}

const STOP_MS = 2000;
/** A task that ran for so long was healthy: its next failure counts as the first. */
const HEALTHY_MS = 30_000;

/** One task of a pool: its state, its attempts, and the back-off between them. */
export class PoolTask<Spec> implements TaskHandle {
  readonly id: string;
  readonly request: TaskRequest<Spec>;
  readonly #clock: Clock;
  #home: TaskHome<Spec>;
  readonly #backoff = new Backoff();
  #status: TaskStatus;
  #epoch = 0;
  #stopping: PromiseWithResolvers<void> | undefined;
  #cancelTimer = () => {};

  constructor(id: string, request: TaskRequest<Spec>, home: TaskHome<Spec>, clock: Clock) {
    this.id = id;
    this.request = request;
    this.#home = home;
    this.#clock = clock;
    this.#status = { state: 'starting', since: clock.now() };
  }

  get status(): TaskStatus {
    return this.#status;
  }

  get state(): TaskState {
    return this.#status.state;
  }

  get reason(): string | undefined {
    return this.#status.reason;
  }

  get epoch(): number {
    return this.#epoch;
  }

  accepts(workerId: string, epoch: number): boolean {
    return !this.#over && this.#home.workerId === workerId && this.#epoch === epoch;
  }

  tell(input: unknown): void {
    if (!this.#over && !this.#stopping && this.#epoch > 0) this.#home.link?.tell(this.id, this.#epoch, input);
  }

  stop(): Promise<void> {
    if (this.#stopping) return this.#stopping.promise;
    const stopping = (this.#stopping = Promise.withResolvers<void>());
    const { atWork } = this;
    this.#cancelTimer();
    if (!this.#over) this.#status = { state: 'stopped', since: this.#clock.now() };
    const { link } = this.#home;
    if (!link || !atWork) {
      this.#leave();
    } else {
      this.#cancelTimer = this.#clock.after(STOP_MS, () => this.#leave());
      link.stop(this.id);
    }
    return stopping.promise;
  }

  /** True when a crash of its worker may be its fault: it has been handed to it, and has not failed by itself. */
  get atWork(): boolean {
    return this.#epoch > 0 && !this.#over && this.state !== 'failed';
  }

  /** Goes on in another worker, see {@link send}; only while it is with none. */
  move(home: TaskHome<Spec>, reason: string): void {
    this.#home = home;
    this.#change({ ...this.#status, reason });
  }

  /** Hands the task to its worker, as a new attempt. */
  send(): void {
    const { link } = this.#home;
    if (this.#over || !link) return;
    this.#cancelTimer();
    this.#epoch++;
    if (this.state !== 'starting') this.#change({ state: 'starting' });
    link.start({ id: this.id, epoch: this.#epoch, spec: this.request.spec });
  }

  /** Takes in what its worker says about it. */
  update({ epoch, state, reason, code, report }: Omit<TaskUpdate, 'task'>): void {
    if (epoch !== this.#epoch) return;
    if (this.#stopping) {
      if (state === 'done' || state === 'failed') this.#leave();
      return;
    }
    if (this.#over) return;
    const said = {
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
      ...(report === undefined ? {} : { report }),
    };
    if (state === 'failed' && this.request.restart !== false) {
      if (this.#wasHealthy) this.#backoff.reset();
      const retryInMs = Math.round(this.#backoff.next());
      this.#cancelTimer();
      this.#cancelTimer = this.#clock.after(retryInMs, () => this.send());
      this.#change({ ...said, retryInMs });
    } else if (state === 'failed' || state === 'done') {
      this.#leave();
      this.#change(said);
    } else {
      this.#change(said);
    }
  }

  /** Its worker is gone: the next one gets it, unless it is not to be tried again. */
  orphan(reason: string): void {
    if (this.#stopping) {
      this.#leave();
    } else if (!this.#over) {
      this.#cancelTimer();
      if (this.request.restart === false) this.#leave();
      const state = this.request.restart === false ? 'failed' : 'waiting';
      this.#change({ state, reason, code: 'WORKER_LOST' });
    }
  }

  /** The pool ends: the owner is told. */
  abandon(reason: string): void {
    if (!this.#over) this.#change({ state: 'stopped', reason });
    this.#leave();
  }

  /** True when nothing more will come of it. */
  get #over(): boolean {
    const { state, retryInMs } = this.#status;
    return state === 'done' || state === 'stopped' || (state === 'failed' && retryInMs === undefined);
  }

  get #wasHealthy(): boolean {
    return this.state === 'running' && this.#clock.now() - this.#status.since >= HEALTHY_MS;
  }

  #leave(): void {
    this.#cancelTimer();
    this.#home.remove(this);
    this.#stopping?.resolve();
  }

  #change(status: Omit<TaskStatus, 'since'>): void {
    const before = this.#status;
    // A worker may say again what we know, or the same state for a new reason.
    const same = status.state === before.state;
    this.#status = { ...status, since: same ? before.since : this.#clock.now() };
    if (same && status.reason === before.reason && status.code === before.code) return;
    this.request.onState?.(this.#status);
  }
}
