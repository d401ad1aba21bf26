import type { Result, RunStatistics } from '#algorithms/contract.ts';
import type { FoundManifest } from '#algorithms/manifest.ts';
import type { Executor, Holder, RunSpec, RunTask } from '#cameras/contract.ts';
import { noStatistics } from '#cameras/run-statistics.ts';
import { RunManager } from '#cameras/runs.ts';
import { VirtualClock } from '#util/clock.ts';
import { manifest } from './manifest.ts';

/** An algorithm as the folders of the configuration give it. */
export function found(id: string): FoundManifest {
  return {
    path: `/models/${id}.json`,
    manifest: manifest({
      id,
      title: { en: id },
      labels: ['person'],
      parameters: {
        type: 'object',
        properties: {
          threshold: { type: 'number', default: 0.4, minimum: 0, maximum: 1 },
          classes: { type: 'array', items: { type: 'string' }, default: ['person'] },
        },
        additionalProperties: false,
      },
    }),
  };
}

/** A task as the pool would run it: it stops when the test says so. */
class FakeTask implements RunTask {
  readonly id: string;
  readonly request: Parameters<Executor['start']>[0];
  readonly stopped = Promise.withResolvers<void>();
  epoch = 1;
  stopping = false;
  readonly amended: RunSpec[] = [];

  constructor(id: string, request: Parameters<Executor['start']>[0]) {
    this.id = id;
    this.request = request;
  }

  amend(spec: RunSpec): void {
    this.amended.push(spec);
  }

  stop(): Promise<void> {
    this.stopping = true;
    return this.stopped.promise;
  }
}

/** Runs on virtual time, with what became of them; streams are there when they are in `streams`. */
export function setUp(more: Partial<ConstructorParameters<typeof RunManager>[0]> = {}) {
  const clock = new VirtualClock();
  const streams = new Set(['demo', 'yard/gate-1']);
  const tasks: FakeTask[] = [];
  const runs = new RunManager({
    clock,
    algorithms: new Map([
      ['nanodet-g', found('nanodet-g')],
      ['barcode', found('barcode')],
    ]),
    streamExists: (name) => streams.has(name),
    executor: {
      start: (request) => {
        const task = new FakeTask(`task-${tasks.length + 1}`, request);
        tasks.push(task);
        return task;
      },
    },
    ...more,
  });
  const events: string[] = [];
  runs.events.on('runStarted', ({ id }) => events.push(`started ${id}`));
  runs.events.on('runStopped', ({ id }, reason) => events.push(`stopped ${id}: ${reason}`));
  runs.events.on('leaseEnded', ({ id }, reason) => events.push(`ended ${id}: ${reason}`));
  const end = async (task: FakeTask) => {
    task.stopped.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const acquire = (holder: Holder, parameters?: Record<string, unknown>, stream = 'demo') =>
    runs.acquire({ stream, algorithm: 'nanodet-g', holder, parameters });
  return { clock, streams, tasks, runs, events, acquire, end };
}

export const ann: Holder = { kind: 'viewer', id: 'ann', reason: 'clicked Detect people' };
export const ben: Holder = { kind: 'viewer', id: 'ben', reason: 'clicked Detect people' };
export const guard: Holder = { kind: 'config', id: 'guard', reason: 'always' };

export const result = (objects: number, pts = 9000): Result => ({
  stream: 'demo',
  algorithm: 'nanodet-g',
  run: 'nanodet-g@demo',
  pts,
  ntp: 1,
  width: 640,
  height: 360,
  objects: Array.from({ length: objects }, () => ({
    label: 'person',
    score: 0.9,
    box: [0, 0, 0.1, 0.1] as const,
    observed: true,
  })),
  timing: { queueMs: 0, inferMs: 20 },
});

export const counted = (inferred: number): RunStatistics => ({
  ...noStatistics,
  offered: inferred * 5,
  inferred,
});
