import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { forkBound } from '#util/bound-child.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));

/**
 * Every native read and every encode holds a thread of the pool while it waits, so a worker gets more of them than
 * Node's four; set before start, because libuv reads it once.
 */
const THREADS = '16';

/**
 * Starts one worker process (R5: native code runs there and never here). It ends with the IPC channel to us, or by the kernel when
 * we are gone.
 * @param hostMemoryMb the most memory of an algorithm host that the worker starts, MiB
 */
export function spawnWorker(id: string, linkUrl: string, hostMemoryMb: number): ChildProcess {
  return forkBound(WORKER, [], {
    env: {
      ...process.env,
      SLUICE_LINK: linkUrl,
      SLUICE_WORKER: id,
      SLUICE_HOST_MEMORY_MB: String(hostMemoryMb),
      UV_THREADPOOL_SIZE: THREADS,
    },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'json',
  });
}
