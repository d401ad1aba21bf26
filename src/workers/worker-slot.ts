import type { Clock } from '#util/clock.ts';
import type { Candidate, WorkerRole } from './placement.ts';
import {
  type Child,
  type ProcessState,
  type ProcessStatus,
  SupervisedProcess,
  type SupervisionLimits,
} from './supervised-process.ts';
import type { PoolTask, TaskHome, TaskState, WorkerLink } from './task.ts';

/** A worker as the API shows it. */
export interface WorkerInfo {
  /** Stays the same over restarts. */
  readonly id: string;
  readonly role: WorkerRole;
  readonly pid?: number;
  readonly state: ProcessState;
  /** Why it is not running, or why the process before this one ended. */
  readonly reason?: string;
  /** When the state was entered, ms since 1970. */
  readonly since: number;
  readonly restarts: number;
  /** Resident memory as the worker last said, bytes. */
  readonly rssBytes?: number;
  readonly tasks: readonly {
    readonly id: string;
    readonly affinity: string;
    readonly state: TaskState;
    readonly reason?: string;
  }[];
}

export interface WorkerSlotOptions {
  readonly spawn: (workerId: string) => Child;
  readonly clock: Clock;
  readonly idleMs: number;
  readonly limits: Partial<SupervisionLimits>;
  readonly onChange: () => void;
  /** It has had no task for `idleMs`. */
  readonly onIdle: () => void;
}

/** The place of one worker: the process that fills it may change, its tasks stay. */
export class WorkerSlot<Spec> implements TaskHome<Spec>, Candidate {
  readonly id: string;
  readonly role: WorkerRole;
  readonly tasks = new Map<string, PoolTask<Spec>>();
  readonly #options: WorkerSlotOptions;
  readonly #process: SupervisedProcess;
  #workerId: string | undefined;
  #link: WorkerLink<Spec> | undefined;
  #rssBytes: number | undefined;
  #cancelIdle = () => {};

  constructor(id: string, role: WorkerRole, options: WorkerSlotOptions) {
    this.id = id;
    this.role = role;
    this.#options = options;
    this.#process = new SupervisedProcess({
      spawn: (incarnation) => {
        const workerId = `${id}.${incarnation}`;
        const child = options.spawn(workerId);
        this.#workerId = workerId;
        return child;
      },
      clock: options.clock,
      limits: options.limits,
    });
    this.#process.events.on('changed', (status) => this.#changed(status));
  }

  get workerId(): string | undefined {
    return this.#workerId;
  }

  get link(): WorkerLink<Spec> | undefined {
    return this.#link;
  }

  get healthy(): boolean {
    return this.#process.status.state !== 'waiting';
  }

  get load(): number {
    return this.tasks.size;
  }

  get affinities(): ReadonlySet<string> {
    return new Set(this.tasks.values().map((task) => task.request.affinity));
  }

  get info(): WorkerInfo {
    const { state, reason, pid, since, restarts } = this.#process.status;
    return {
      id: this.id,
      role: this.role,
      state,
      since,
      restarts,
      ...(pid === undefined ? {} : { pid }),
      ...(reason === undefined ? {} : { reason }),
      ...(this.#rssBytes === undefined ? {} : { rssBytes: this.#rssBytes }),
      tasks: [...this.tasks.values()].map((task) => ({
        id: task.id,
        affinity: task.request.affinity,
        state: task.state,
        ...(task.reason === undefined ? {} : { reason: task.reason }),
      })),
    };
  }

  /** Starts the process. */
  begin(): void {
    this.#process.start();
  }

  /** Ends the process; resolves when it is gone. */
  end(): Promise<void> {
    this.#cancelIdle();
    return this.#process.stop();
  }

  add(task: PoolTask<Spec>): void {
    this.#cancelIdle();
    this.tasks.set(task.id, task);
    task.send();
  }

  remove(task: PoolTask<Spec>): void {
    if (!this.tasks.delete(task.id) || this.tasks.size > 0) return;
    this.#cancelIdle();
    this.#cancelIdle = this.#options.clock.after(this.#options.idleMs, this.#options.onIdle);
  }

  attach(link: WorkerLink<Spec>): boolean {
    if (this.#link) return false;
    this.#link = link;
    this.#process.alive();
    for (const task of [...this.tasks.values()]) task.send();
    return true;
  }

  /** The process ends by itself now or is killed; its tasks hear of it then, with the cause in words. */
  detach(reason: string): void {
    if (!this.#link) return;
    this.#link = undefined;
    this.#process.condemn(`lost its connection: ${reason}`);
  }

  heartbeat(rssBytes: number | undefined): void {
    this.#process.alive();
    this.#rssBytes = rssBytes ?? this.#rssBytes;
  }

  #changed({ state, reason }: ProcessStatus): void {
    if (state === 'waiting' || state === 'stopped') {
      this.#workerId = undefined;
      this.#link = undefined;
      this.#rssBytes = undefined;
      for (const task of [...this.tasks.values()]) {
        task.orphan(`Its worker ${this.id} ended (${reason ?? 'stopped'}); another one is started.`);
      }
    }
    this.#options.onChange();
  }
}
