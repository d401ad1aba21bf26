import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type TaskHandle, type WorkerInfo, WorkerPool } from '#workers/pool.ts';
import type { FromChild, ToChild } from '../support/worker-child.ts';

const child = new URL('../support/worker-child.ts', import.meta.url);
const server = fileURLToPath(new URL('../support/server-with-worker.ts', import.meta.url));

/** A pool over real processes; words travel over their IPC channels. */
class Room implements AsyncDisposable {
  readonly pool: WorkerPool<string>;
  readonly started: number[] = [];
  readonly #pings = new Set<NodeJS.Timeout>();

  constructor(env: NodeJS.ProcessEnv = {}) {
    this.pool = new WorkerPool<string>({ spawn: ({ id }) => this.#spawn(id, env) });
  }

  start(spec: string, affinity = spec): TaskHandle {
    return this.pool.start({ role: 'pipeline', affinity, spec });
  }

  /** Resolves with the worker as soon as it satisfies the condition. */
  async until(condition: (worker: WorkerInfo) => boolean): Promise<WorkerInfo> {
    const now = this.pool.list().find(condition);
    if (now) return now;
    return new Promise((resolve) => {
      const leave = this.pool.events.on('worker', (worker) => {
        if (!condition(worker)) return;
        leave();
        resolve(worker);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
    for (const ping of this.#pings) clearInterval(ping);
  }

  #spawn(id: string, env: NodeJS.ProcessEnv): ChildProcess {
    this.started.push(performance.now());
    const process_ = fork(child, [], {
      env: { ...process.env, ...env },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const tell = (message: ToChild) => process_.connected && process_.send(message);
    const ping = setInterval(() => tell({ type: 'ping' }), 500);
    this.#pings.add(ping);
    process_.on('message', (message: FromChild) => {
      if (message.type === 'state') this.pool.taskState(id, message);
      else if (message.type === 'pong') this.pool.heartbeat(id);
      else {
        this.pool.attach(id, {
          start: (task) => tell({ type: 'start', task }),
          stop: (task) => tell({ type: 'stop', task }),
          tell: () => {},
        });
      }
    });
    process_.on('disconnect', () => this.pool.detach(id, 'closed'));
    process_.on('exit', () => clearInterval(ping));
    return process_;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const rooms: Room[] = [];
function room(env?: NodeJS.ProcessEnv): Room {
  const one = new Room(env);
  rooms.push(one);
  return one;
}

afterEach(async () => {
  for (const one of rooms.splice(0)) await one[Symbol.asyncDispose]();
});

describe('WorkerPool with real processes', () => {
  it('has a worker that was killed with -9 back at work within 2 s', async () => {
    const { pool, until, start } = bound(room());
    const tasks = [start('people', 'yard'), start('smoke', 'yard')];
    const first = await until(({ state }) => state === 'running');
    await expect
      .poll(() => tasks.map(({ state }) => state), { timeout: 5000 })
      .toEqual(['running', 'running']);
    const killed = performance.now();
    process.kill(first.pid!, 'SIGKILL');
    const lost = await until(({ state }) => state === 'waiting');
    expect(lost.reason).toBe('killed by SIGKILL');
    const second = await until(({ state, restarts }) => state === 'running' && restarts === 1);
    await expect
      .poll(() => tasks.map(({ state }) => state), { timeout: 5000 })
      .toEqual(['running', 'running']);
    expect(performance.now() - killed).toBeLessThan(2000);
    expect(second.pid).not.toBe(first.pid);
    expect(tasks.map(({ epoch }) => epoch)).toEqual([2, 2]);
    expect(isAlive(first.pid!)).toBe(false);
    expect(pool.list()).toHaveLength(1);
  });

  it('kills a worker that stands still, and says for how long it was silent', async () => {
    const { until, start } = bound(room());
    const task = start('people');
    const first = await until(({ state }) => state === 'running');
    const stopped = performance.now();
    process.kill(first.pid!, 'SIGSTOP');
    const lost = await until(({ state }) => state === 'waiting');
    expect(lost.reason).toMatch(/^did not answer for (?:1\.[89]|2\.\d) s$/);
    await until(({ state, restarts }) => state === 'running' && restarts === 1);
    await expect.poll(() => task.state, { timeout: 5000 }).toBe('running');
    expect(performance.now() - stopped).toBeLessThan(5000);
    expect(isAlive(first.pid!)).toBe(false);
  });

  it('waits longer and longer for a worker that dies at its start, and says what it said', async () => {
    const one = room({ FAIL_AT_START: '1' });
    const task = one.start('people');
    const lost = await one.until(({ restarts, state }) => restarts === 2 && state === 'waiting');
    expect(lost.reason).toBe('exit code 1: Error: no model at all');
    expect(task.state).toBe('waiting');
    expect(task.reason).toContain('Error: no model at all');
    // At once, then after 0.25 to 0.5 s, each beside the start of the process itself.
    const [first, second, third] = one.started as [number, number, number];
    expect(third - second).toBeGreaterThan(250);
    expect(second - first).toBeGreaterThan(50);
  });

  it('ends its workers, also one that does not want to, and leaves none', async () => {
    const one = room({ IGNORE_SIGTERM: '1' });
    const task = one.start('people');
    const { pid } = await one.until(({ state }) => state === 'running');
    await one.pool.close();
    expect(task.state).toBe('stopped');
    expect(isAlive(pid!)).toBe(false);
    expect(one.pool.list()).toEqual([]);
  });

  it('stops a task when its worker has confirmed it', async () => {
    const { start } = bound(room());
    const task = start('people');
    await expect.poll(() => task.state, { timeout: 5000 }).toBe('running');
    const asked = performance.now();
    await task.stop();
    expect(performance.now() - asked).toBeLessThan(1000);
    expect(task.state).toBe('stopped');
  });

  it('leaves no worker when the server is killed with -9', async () => {
    const process_ = spawn(process.execPath, [server], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(process_.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    process_.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
  });
});

/** The methods of a room, to be taken apart. */
function bound(one: Room) {
  return { pool: one.pool, until: one.until.bind(one), start: one.start.bind(one) };
}
