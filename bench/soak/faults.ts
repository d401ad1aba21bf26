import { processTree } from '../process-tree.ts';
import type { BenchServer } from '../server.ts';
import type { Load } from './load.ts';

/** Readers of a reconnect storm. */
const STORM = 40;

/** Makes something go wrong; gives what it did, in words. */
export type Fault = (n: number) => Promise<string>;

/** All kinds of faults, to be made in turn; `n` counts the turns and chooses whom it meets. */
export function faults(server: BenchServer, load: Load): readonly Fault[] {
  const pick = (role: string, n: number) => {
    const all = processTree(server.pid).filter((process) => process.role === role);
    return all[n % Math.max(1, all.length)]?.pid;
  };
  const signal = (role: string, n: number, name: NodeJS.Signals) => {
    const pid = pick(role, n);
    if (pid !== undefined) process.kill(pid, name);
    return `${name} to ${role === 'worker' ? 'a worker' : 'an algorithm host'}`;
  };
  let stalled = -1;
  return [
    async (n) => signal('worker', n, 'SIGKILL'),
    async (n) => signal('algorithm-host', n, 'SIGSTOP'),
    async (n) => {
      load.publisher(n).kill();
      return 'SIGKILL to a publisher of four streams';
    },
    async (n) => {
      load.seats[stalled]?.resume();
      // The step meets both doors and all streams in time.
      stalled = (n * 21) % load.seats.length;
      load.seats[stalled]!.stall();
      return 'a reader stops reading';
    },
    async () => {
      const viewers = await Promise.allSettled(Array.from({ length: STORM }, async (_, n) => load.open(n)));
      for (const viewer of viewers) {
        if (viewer.status === 'fulfilled') await viewer.value[Symbol.asyncDispose]();
      }
      return `${STORM} readers come and go at once`;
    },
    async (n) => signal('worker', n, 'SIGSTOP'),
  ];
}
