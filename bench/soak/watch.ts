import { readdirSync } from 'node:fs';
import { processTree } from '../process-tree.ts';
import type { BenchServer } from '../server.ts';

/** What is looked at once a second. */
export interface Sample {
  /** Seconds since the beginning. */
  readonly at: number;
  /** Of the server. */
  readonly rssMb: number;
  readonly heapMb: number;
  /** Buffers and what else is bound to the heap without being on it. */
  readonly externalMb: number;
  readonly descriptors: number;
  readonly timers: number;
  readonly feeds: number;
  readonly readers: number;
  /** Of its children. */
  readonly workers: number;
  /** Mean of them; each begins anew with every start. */
  readonly workerMb: number;
  readonly hosts: number;
  readonly hostMb: number;
}

export const FIGURES = [
  'rssMb',
  'heapMb',
  'externalMb',
  'descriptors',
  'timers',
  'feeds',
  'readers',
  'workers',
  'workerMb',
  'hosts',
  'hostMb',
] as const satisfies readonly (keyof Sample)[];

export async function takeSample(server: BenchServer, at: number): Promise<Sample> {
  const tree = processTree(server.pid);
  const of = (role: string) => tree.filter((process) => process.role === role);
  const megabytes = (role: string) =>
    of(role).reduce((sum, { rssMb }) => sum + rssMb, 0) / Math.max(1, of(role).length);
  const metrics = await (await fetch(`${server.http}/metrics`)).text();
  const total = (name: string) =>
    [...metrics.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    );
  return {
    at,
    rssMb: tree[0]!.rssMb,
    heapMb: total('nodejs_heap_size_used_bytes') / 1e6,
    externalMb: total('nodejs_external_memory_bytes') / 1e6,
    descriptors: readdirSync(`/proc/${server.pid}/fd`).length,
    timers: total('sluice_timers'),
    feeds: total('sluice_feeds'),
    readers: total('sluice_readers'),
    workers: of('worker').length,
    workerMb: megabytes('worker'),
    hosts: of('algorithm-host').length,
    hostMb: megabytes('algorithm-host'),
  };
}

/** How a figure went: at the start, after warming up, at the end, and its slope between the last two. */
export interface Course {
  readonly figure: (typeof FIGURES)[number];
  readonly start: number;
  readonly warm: number;
  readonly end: number;
  readonly perMinute: number;
  /** The most that `end` may be over `warm`. */
  readonly allowed: number;
  readonly flat: boolean;
}

/**
 * Growth that is none. Garbage moves the memory of the server, and each incarnation of a child has its own; what leaks
 * with every fault, reader or second is far more after some minutes.
 */
const ALLOWED: Readonly<Record<(typeof FIGURES)[number], number>> = {
  rssMb: 40,
  heapMb: 12,
  externalMb: 20,
  descriptors: 8,
  timers: 12,
  feeds: 4,
  readers: 4,
  workers: 1,
  workerMb: 60,
  hosts: 1,
  hostMb: 60,
};

/**
 * Judges the samples. A figure at a moment is the least of ten seconds: what is there only for a while is no growth.
 * @param warmAt seconds after which nothing is to grow any more
 */
export function judge(samples: readonly Sample[], warmAt: number): Course[] {
  const warmed = samples.filter(({ at }) => at >= warmAt);
  const least = (some: readonly Sample[], figure: keyof Sample) =>
    Math.min(...some.map((sample) => sample[figure]));
  return FIGURES.map((figure) => {
    const warm = least(warmed.slice(0, 10), figure);
    const end = least(warmed.slice(-10), figure);
    const allowed = ALLOWED[figure];
    return {
      figure,
      start: least(samples.slice(0, 10), figure),
      warm,
      end,
      perMinute: slope(warmed, figure) * 60,
      allowed,
      flat: end - warm <= allowed,
    };
  });
}

/** Times in which nothing was looked at, in seconds: the machine had no time for the soak, and its readers were slow. */
export function holdUps(samples: readonly Sample[]): number[] {
  return samples.slice(1).flatMap(({ at }, n) => (at - samples[n]!.at > 4 ? [at - samples[n]!.at] : []));
}

/** Least squares, per second. */
function slope(samples: readonly Sample[], figure: keyof Sample): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const at = mean(samples.map((sample) => sample.at));
  const value = mean(samples.map((sample) => sample[figure]));
  let above = 0;
  let below = 0;
  for (const sample of samples) {
    above += (sample.at - at) * (sample[figure] - value);
    below += (sample.at - at) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
