import type { Hub } from '#hub/hub.ts';
import type { TaskInput, TaskSpec } from '#link/messages.ts';
import { LinkServer } from '#link/server.ts';
import { WorkerPool } from '#workers/pool.ts';
import type { Logger } from './logger.ts';
import { spawnWorker } from './spawn-worker.ts';

/** The worker pool and the link it is reached by, tied together: neither knows the other. */
export interface WorkerRoom extends AsyncDisposable {
  readonly pool: WorkerPool<TaskSpec>;
  readonly link: LinkServer;
  configure(limits: WorkerLimits): void;
}

/** How many workers there may be, and how much memory they may use. */
export interface WorkerLimits {
  /** Most workers, or `auto` for one per processor core. */
  readonly max: number | 'auto';
  /** Most memory of a worker and of an algorithm host, MiB. */
  readonly memoryMb: number;
  readonly hostMemoryMb: number;
}

/** @param linkUrl the WebSocket address of the link, without token; asked when a worker is started */
export function createWorkerRoom(options: {
  hub: Hub;
  linkUrl: () => string;
  limits: WorkerLimits;
  log: Logger;
}): WorkerRoom {
  const { hub, log } = options;
  let { limits } = options;
  const link = new LinkServer({ hub, accepts: (worker, task, epoch) => pool.accepts(worker, task, epoch) });
  const pool = new WorkerPool<TaskSpec>({
    spawn: ({ id }) => spawnWorker(id, `${options.linkUrl()}?token=${link.token}`, limits.hostMemoryMb),
    ...poolLimits(limits),
  });
  link.events.on('hello', (worker, pid, connection) => {
    log.debug({ worker, pid }, 'worker connected');
    const attached = pool.attach(worker, {
      start: (task) => connection.send({ type: 'task.start', task }),
      stop: (task) => connection.send({ type: 'task.stop', task }),
      tell: (task, epoch, input) => {
        const told = input as TaskInput;
        if (told.kind === 'picture') connection.sendPicture({ ...told.picture, task, epoch });
        else connection.send({ type: 'task.result', task, epoch, result: told.result });
      },
    });
    if (attached) return;
    log.warn({ worker }, 'a worker that nobody expects connected');
    connection.close('Nobody expects this worker.');
  });
  link.events.on('gone', (worker, reason) => pool.detach(worker, reason));
  link.events.on('heartbeat', (worker, rssBytes) => pool.heartbeat(worker, rssBytes));
  link.events.on('taskState', ({ worker, task, epoch, state, reason, code, report }) =>
    pool.taskState(worker, {
      task,
      epoch,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
      ...(report === undefined ? {} : { report }),
    }),
  );
  link.events.on('log', (worker, level, message) => log[level]({ worker }, message));
  pool.events.on('worker', ({ id, state, reason }) => {
    if (state === 'waiting') log.warn({ worker: id }, `worker lost: ${reason}`);
    else log.debug({ worker: id, reason }, `worker ${state}`);
  });
  return {
    pool,
    link,
    configure(changed) {
      limits = changed;
      pool.configure(poolLimits(changed));
    },
    async [Symbol.asyncDispose]() {
      await pool.close();
      link.close();
    },
  };
}

function poolLimits({ max, memoryMb }: WorkerLimits): { max?: number; memoryBytes: number } {
  return { memoryBytes: memoryMb * 2 ** 20, ...(max === 'auto' ? {} : { max }) };
}
