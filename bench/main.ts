/**
 * `npm run bench [-- --seconds 15]`: starts the real server and measures what it costs. CPU is user and system time of
 * all threads, read from /proc; on shared machines compare the figures of one run with each other. Prints the tables
 * of docs/performance.md.
 */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { barcodeClip } from '../test/support/media.ts';
import { measureFanOut, published } from './fan-out.ts';
import { cpuBetween, processTree } from './process-tree.ts';
import { type BenchServer, sleep, startServer } from './server.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '15' } } });
const seconds = Number(values.seconds);

function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`);
  line(head);
  line(head.map(() => '---'));
  for (const row of rows) line(row);
  console.log();
}

function machine(): void {
  const os = /PRETTY_NAME="(.*)"/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const memory = Math.round(totalmem() / 2 ** 30);
  console.log(
    `${cpus().length} × ${cpus()[0]!.model}, ${memory} GiB, ${os}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}\n`,
  );
}

async function startUp(): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < 5; n++) {
    await using server = await startServer('demo: false');
    times.push(server.startMs);
  }
  times.sort((a, b) => a - b);
  console.log(
    '## Start of the process to first answer over HTTP, without the demonstration camera (5 runs)\n',
  );
  table(['min', 'median', 'max'], [[times[0]!, times[2]!, times[4]!].map((ms) => `${ms.toFixed(0)} ms`)]);
}

/** Share of a core that each kind of process takes, and its memory, over `seconds`. */
async function cost(server: BenchServer, title: string): Promise<readonly string[]> {
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

async function demonstration(): Promise<void> {
  await using server = await startServer();
  await sleep(4000);
  const rows = [await cost(server, 'nobody watches')];
  const ws = (door: string) => new WebSocket(`${server.http.replace('http', 'ws')}/demo/${door}`);
  const mse = ws('mse');
  mse.on('message', () => {});
  await sleep(1000);
  rows.push(await cost(server, 'one viewer, no algorithm'));
  const results = ws('results');
  await sleep(6000);
  rows.push(await cost(server, 'one viewer, people detected at 5 frames per second'));
  const { runs } = (await (await fetch(`${server.http}/api/runs`)).json()) as {
    runs: { statistics?: unknown }[];
  };
  mse.close();
  results.close();
  console.log('## The demonstration camera (768 × 576, 20 fps, AAC): CPU seconds per second, and memory\n');
  table(['', 'server', 'workers', 'algorithm host'], rows);
  console.log(`Run: ${JSON.stringify(runs[0]?.statistics)}\n`);
}

async function fanOut(): Promise<void> {
  const clip = await barcodeClip({ seconds: 20 });
  await using server = await startServer('demo: false');
  const figures = await published(server, clip, 'bench', async () => {
    const list = [];
    for (const count of [1, 50, 200, 500])
      list.push(await measureFanOut(server, 'rtsp', 'bench', count, seconds));
    for (const count of [50, 200]) list.push(await measureFanOut(server, 'mse', 'bench', count, seconds));
    return list;
  });
  console.log('## Fan-out over loopback: one publisher (RTSP over TCP), readers in another process\n');
  table(
    ['door', 'readers', 'CPU s per 1000 stream-s', 'Mbit/s per reader', 'slowest reader', 'kB per reader'],
    figures.map((f) => [
      f.door,
      String(f.readers),
      f.cpuPer1000.toFixed(2),
      f.mbitPerReader.toFixed(2),
      `${(f.smallestShare * 100).toFixed(0)} %`,
      f.kbPerReader.toFixed(0),
    ]),
  );
}

machine();
await startUp();
await demonstration();
await fanOut();
