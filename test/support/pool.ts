import { VirtualClock } from '#util/clock.ts';
import { type TaskHandle, type TaskRequest, WorkerPool } from '#workers/pool.ts';
import { FakeChild } from './fake-child.ts';

/** A worker on the other side of a link: it records what it is told. */
class FakeWorker {
  readonly child = new FakeChild();
  readonly heard: string[] = [];
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }

  start({ id, epoch, spec }: { id: string; epoch: number; spec: string }) {
    this.heard.push(`start ${id}#${epoch} ${spec}`);
  }

  stop(task: string) {
    this.heard.push(`stop ${task}`);
  }

  tell(task: string, epoch: number, input: unknown) {
    this.heard.push(`tell ${task}#${epoch} ${String(input)}`);
  }
}

/** A pool on virtual time, its workers, and the words that tests say to them. */
export function setUpPool({ max = 4 } = {}) {
  const clock = new VirtualClock();
  const workers: FakeWorker[] = [];
  const pool = new WorkerPool<string>({
    clock,
    max,
    spawn: ({ id }) => {
      const worker = new FakeWorker(id);
      workers.push(worker);
      return worker.child;
    },
  });
  const attach = (index = workers.length - 1) => pool.attach(workers[index]!.id, workers[index]!);
  /** Lets time pass while all workers that live answer. */
  const live = (ms: number) => {
    for (let t = 0; t < ms; t += 250) {
      clock.advance(Math.min(250, ms - t));
      for (const { id } of workers) pool.heartbeat(id, 50e6);
    }
  };
  const states: string[] = [];
  const start = (spec: string, request: Partial<TaskRequest<string>> = {}): TaskHandle =>
    pool.start({
      role: 'pipeline',
      affinity: spec,
      spec,
      onState: ({ state, reason }) => states.push(reason === undefined ? state : `${state}: ${reason}`),
      ...request,
    });
  const say = (
    worker: FakeWorker,
    handle: TaskHandle,
    state: 'running' | 'failed' | 'done',
    reason?: string,
  ) => pool.taskState(worker.id, { task: handle.id, epoch: handle.epoch, state, reason });
  return { clock, workers, pool, attach, live, states, start, say };
}
