import { WebSocket } from 'ws';
import { cpuBetween, processTree } from './process-tree.ts';
import { type BenchServer, sleep, startServer } from './server.ts';

/** Rows of: what, then per kind of process the cores it uses and its memory. */
export async function measureDemonstration(seconds: number): Promise<string[][]> {
  await using server = await startServer();
  const open = (door: string) => {
    const socket = new WebSocket(`${server.http.replace('http', 'ws')}/demo/${door}`);
    socket.on('message', () => {});
    return socket;
  };
  await sleep(4000);
  const rows = [await cost(server, 'nobody watches', seconds)];
  const mse = open('mse');
  await sleep(1000);
  rows.push(await cost(server, 'one viewer, no algorithm', seconds));
  const results = open('results');
  await sleep(6000);
  rows.push(await cost(server, 'one viewer, people detected at 5 frames per second', seconds));
  mse.close();
  results.close();
  return rows;
}

async function cost(server: BenchServer, title: string, seconds: number): Promise<string[]> {
  const before = processTree(server.pid);
  await sleep(seconds * 1000);
  const after = processTree(server.pid);
  const used = cpuBetween(before, after);
  const cell = (role: string) => {
    const rss = after.filter((p) => p.role === role).reduce((sum, p) => sum + p.rssMb, 0);
    return rss === 0 ? '–' : `${((used[role] ?? 0) / seconds).toFixed(3)} (${rss.toFixed(0)} MB)`;
  };
  return [title, cell('server'), cell('worker'), cell('algorithm-host')];
}
