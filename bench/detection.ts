import { spawn } from 'node:child_process';
import { cameraClip, decodeCost } from './clips.ts';
import { cpuBetween, processTree } from './process-tree.ts';
import { type BenchServer, sleep, startServer, stop, until } from './server.ts';

/** CPU seconds per second of media, by process. */
export interface DetectionFigures {
  readonly what: string;
  readonly hub: number;
  readonly worker: number;
  readonly host: number;
  readonly rssMb: number;
  /** What ffmpeg needs to decode the same clip on one thread without deblocking. */
  readonly ffmpegDecode: number;
}

interface RunView {
  readonly statistics: { readonly inferred: number; readonly resultAgeMs: { readonly p95: number } };
}

/** After so long the compiler of the JavaScript engine has seen what runs all day, and has done its work. */
const WARM_MS = 30_000;

/** Publishes clips with the real ffmpeg, in real time and without end, while `work` runs. */
export async function publishing<T>(
  server: BenchServer,
  clips: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  const publishers = Object.entries(clips).map(([stream, clip]) => {
    const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy'];
    const output = ['-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/${stream}`];
    return spawn('ffmpeg', [...input, ...output], { stdio: ['ignore', 'ignore', 'ignore'] });
  });
  try {
    for (const stream of Object.keys(clips)) {
      await until(async () => (await fetch(`${server.http}/api/streams/${stream}`)).ok);
    }
    return await work();
  } finally {
    await Promise.all(publishers.map(stop));
  }
}

/** Starts a run by the API, for as long as the server lives. */
export async function startRun(server: BenchServer, stream: string, parameters: object): Promise<void> {
  const answer = await fetch(`${server.http}/api/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stream, algorithm: 'people', parameters }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

export async function runs(server: BenchServer): Promise<RunView[]> {
  return ((await (await fetch(`${server.http}/api/runs`)).json()) as { runs: RunView[] }).runs;
}

/** What one camera with person detection costs, at several sizes and rates. */
export async function measureDetection(seconds: number): Promise<DetectionFigures[]> {
  const full = await cameraClip({ width: 1920, height: 1080, kbits: 3000 });
  const rich = await cameraClip({ width: 1920, height: 1080, kbits: 8000 });
  const sub = await cameraClip({ width: 640, height: 360, kbits: 600 });
  const figures: DetectionFigures[] = [];
  for (const [what, clip, parameters] of [
    ['1080p25 3 Mbit/s, 5 frames per second', full, { fps: 5 }],
    ['1080p25 3 Mbit/s, keyframes only', full, { fps: 5, mode: 'keyframes' }],
    ['1080p25 8 Mbit/s, 5 frames per second', rich, { fps: 5 }],
    ['640×360 25 fps 0.6 Mbit/s, 5 frames per second', sub, { fps: 5 }],
  ] as const) {
    await using server = await startServer('demo: false');
    figures.push(
      await publishing(server, { cam: clip }, async () => {
        await startRun(server, 'cam', parameters);
        await until(async () => ((await runs(server))[0]?.statistics.inferred ?? 0) > 3);
        await sleep(WARM_MS);
        const before = processTree(server.pid);
        await sleep(seconds * 1000);
        const after = processTree(server.pid);
        const used = cpuBetween(before, after);
        const share = (role: string) => (used[role] ?? 0) / seconds;
        return {
          what,
          hub: share('server'),
          worker: share('worker'),
          host: share('algorithm-host'),
          rssMb: after.reduce((sum, { rssMb }) => sum + rssMb, 0),
          ffmpegDecode: await decodeCost(clip, true),
        };
      }),
    );
  }
  return figures;
}

/** CPU seconds of the server per second of media when one reader reads one 1080p stream of 3 Mbit/s. */
export async function measurePassThrough(seconds: number): Promise<number> {
  const clip = await cameraClip({ width: 1920, height: 1080, kbits: 3000 });
  await using server = await startServer('demo: false');
  // Awaited here: the server must live as long as the work.
  return await publishing(server, { cam: clip }, async () => {
    const reader = spawn(
      'ffmpeg',
      ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/cam`, '-c', 'copy', '-f', 'null', '-'],
      { stdio: 'ignore' },
    );
    await sleep(WARM_MS);
    const before = processTree(server.pid);
    await sleep(seconds * 1000);
    const used = cpuBetween(before, processTree(server.pid));
    await stop(reader);
    return (used['server'] ?? 0) / seconds;
  });
}

export interface CapacityStep {
  readonly cameras: number;
  /** Oldest p95 of the runs' result ages, ms. */
  readonly worstAgeMs: number;
  /** Inferences per second and camera, smallest. */
  readonly slowest: number;
  /** Share of the pictures that a reader of the first camera got. */
  readonly delivered: number;
  /** Cores that server, workers and hosts used. */
  readonly cores: number;
}

/** More and more cameras with detection, until results get older than a second; pictures must not suffer. */
export async function measureCapacity(
  size: 'full' | 'sub',
  fps: number,
  steps: readonly number[],
): Promise<CapacityStep[]> {
  const clip = await cameraClip(
    size === 'full' ? { width: 1920, height: 1080, kbits: 3000 } : { width: 640, height: 360, kbits: 600 },
  );
  const done: CapacityStep[] = [];
  for (const cameras of steps) {
    await using server = await startServer('demo: false');
    const clips = Object.fromEntries(Array.from({ length: cameras }, (_, n) => [`cam-${n}`, clip]));
    const step = await publishing(server, clips, async () => {
      for (const stream of Object.keys(clips)) await startRun(server, stream, { fps });
      await sleep(8000);
      const counted = await runs(server);
      const before = processTree(server.pid);
      const [streamBefore] = await received(server);
      await sleep(10_000);
      const after = await runs(server);
      const [streamAfter] = await received(server);
      const used = cpuBetween(before, processTree(server.pid));
      return {
        cameras,
        worstAgeMs: Math.max(...after.map(({ statistics }) => statistics.resultAgeMs.p95)),
        slowest: Math.min(
          ...after.map(({ statistics }, n) => (statistics.inferred - counted[n]!.statistics.inferred) / 10),
        ),
        delivered: (streamAfter! - streamBefore!) / (10 * (25 + 44_100 / 1024)),
        cores: Object.values(used).reduce((sum, cpu) => sum + cpu, 0) / 10,
      };
    });
    done.push(step);
    if (step.worstAgeMs > 1000 || step.slowest < fps * 0.5) break;
  }
  return done;
}

/** Access units that came into each stream. */
async function received(server: BenchServer): Promise<number[]> {
  const { streams } = (await (await fetch(`${server.http}/api/streams`)).json()) as {
    streams: { received: { units: number } }[];
  };
  return streams.map(({ received: { units } }) => units);
}
