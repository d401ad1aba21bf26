import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { FakeChild } from '../../test/support/fake-child.ts';
import { type TaskHandle, type WorkerLink, WorkerPool } from './pool.ts';

type Command =
  | { readonly do: 'start'; readonly source: boolean; readonly key: number }
  | { readonly do: 'hello' | 'kill' | 'unlink' | 'hang'; readonly worker: number }
  | { readonly do: 'stop' | 'fail'; readonly task: number }
  | { readonly do: 'wait'; readonly ms: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('start' as const), source: fc.boolean(), key: fc.nat(3) }),
  fc.record({ do: fc.constantFrom('hello', 'kill', 'unlink', 'hang'), worker: fc.nat(5) }),
  fc.record({ do: fc.constantFrom('stop', 'fail'), task: fc.nat(8) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(4000) }),
);

/** A process that keeps what it was told to do, as a worker would. */
class FakeWorker implements WorkerLink<string> {
  readonly child = new FakeChild();
  readonly tasks = new Map<string, number>();
  readonly id: string;
  greeted = false;
  dead = false;
  hangs = false;

  constructor(id: string) {
    this.id = id;
    this.child.on('exit', () => {
      this.dead = true;
      this.tasks.clear();
    });
  }

  start({ id, epoch }: { id: string; epoch: number }): void {
    this.tasks.set(id, epoch);
  }

  stop(task: string): void {
    this.tasks.delete(task);
  }

  tell(): void {}
}

class World {
  readonly clock = new VirtualClock();
  readonly all: FakeWorker[] = [];
  readonly handles: TaskHandle[] = [];
  readonly roles = new Map<string, string>();
  readonly pool = new WorkerPool<string>({
    clock: this.clock,
    max: 3,
    spawn: ({ id }) => {
      const worker = new FakeWorker(id);
      this.all.push(worker);
      return worker.child;
    },
  });

  get living(): FakeWorker[] {
    return this.all.filter(({ dead }) => !dead);
  }

  hello(worker: FakeWorker): void {
    worker.greeted = true;
    this.pool.attach(worker.id, worker);
  }

  /** Time passes; who neither hangs nor has yet to say hello answers. */
  wait(ms: number): void {
    for (let t = 0; t < ms; t += 250) {
      this.clock.advance(Math.min(250, ms - t));
      for (const { id, hangs, greeted } of this.living) if (greeted && !hangs) this.pool.heartbeat(id);
    }
  }

  apply(step: Command): void {
    switch (step.do) {
      case 'start': {
        const role = step.source ? 'source' : 'pipeline';
        const handle = this.pool.start({ role, affinity: `key-${step.key}`, spec: '' });
        this.roles.set(handle.id, role);
        this.handles.push(handle);
        return;
      }
      case 'wait':
        return this.wait(step.ms);
      case 'stop':
        return void this.handles[step.task]?.stop();
      case 'fail': {
        const handle = this.handles[step.task];
        for (const worker of this.living) {
          const epoch = handle && worker.tasks.get(handle.id);
          if (!handle || epoch === undefined) continue;
          worker.tasks.delete(handle.id);
          this.pool.taskState(worker.id, { task: handle.id, epoch, state: 'failed', reason: 'test' });
        }
        return;
      }
      default: {
        const worker = this.living[step.worker % Math.max(1, this.living.length)];
        if (!worker) return;
        if (step.do === 'hello') this.hello(worker);
        else if (step.do === 'kill') worker.child.exit(null, 'SIGKILL');
        else if (step.do === 'unlink') this.pool.detach(worker.id, 'test');
        else worker.hangs = true;
      }
    }
  }

  /** Nothing more goes wrong: every worker that is started says hello, for two minutes. */
  recover(): void {
    for (let i = 0; i < 120; i++) {
      this.wait(1000);
      for (const worker of this.living) if (!worker.greeted && !worker.hangs) this.hello(worker);
    }
  }
}

describe('WorkerPool, whatever happens in whatever order', () => {
  it('ends with every task at work exactly once, under its present epoch, in a worker of its role', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (steps) => {
        const world = new World();
        for (const step of steps) world.apply(step);
        world.recover();
        const wanted = world.handles.filter(({ state }) => state !== 'stopped');
        const work = world.living.flatMap(({ id, tasks }) =>
          [...tasks].map(([task, epoch]) => ({ worker: id, task, epoch })),
        );
        expect(work.map(({ task }) => task).toSorted()).toEqual(wanted.map(({ id }) => id).toSorted());
        for (const { worker, task, epoch } of work) {
          expect(world.pool.accepts(worker, task, epoch)).toBe(true);
          expect(worker).toContain(world.roles.get(task));
        }
        const open = world.pool.list().filter(({ quarantine, state }) => !quarantine && state !== 'stopped');
        expect(open.length).toBeLessThanOrEqual(3);
        const idle = world.pool
          .list()
          .filter(({ tasks, state }) => tasks.length === 0 && state !== 'stopped');
        expect(idle).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
