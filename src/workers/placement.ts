/**
 * What a worker is for. Roles never share one, so that a crash in a decoder stops no source, and a network that hangs
 * below a sink neither of them.
 */
export type WorkerRole = 'source' | 'pipeline' | 'sink';

/** What placement has to know of a worker. */
export interface Candidate {
  readonly role: WorkerRole;
  /** False while the worker is gone and waits to be started again. */
  readonly healthy: boolean;
  /** Number of tasks. */
  readonly load: number;
  /** The keys of its tasks: tasks with the same key belong together. */
  readonly affinities: ReadonlySet<string>;
}

/**
 * How many tasks a worker of a role takes before another one is started, as long as there may be more. A source only
 * moves packets, a pipeline decodes and may use a whole core; a sink may have to be killed with its worker.
 */
const FILL: Readonly<Record<WorkerRole, number>> = { source: 8, pipeline: 1, sink: 4 };

/**
 * The worker that gets a task: the one that has a task with the same key, else the least loaded. Undefined: start
 * another one. There are at most `max` workers (at least 2), and each role may always have one of them.
 */
export function place<C extends Candidate>(
  workers: readonly C[],
  role: WorkerRole,
  affinity: string,
  max: number,
): C | undefined {
  const own = workers.filter((worker) => worker.role === role);
  const together = own.find((worker) => worker.affinities.has(affinity));
  if (together) return together;
  const best = own.toSorted((a, b) => Number(b.healthy) - Number(a.healthy) || a.load - b.load)[0];
  if (!best || (best.healthy && best.load < FILL[role])) return best;
  const reserved = own.length === workers.length ? 1 : 0;
  return workers.length + reserved < max ? undefined : best;
}
