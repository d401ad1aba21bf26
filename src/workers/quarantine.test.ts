import { describe, expect, it } from 'vitest';
import { setUpPool } from '../../test/support/pool.ts';

describe('WorkerPool with a task that makes its worker crash again and again', () => {
  /** Two workers at most, so that all tasks share one; it crashes whenever `guilty` is at work in it. */
  function crashing(guilty: string) {
    const world = setUpPool({ max: 2 });
    const { workers, clock, pool, attach } = world;
    const done = new Set<number>();
    /** Every worker says hello as it comes; those with the guilty task crash a second later. */
    const live = (ms: number) => {
      for (let t = 0; t < ms; t += 250) {
        clock.advance(250);
        for (const [index, worker] of workers.entries()) {
          if (worker.child.listenerCount('exit') === 0 || done.has(index)) continue;
          attach(index);
          pool.heartbeat(worker.id, 50e6);
          const since = worker.heard.some((line) => line.includes(guilty)) ? clock.now() : undefined;
          if (since === undefined) continue;
          done.add(index);
          clock.after(1000, () => worker.child.exit(null, 'SIGSEGV'));
        }
      }
    };
    const homes = () =>
      pool
        .list()
        .map(
          ({ quarantine, tasks }) =>
            `${quarantine ? 'alone' : 'open'}: ${tasks.map((t) => t.affinity).join()}`,
        );
    return { ...world, live, homes };
  }

  it('gives it a worker of its own after the third crash, and leaves the others in peace', () => {
    const { start, live, homes, workers, pool } = crashing('guilty');
    const [a, b] = [start('a'), start('b')];
    live(1000);
    let reason: string | undefined;
    // Each attempt begins without one.
    start('guilty', { onState: (status) => (reason = status.reason ?? reason) });
    // It was there in all three crashes like the others, but it is the newest.
    live(60_000);
    expect(homes()).toEqual(['open: a,b', 'alone: guilty']);
    expect(reason).toMatch(/worker/);
    const [open] = pool.list();
    const epochs = [a.epoch, b.epoch];
    const incarnations = workers.length;
    live(120_000);
    expect([a.epoch, b.epoch]).toEqual(epochs);
    expect(pool.list()[0]!.restarts).toBe(open!.restarts);
    // Alone, it is tried less and less often: at most every half minute, shortened by the jitter.
    expect(workers.length - incarnations).toBeLessThanOrEqual(9);
  });

  it('finds it among many, also when it was there before they came', () => {
    const { start, live, homes, pool } = crashing('guilty');
    for (const spec of ['a', 'guilty', 'b', 'c', 'd', 'e', 'f']) start(spec);
    live(240_000);
    const alone = pool.list().find(({ tasks }) => tasks.some(({ affinity }) => affinity === 'guilty'));
    expect(alone!.tasks).toHaveLength(1);
    expect(alone!.quarantine).toBe(true);
    expect(
      homes()
        .join(' ')
        .match(/\b[a-f]\b/g)!
        .toSorted(),
    ).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('keeps the tasks of one stream together, and new ones away from it', () => {
    const { start, live, homes } = crashing('guilty');
    start('a');
    start('guilty one', { affinity: 'yard' });
    start('guilty two', { affinity: 'yard' });
    live(6000);
    expect(homes()).toEqual(['open: a', 'alone: yard,yard']);
    start('b');
    start('c', { affinity: 'yard' });
    expect(homes()[0]).toEqual('open: a,b,yard');
  });

  it('tells what happened, and ends its worker with it', async () => {
    const { start, live, homes, states } = crashing('guilty');
    start('a');
    const guilty = start('guilty');
    live(6000);
    expect(states).toContain(
      'waiting: Its worker pipeline-1 crashed again and again while it was at work; ' +
        'it goes on in a worker of its own, pipeline-2.',
    );
    void guilty.stop();
    live(15_000);
    await Promise.resolve();
    expect(homes()).toEqual(['open: a']);
  });

  it('accuses nobody when a worker never gets as far as its tasks', () => {
    const { start, workers, clock, homes } = crashing('guilty');
    start('a');
    start('b');
    for (let n = 0; n < 6; n++) {
      workers.at(-1)!.child.exit(1);
      clock.advance(5000);
    }
    expect(homes()).toEqual(['open: a,b']);
  });
});
