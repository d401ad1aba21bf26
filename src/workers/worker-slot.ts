import type { Clock } from '#util/clock.ts';
import { CrashHistory } from './crash-history.ts';
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
  /** True when its tasks made a worker crash again and again, so that it is kept from others. */
  readonly quarantine: boolean;
  /** Resident memory as the worker last said, bytes. */
  readonly rssBytes?: number;
  readonly tasks: readonly {
    readonly id: string;
    readonly affinity: string;
    readonly state: TaskState;
    readonly reason?: string;
  }[];
}

export interface WorkerSlotOptions<Spec> {
  readonly spawn: (workerId: string) => Child;
  readonly clock: Clock;
  readonly idleMs: number;
  readonly limits: Partial<SupervisionLimits>;
  /** A process with more resident memory is replaced. */
  readonly memoryBytes: () => number;
  /** Kept from other tasks from the start. */
  readonly quarantine: boolean;
  readonly onChange: () => void;
  /** It crashed again and again while these tasks, of several, were at work each time. */
  readonly onSuspects: (suspects: readonly PoolTask<Spec>[]) => void;
  /** It has had no task for `idleMs`. */
  readonly onIdle: () => void;
}

/** The place of one worker: the process that fills it may change, its tasks stay. */
export class WorkerSlot<Spec> implements TaskHome<Spec>, Candidate {
  readonly id: string;
  readonly role: WorkerRole;
  readonly tasks = new Map<string, PoolTask<Spec>>();
  readonly #options: WorkerSlotOptions<Spec>;
  readonly #process: SupervisedProcess;
  #workerId: string | undefined;
  #link: WorkerLink<Spec> | undefined;
  /** It had a link, and the process has not ended yet. */
  #lostLink = false;
  #rssBytes: number | undefined;
  #quarantine: boolean;
  readonly #crashes: CrashHistory;
  #cancelIdle = () => {};

  constructor(id: string, role: WorkerRole, options: WorkerSlotOptions<Spec>) {
    this.id = id;
    this.role = role;
    this.#options = options;
    this.#quarantine = options.quarantine;
    this.#crashes = new CrashHistory(options.clock);
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

  get quarantine(): boolean {
    return this.#quarantine;
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
      quarantine: this.#quarantine,
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

  /** Hands a task to another worker; the task goes on there. */
  hand(task: PoolTask<Spec>, to: WorkerSlot<Spec>): void {
    this.tasks.delete(task.id);
    task.move(
      to,
      `Its worker ${this.id} crashed again and again while it was at work; it goes on in a worker of its own, ${to.id}.`,
    );
    to.add(task);
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
    this.#lostLink = true;
    this.#process.condemn(`lost its connection: ${reason}`);
  }

  heartbeat(rssBytes: number | undefined): void {
    this.#process.alive();
    this.#rssBytes = rssBytes ?? this.#rssBytes;
    const memoryBytes = this.#options.memoryBytes();
    if (rssBytes === undefined || rssBytes <= memoryBytes) return;
    this.#process.replace(
      `used ${megabytes(rssBytes)} MB of memory, more than the ${megabytes(memoryBytes)} MB that workers.memoryMb allows`,
    );
  }

  #changed({ state, reason }: ProcessStatus): void {
    if (state === 'waiting' || state === 'stopped') {
      const atWork = this.#link || this.#lostLink ? this.tasks.values().filter((task) => task.atWork) : [];
      const suspects = state === 'waiting' ? this.#crashes.add([...atWork].map(({ id }) => id)) : [];
      this.#workerId = undefined;
      this.#link = undefined;
      this.#lostLink = false;
      this.#rssBytes = undefined;
      for (const task of [...this.tasks.values()]) {
        task.orphan(`Its worker ${this.id} ended (${reason ?? 'stopped'}); another one is started.`);
      }
      this.#accuse(suspects.flatMap((id) => this.tasks.get(id) ?? []));
    }
    this.#options.onChange();
  }

  /** One suspect alone in its worker is the culprit; several have to be told apart. */
  #accuse(suspects: readonly PoolTask<Spec>[]): void {
    if (suspects.length === 0) return;
    this.#crashes.forget();
    if (this.tasks.size === 1) this.#quarantine = true;
    else this.#options.onSuspects(suspects);
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
