import { fork } from 'node:child_process';
import { SupervisedProcess } from '#workers/supervised-process.ts';

/** A server that starts one worker and prints its process id, for a test that kills the server. */
const worker = new SupervisedProcess({
  spawn: () => {
    const child = fork(new URL('./worker-child.ts', import.meta.url), [], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.on('message', () => console.log(child.pid));
    return child;
  },
  limits: { silenceMs: 60_000 },
});
worker.start();
