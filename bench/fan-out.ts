import { fork, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cpuBetween, processTree } from './process-tree.ts';
import { type BenchServer, sleep, stop, until } from './server.ts';

const READERS = fileURLToPath(new URL('./readers.ts', import.meta.url));

export interface FanOutFigures {
  readonly door: string;
  readonly readers: number;
  /** Server CPU seconds per 1000 stream-seconds, the publisher's ingest included. */
  readonly cpuPer1000: number;
  /** Mbit/s that one reader got, mean, and the slowest reader's share of the mean. */
  readonly mbitPerReader: number;
  readonly smallestShare: number;
  /** Server memory added per reader, kB. */
  readonly kbPerReader: number;
}

/** Publishes `clip` with ffmpeg in real time for as long as `work` runs. */
export async function published<T>(
  server: BenchServer,
  clip: string,
  stream: string,
  work: () => Promise<T>,
): Promise<T> {
  const address = `${server.rtsp}/${stream}`;
  const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy'];
  const ffmpeg = spawn('ffmpeg', [...input, '-f', 'rtsp', '-rtsp_transport', 'tcp', address], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    await until(async () => (await fetch(`${server.http}/api/streams/${stream}`)).ok);
    return await work();
  } finally {
    await stop(ffmpeg);
  }
}

/** `count` readers of one stream through one door, from a process of their own. */
export async function measureFanOut(
  server: BenchServer,
  door: 'rtsp' | 'mse',
  stream: string,
  count: number,
  seconds: number,
): Promise<FanOutFigures> {
  const address =
    door === 'rtsp' ? `${server.rtsp}/${stream}` : `${server.http.replace('http', 'ws')}/${stream}/mse`;
  const rssBefore = processTree(server.pid)[0]!.rssMb;
  const child = fork(READERS, [door, address, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: [],
  });
  const lines: { readers: number; bytes: number; smallest: number }[] = [];
  child.stdout!.on('data', (data: Buffer) => {
    for (const line of data.toString().trim().split('\n')) lines.push(JSON.parse(line));
  });
  await until(async () => lines.at(-1)?.readers === count, child);
  await sleep(2000);
  const from = lines.length;
  const before = processTree(server.pid);
  await until(async () => lines.length >= from + seconds, child);
  const after = processTree(server.pid);
  const window = lines.slice(from, from + seconds);
  await stop(child);
  const mean = window.reduce((sum, { bytes }) => sum + bytes, 0) / seconds / count;
  const smallest = window.reduce((sum, line) => sum + line.smallest, 0) / seconds;
  return {
    door,
    readers: count,
    cpuPer1000: (cpuBetween(before, after)['server']! / (count * seconds)) * 1000,
    mbitPerReader: (mean * 8) / 1e6,
    smallestShare: smallest / mean,
    kbPerReader: ((after[0]!.rssMb - rssBefore) * 1000) / count,
  };
}
