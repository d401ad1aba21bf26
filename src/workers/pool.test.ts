import { describe, expect, it } from 'vitest';
import { setUpPool } from '../../test/support/pool.ts';

describe('WorkerPool', () => {
  it('starts no worker before there is a task, and sends the task when the worker says hello', () => {
    const { workers, start, attach, pool, say } = setUpPool();
    expect(workers).toHaveLength(0);
    const task = start('people');
    expect(workers).toHaveLength(1);
    expect(task).toMatchObject({ state: 'starting', epoch: 0 });
    expect(attach()).toBe(true);
    expect(workers[0]!.heard).toEqual(['start task-1#1 people']);
    say(workers[0]!, task, 'running');
    expect(task.state).toBe('running');
    expect(pool.list()).toMatchObject([
      { id: 'pipeline-1', role: 'pipeline', state: 'running', restarts: 0, tasks: [{ id: 'task-1' }] },
    ]);
  });

  it('refuses a worker that it did not start, that is dead, or that has a connection already', () => {
    const { pool, start, attach, workers } = setUpPool();
    start('people');
    expect(pool.attach('pipeline-9.1', workers[0]!)).toBe(false);
    attach();
    expect(attach()).toBe(false);
    workers[0]!.child.exit(1);
    expect(attach()).toBe(false);
  });

  it('gives every task of a killed worker to the next one, with a new epoch', () => {
    const { workers, start, attach, clock, states, say } = setUpPool();
    const a = start('people', { affinity: 'yard' });
    const b = start('smoke', { affinity: 'yard' });
    attach();
    say(workers[0]!, a, 'running');
    workers[0]!.child.exit(null, 'SIGKILL');
    expect(a.state).toBe('waiting');
    expect(states.at(-1)).toBe(
      'waiting: Its worker pipeline-1 ended (killed by SIGKILL); another one is started.',
    );
    clock.advance(100);
    attach();
    expect(workers[1]!.heard).toEqual(['start task-1#2 people', 'start task-2#2 smoke']);
    expect([a.state, b.epoch]).toEqual(['starting', 2]);
  });

  it('tells a task what its owner has to say, while a worker has it and it is not over', () => {
    const { workers, start, attach } = setUpPool();
    const task = start('people');
    task.tell('too early');
    attach();
    task.tell('hello');
    void task.stop();
    task.tell('too late');
    expect(workers[0]!.heard).toEqual(['start task-1#1 people', 'tell task-1#1 hello', 'stop task-1']);
  });

  it('tells the owner of each state once, however often the worker says it', () => {
    const { workers, start, attach, states, say } = setUpPool();
    const task = start('people');
    attach();
    for (let i = 0; i < 3; i++) say(workers[0]!, task, 'running');
    expect(states).toEqual(['running']);
  });

  it('ignores what comes under an older epoch or from another worker', () => {
    const { workers, start, attach, clock, pool } = setUpPool();
    const task = start('people');
    attach();
    expect(pool.accepts('pipeline-1.1', task.id, 1)).toBe(true);
    workers[0]!.child.exit(1);
    clock.advance(100);
    attach();
    pool.taskState('pipeline-1.1', { task: task.id, epoch: 2, state: 'done' });
    pool.taskState('pipeline-1.2', { task: task.id, epoch: 1, state: 'done' });
    expect(task.state).toBe('starting');
    expect(pool.accepts('pipeline-1.2', task.id, 1)).toBe(false);
    expect(pool.accepts('pipeline-1.2', task.id, 2)).toBe(true);
    expect(pool.accepts('pipeline-1.1', task.id, 2)).toBe(false);
    expect(task.accepts('pipeline-1.1', 2)).toBe(false);
    expect(task.accepts('pipeline-1.2', 2)).toBe(true);
  });

  it('ends and restarts a worker that lost its connection', () => {
    const { workers, start, attach, clock, pool } = setUpPool();
    const task = start('people');
    attach();
    pool.detach('pipeline-1.1', 'closed');
    clock.advance(500);
    expect(workers[0]!.child.signals).toEqual(['SIGKILL']);
    expect(task).toMatchObject({
      state: 'waiting',
      reason: 'Its worker pipeline-1 ended (lost its connection: closed); another one is started.',
    });
    clock.advance(100);
    attach();
    expect(workers[1]!.heard).toEqual(['start task-1#2 people']);
  });

  it('restarts a worker that fell silent within two seconds', () => {
    const { workers, start, attach, clock, live } = setUpPool();
    start('people');
    attach();
    live(5000);
    clock.advance(2100);
    expect(workers[0]!.child.signals).toEqual(['SIGKILL']);
    expect(workers).toHaveLength(2);
  });

  it('replaces a worker that uses too much memory, and says how much', () => {
    const { workers, start, attach, clock, pool } = setUpPool();
    const task = start('people');
    attach();
    pool.heartbeat('pipeline-1.1', 2 ** 30);
    expect(workers[0]!.child.signals).toEqual([]);
    pool.heartbeat('pipeline-1.1', 1100 * 2 ** 20);
    expect(workers[0]!.child.signals).toEqual(['SIGTERM']);
    const reason = 'used 1100 MB of memory, more than the 1024 MB that workers.memoryMb allows';
    expect(pool.list()).toMatchObject([{ state: 'waiting', reason }]);
    expect(task.reason).toContain(reason);
    clock.advance(100);
    attach();
    expect(workers[1]!.heard).toEqual(['start task-1#2 people']);
  });

  it('tries a failed task again after a back-off and says when', () => {
    const { workers, start, attach, clock, say } = setUpPool();
    const task = start('people');
    attach();
    say(workers[0]!, task, 'failed', 'The model is missing.');
    expect(task).toMatchObject({ state: 'failed', reason: 'The model is missing.' });
    const { retryInMs } = task.status;
    expect(retryInMs).toBeGreaterThanOrEqual(250);
    clock.advance(retryInMs ?? 0);
    expect(workers[0]!.heard).toEqual(['start task-1#1 people', 'start task-1#2 people']);
    expect(task).toMatchObject({ state: 'starting', reason: undefined });
  });

  it('ends a task that waits for its next attempt at once: no worker has it', async () => {
    const { workers, start, attach, clock, say } = setUpPool();
    const task = start('people');
    attach();
    say(workers[0]!, task, 'failed', 'The model is missing.');
    await task.stop();
    clock.advance(60_000);
    expect(workers[0]!.heard).toEqual(['start task-1#1 people']);
  });

  it('sends a failed task once when its worker was restarted meanwhile', () => {
    const { workers, start, attach, live, say } = setUpPool();
    const task = start('people');
    attach();
    say(workers[0]!, task, 'failed', 'The model is missing.');
    workers[0]!.child.exit(1);
    live(100);
    attach();
    live(5000);
    expect(workers[1]!.heard).toEqual(['start task-1#2 people']);
  });

  it('does not try again what is not to be tried again', () => {
    const { workers, start, attach, say, clock, states, pool } = setUpPool();
    const failed = start('probe a', { restart: false });
    attach();
    say(workers[0]!, failed, 'failed', 'No video in it.');
    const lost = start('probe b', { restart: false });
    workers[0]!.child.exit(null, 'SIGSEGV');
    clock.advance(100);
    attach();
    expect([failed.state, lost.state]).toEqual(['failed', 'failed']);
    expect(lost.status.code).toBe('WORKER_LOST');
    expect(pool.list()).toMatchObject([{ tasks: [] }]);
    expect(states).toHaveLength(2);
    expect(workers[1]!.heard).toEqual([]);
  });

  it('hands on the report of a task that is done', () => {
    const { start, attach, pool } = setUpPool();
    const task = start('probe', { restart: false });
    attach();
    pool.taskState('pipeline-1.1', { task: task.id, epoch: 1, state: 'done', report: { container: 'mp4' } });
    expect(task.status).toMatchObject({ state: 'done', report: { container: 'mp4' } });
    expect(pool.accepts('pipeline-1.1', task.id, 1)).toBe(false);
  });

  it('stops a task when its worker confirms it, and tells its owner nothing more', async () => {
    const { workers, start, attach, say, states, pool } = setUpPool();
    const task = start('people');
    attach();
    let over = false;
    const stopped = task.stop().then(() => {
      over = true;
    });
    expect(workers[0]!.heard.at(-1)).toBe('stop task-1');
    await Promise.resolve();
    expect(over).toBe(false);
    expect(pool.accepts('pipeline-1.1', task.id, 1)).toBe(false);
    say(workers[0]!, task, 'done');
    await stopped;
    expect(task.state).toBe('stopped');
    expect(states).toEqual([]);
  });

  it('does not wait for ever for a worker that does not confirm', async () => {
    const { start, attach, live, workers } = setUpPool();
    const silent = start('a', { affinity: 'yard' });
    const dead = start('b', { affinity: 'yard' });
    attach();
    const stopped = silent.stop();
    live(2000);
    await expect(stopped).resolves.toBeUndefined();
    const gone = dead.stop();
    workers[0]!.child.exit(null, 'SIGKILL');
    await expect(gone).resolves.toBeUndefined();
  });

  it('ends a worker that had nothing to do for ten seconds', async () => {
    const { workers, start, attach, live, pool } = setUpPool();
    const task = start('people');
    await task.stop();
    attach();
    live(9000);
    const another = start('smoke');
    expect(workers).toHaveLength(1);
    live(20_000);
    expect(workers[0]!.child.signals).toEqual([]);
    expect(another.epoch).toBe(1);
    void another.stop();
    live(12_000);
    expect(workers[0]!.child.signals).toEqual(['SIGTERM']);
    await Promise.resolve();
    expect(pool.list()).toEqual([]);
  });

  it('keeps streams apart up to its size and then shares', () => {
    const { pool, start } = setUpPool({ max: 3 });
    start('cam', { role: 'source' });
    for (const affinity of ['a', 'b', 'c', 'a']) start('people', { affinity });
    expect(pool.list().map(({ id, tasks }) => `${id}: ${tasks.map((t) => t.affinity).join()}`)).toEqual([
      'source-1: cam',
      'pipeline-2: a,c,a',
      'pipeline-3: b',
    ]);
  });

  it('starts more workers when it may have more, and lets those that are over a lower limit end by themselves', async () => {
    const { pool, start, live } = setUpPool({ max: 2 });
    start('cam', { role: 'source' });
    const tasks = ['a', 'b'].map((affinity) => start('people', { affinity }));
    expect(pool.list()).toHaveLength(2);
    pool.configure({ max: 4 });
    tasks.push(...['c', 'd'].map((affinity) => start('people', { affinity })));
    expect(pool.list()).toHaveLength(4);
    pool.configure({ max: 2 });
    expect(pool.list()).toHaveLength(4);
    start('people', { affinity: 'e' });
    expect(pool.list()).toHaveLength(4);
    for (const task of tasks) void task.stop();
    live(12_000);
    await Promise.resolve();
    expect(pool.list().length).toBeLessThanOrEqual(2);
  });

  it('tells the owners when it ends, and leaves no child and no timer', async () => {
    const { pool, start, attach, workers, clock, states } = setUpPool();
    const task = start('people');
    attach();
    start('cam', { role: 'source' });
    workers[1]!.child.exit(1);
    const idle = start('idle', { role: 'source' });
    void idle.stop();
    await pool.close('The server is stopping.');
    expect(task.state).toBe('stopped');
    expect(states.filter((state) => state === 'stopped: The server is stopping.')).toHaveLength(2);
    expect(workers[0]!.child.signals).toEqual(['SIGTERM']);
    expect(pool.list()).toEqual([]);
    expect(clock.pending).toBe(0);
    expect(start('late').state).toBe('stopped');
  });
});
