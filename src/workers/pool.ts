import { availableParallelism } from 'node:os';
import { type Clock, systemClock } from '#util/clock.ts';
import { Emitter } from '#util/emitter.ts';
import { selectSuspects } from './crash-history.ts';
import { place, type WorkerRole } from './placement.ts';
import type { Child, SupervisionLimits } from './supervised-process.ts';
import { PoolTask, type TaskHandle, type TaskRequest, type TaskUpdate, type WorkerLink } from './task.ts';
import { type WorkerInfo, WorkerSlot } from './worker-slot.ts';

export type { TaskHandle, TaskRequest, TaskUpdate, WorkerLink } from './task.ts';
export type { WorkerInfo } from './worker-slot.ts';

export interface WorkerPoolOptions {
  /**
   * Starts a worker process, which has to come back through {@link WorkerPool.attach} with exactly this id. Each
   * restart has an id of its own, so that the late words of a dead process are known as such.
   */
  readonly spawn: (worker: { readonly id: string; readonly role: WorkerRole }) => Child;
  /** Most workers at a time; each costs about 100 MB. At least 2. Default: one per processor core, up to 8. */
  readonly max?: number;
  /** A worker without a task ends after so many milliseconds. Default 10 000. */
  readonly idleMs?: number;
  readonly clock?: Clock;
  readonly limits?: Partial<SupervisionLimits>;
  /** A worker with more resident memory is ended and started again. Default 1 GiB. */
  readonly memoryBytes?: number;
}

/** Enough for every pipeline there is. */
const MEMORY_BYTES = 2 ** 30;

interface WorkerPoolEvents {
  /** A worker was started, answered, was lost (with the reason), or ended. */
  worker(info: WorkerInfo): void;
}

/**
 * The workers of this server and what they do. The pool decides which worker does a task, starts workers when they
 * are needed, and gives a task to the next incarnation of its worker after a crash. It knows neither what tasks are
 * nor how words reach a worker: whoever listens for workers tells it of hellos ({@link attach}), of lost connections
 * ({@link detach}), of signs of life ({@link heartbeat}, wanted at least twice a second), and of what workers say
 * about tasks ({@link taskState}).
 */
export class WorkerPool<Spec> implements AsyncDisposable {
  readonly events = new Emitter<WorkerPoolEvents>();
  readonly #options: WorkerPoolOptions;
  readonly #clock: Clock;
  #max: number;
  #memoryBytes: number;
  readonly #slots = new Set<WorkerSlot<Spec>>();
  /** Workers on their way out: they take no tasks, and do not count. */
  readonly #retiring = new Map<WorkerSlot<Spec>, Promise<void>>();
  #nextTask = 1;
  #nextSlot = 1;
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#max = mostWorkers(options.max);
    this.#memoryBytes = options.memoryBytes ?? MEMORY_BYTES;
  }

  /** Goes on with other limits; workers over the number that may be go on until they have no task left. */
  configure({ max, memoryBytes }: Pick<WorkerPoolOptions, 'max' | 'memoryBytes'>): void {
    this.#max = mostWorkers(max);
    this.#memoryBytes = memoryBytes ?? MEMORY_BYTES;
  }

  /** Gives a task to a worker; it is kept alive until it is done or stopped. */
  start(request: TaskRequest<Spec>): TaskHandle<Spec> {
    const slot = this.#closed ? undefined : this.#slotFor(request);
    const home = slot ?? { workerId: undefined, link: undefined, remove: () => {} };
    const task = new PoolTask(`task-${this.#nextTask++}`, request, home, this.#clock);
    if (slot) slot.add(task);
    // Nobody will come for it; the owner finds it stopped.
    else void task.stop();
    return task;
  }

  /**
   * A worker said hello. Its tasks are sent at once. False when there is no such worker, or it is to end, or it has
   * a connection already: close this one.
   */
  attach(workerId: string, link: WorkerLink<Spec>): boolean {
    return this.#byWorkerId(workerId)?.attach(link) ?? false;
  }

  /** The connection of a worker is gone. Without one it is of no use, so it is ended and started again. */
  detach(workerId: string, reason: string): void {
    this.#byWorkerId(workerId)?.detach(reason);
  }

  /** A worker gave a sign of life and said how much memory it uses. */
  heartbeat(workerId: string, rssBytes?: number): void {
    this.#byWorkerId(workerId)?.heartbeat(rssBytes);
  }

  /** A worker said something about a task; ignored when it is of an older epoch or not that worker's task. */
  taskState(workerId: string, update: TaskUpdate): void {
    (this.#byWorkerId(workerId) ?? this.#retiringById(workerId))?.tasks.get(update.task)?.update(update);
  }

  /** True when what a worker sends for a task (a result, a publication) comes from its present attempt. */
  accepts(workerId: string, taskId: string, epoch: number): boolean {
    return this.#byWorkerId(workerId)?.tasks.get(taskId)?.accepts(workerId, epoch) ?? false;
  }

  /** The workers, for people to look at. */
  list(): WorkerInfo[] {
    return [...this.#slots, ...this.#retiring.keys()].map((slot) => slot.info);
  }

  /** Ends all tasks and workers; owners of tasks are told the reason. Resolves when no child is left. */
  close(reason = 'The server is stopping.'): Promise<void> {
    this.#closed = true;
    for (const slot of this.#slots) {
      for (const task of [...slot.tasks.values()]) task.abandon(reason);
      this.#retire(slot);
    }
    return Promise.all(this.#retiring.values()).then(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #slotFor({ role, affinity }: TaskRequest<Spec>): WorkerSlot<Spec> {
    // What stands in quarantine takes no other tasks, and no place either.
    const open = [...this.#slots].filter(({ quarantine }) => !quarantine);
    return place(open, role, affinity, this.#max) ?? this.#openSlot(role, false);
  }

  #openSlot(role: WorkerRole, quarantine: boolean): WorkerSlot<Spec> {
    const slot: WorkerSlot<Spec> = new WorkerSlot<Spec>(`${role}-${this.#nextSlot++}`, role, {
      spawn: (id) => this.#options.spawn({ id, role }),
      clock: this.#clock,
      idleMs: this.#options.idleMs ?? 10_000,
      limits: this.#options.limits ?? {},
      memoryBytes: () => this.#memoryBytes,
      quarantine,
      onSuspects: (suspects) => this.#isolate(slot, suspects),
      onChange: () => this.events.emit('worker', slot.info),
      onIdle: () => this.#retire(slot),
    });
    this.#slots.add(slot);
    slot.begin();
    return slot;
  }

  /** Takes some of the suspects to a worker of their own, where they take no other tasks along. */
  #isolate(from: WorkerSlot<Spec>, suspects: readonly PoolTask<Spec>[]): void {
    if (this.#closed || !this.#slots.has(from)) return;
    const slot = this.#openSlot(from.role, true);
    for (const task of selectSuspects(suspects)) from.hand(task, slot);
  }

  #retire(slot: WorkerSlot<Spec>): void {
    if (!this.#slots.delete(slot)) return;
    const gone = slot.end().then(() => void this.#retiring.delete(slot));
    this.#retiring.set(slot, gone);
  }

  #byWorkerId(workerId: string): WorkerSlot<Spec> | undefined {
    return this.#slots.values().find((slot) => slot.workerId === workerId);
  }

  #retiringById(workerId: string): WorkerSlot<Spec> | undefined {
    return this.#retiring.keys().find((slot) => slot.workerId === workerId);
  }
}

function mostWorkers(max: number | undefined): number {
  return Math.max(2, max ?? Math.min(8, availableParallelism()));
}
