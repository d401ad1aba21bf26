import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { madeUpClip } from '../test/support/fault-camera/clip.ts';
import { FaultPublisher } from '../test/support/fault-camera/publisher.ts';
import { percentiles } from './percentiles.ts';
import { cpuBetween, processTree } from './process-tree.ts';
import type { Report } from './readers.ts';
import { type BenchServer, sleep, stop, until } from './server.ts';

const READERS = fileURLToPath(new URL('./readers.ts', import.meta.url));

export type BenchDoor = 'rtsp' | 'mse' | 'rtmp' | 'flv' | 'hls' | 'webrtc';

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
  /** Age of pictures at the readers, ms: from their capture on. */
  readonly age: { readonly p50: number; readonly p95: number };
  /** From connecting to the first keyframe, ms. */
  readonly firstKeyframe: { readonly p50: number; readonly p95: number };
}

/** A stream of 2 Mbit/s: 25 pictures a second of 10 kB, a keyframe every 2 s, and sound. */
export interface BenchStream extends AsyncDisposable {
  /** When picture 0 was taken, ms since 1970. */
  readonly startedAt: number;
}

/** Publishes numbered pictures into the server, with 47 frames of AAC a second, or 50 of G.711, which is no sound either. */
export async function publishNumbered(
  server: BenchServer,
  stream: string,
  audio: 'aac' | 'pcma' = 'aac',
): Promise<BenchStream> {
  const startedAt = performance.timeOrigin + performance.now();
  const publisher = await FaultPublisher.start({
    url: `${server.rtsp}/${stream}`,
    camera: { clip: madeUpClip({ pictureSize: 10_000, audio }), startedAt },
  });
  await until(async () => (await fetch(`${server.http}/api/streams/${stream}`)).ok);
  return { startedAt, [Symbol.asyncDispose]: () => publisher[Symbol.asyncDispose]() };
}

/** `count` readers of one stream through one door, from a process of their own. */
export async function measureFanOut(
  server: BenchServer,
  published: { readonly stream: string; readonly startedAt: number },
  door: BenchDoor,
  count: number,
  seconds: number,
): Promise<FanOutFigures> {
  const { stream, startedAt } = published;
  const address = {
    rtsp: `${server.rtsp}/${stream}`,
    mse: `${server.http.replace('http', 'ws')}/${stream}/mse`,
    rtmp: `${server.rtmp}/${stream}`,
    flv: `${server.http}/${stream}/live.flv`,
    hls: `${server.http}/${stream}/index.m3u8`,
    webrtc: `${server.http.replace('http', 'whep')}/${stream}/whep`,
  }[door];
  const rssBefore = processTree(server.pid)[0]!.rssMb;
  const child = fork(READERS, [door, address, String(count), String(startedAt)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  const reports: Report[] = [];
  child.on('message', (report: Report) => reports.push(report));
  await until(async () => reports.at(-1)?.ready === count, child);
  await sleep(2000);
  const from = reports.length;
  const before = processTree(server.pid);
  await until(async () => reports.length >= from + seconds, child);
  const after = processTree(server.pid);
  await stop(child);
  const window = reports.slice(from, from + seconds);
  const mean = window.reduce((sum, { bytes }) => sum + bytes, 0) / seconds / count;
  const smallest = window.reduce((sum, report) => sum + report.smallest, 0) / seconds;
  return {
    door,
    readers: count,
    cpuPer1000: (cpuBetween(before, after)['server']! / (count * seconds)) * 1000,
    mbitPerReader: (mean * 8) / 1e6,
    smallestShare: smallest / mean,
    kbPerReader: ((after[0]!.rssMb - rssBefore) * 1000) / count,
    age: percentiles(window.flatMap(({ ages }) => ages)),
    firstKeyframe: percentiles(reports.flatMap(({ firstKeyframes }) => firstKeyframes)),
  };
}
