/**
 * `npm run bench:method4 [-- --seconds 20]`: what it costs to publish the pictures of a stream on Redis, by the script that
 * Sluice replaces (bench/baseline/method4.py: OpenCV, base64, redis-py) and by Sluice, which looks at each picture with an
 * algorithm that does nothing. CPU is user and system time of all threads; the two are to be compared with each other, on a
 * machine that does nothing else. As root on Debian it installs what it needs.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { cameraClip } from './clips.ts';
import { publishing } from './detection.ts';
import { cpuBetween, processTree } from './process-tree.ts';
import { type BenchServer, freePort, sleep, startServer, stop, until } from './server.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } });
const seconds = Number(values.seconds);
const WARM_SECONDS = 15;
const CHANNEL = 'cam/nothing';
/** Of Debian: the one that its packages are for, whatever else is in the path. */
const PYTHON = '/usr/bin/python3';
const script = fileURLToPath(new URL('baseline/method4.py', import.meta.url));
const algorithms = fileURLToPath(new URL('algorithms', import.meta.url));

/** Milliseconds of CPU for a picture that was published, and bytes of its message. */
interface Cost {
  readonly ms: number;
  readonly kb: number;
  readonly fps: number;
}

function ensurePackages(): void {
  const works = () =>
    spawnSync(PYTHON, ['-c', 'import cv2, redis']).status === 0 &&
    spawnSync('redis-server', ['--version']).status === 0;
  if (works()) return;
  const packages = ['python3-opencv', 'python3-redis', 'redis-server', 'redis-tools'];
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      spawnSync('apt-get', ['-q', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env });
    }
  }
  if (!works()) throw new Error(`Install these first: ${packages.join(' ')}`);
}

/** A Redis that keeps nothing, and somebody who subscribes. */
async function startRedis() {
  const port = await freePort();
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--save', ''];
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(server.stdout, 'data');
  server.stdout.resume();
  const subscribers: ChildProcess[] = [];
  return {
    url: `redis://127.0.0.1:${port}`,
    subscribe: () =>
      subscribers.push(
        spawn('redis-cli', ['-p', String(port), 'SUBSCRIBE', CHANNEL], {
          stdio: ['ignore', 'ignore', 'inherit'],
        }),
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([...subscribers, server].map(stop));
    },
  };
}

async function oldWay(server: BenchServer, redis: string, width: number | undefined): Promise<Cost> {
  const size = width === undefined ? [] : [String(width), String((width * 9) / 16)];
  const args = [script, `${server.rtsp}/cam`, redis, CHANNEL, String(seconds), String(WARM_SECONDS), ...size];
  const { stdout } = await promisify(execFile)(PYTHON, args);
  const { frames, cpu, bytes } = JSON.parse(stdout) as { frames: number; cpu: number; bytes: number };
  return { ms: (cpu / frames) * 1000, kb: bytes / 1000, fps: frames / seconds };
}

interface Counters {
  readonly published: number;
  readonly made: number;
  readonly cpu: Record<string, number>;
}

async function counters(server: BenchServer): Promise<Omit<Counters, 'cpu'>> {
  const { runs } = (await (await fetch(`${server.http}/api/runs`)).json()) as {
    runs: { frames: { published: number }; statistics: { frames: { made: number } } }[];
  };
  return { published: runs[0]?.frames.published ?? 0, made: runs[0]?.statistics.frames.made ?? 0 };
}

async function measured(server: BenchServer): Promise<Counters> {
  await sleep(WARM_SECONDS * 1000);
  const [before, tree] = [await counters(server), processTree(server.pid)];
  await sleep(seconds * 1000);
  const [after, cpu] = [await counters(server), cpuBetween(tree, processTree(server.pid))];
  return { published: after.published - before.published, made: after.made - before.made, cpu };
}

/** Of server and worker; the algorithm, which finds nothing in its own process, is left out. */
const share = ({ cpu }: Counters) => (cpu['server'] ?? 0) + (cpu['worker'] ?? 0);

async function ourWay(clip: string, frames: object): Promise<{ idle: Counters; busy: Counters; kb: number }> {
  await using redis = await startRedis();
  await using server = await startServer(
    `demo: false\nalgorithms: { folders: [${JSON.stringify(algorithms)}] }\nredis: { url: '${redis.url}' }\n`,
  );
  return await publishing(server, { cam: clip }, async () => {
    const answer = await fetch(`${server.http}/api/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        stream: 'cam',
        algorithm: 'nothing',
        parameters: { fps: 0, mode: 'every' },
        frames,
      }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    const idle = await measured(server);
    redis.subscribe();
    await until(async () => (await counters(server)).published > 0);
    const busy = await measured(server);
    const [run] = ((await (await fetch(`${server.http}/api/runs`)).json()) as { runs: { id: string }[] })
      .runs;
    const jpeg = await (await fetch(`${server.http}/api/runs/${run!.id}/frame.jpg`)).arrayBuffer();
    return { idle, busy, kb: (Math.ceil(jpeg.byteLength / 3) * 4) / 1000 };
  });
}

async function old(clip: string, width: number | undefined): Promise<Cost> {
  await using redis = await startRedis();
  redis.subscribe();
  await using server = await startServer('demo: false');
  return await publishing(server, { cam: clip }, () => oldWay(server, redis.url, width));
}

function row(what: string, cost: Cost, than: Cost, more = ''): void {
  const ratio = (cost.ms / than.ms).toFixed(2);
  console.log(
    `| ${what} | ${cost.ms.toFixed(1)} | ${ratio} | ${cost.kb.toFixed(0)} | ${cost.fps.toFixed(1)} | ${more} |`,
  );
}

ensurePackages();
const full = await cameraClip({ width: 1920, height: 1080, kbits: 3000 });
const sub = await cameraClip({ width: 640, height: 360, kbits: 600 });
console.log(
  '| | CPU per published frame, ms | of the old way at 1080p | kB | frames per second | adds to a run, ms |',
);
console.log('|---|---|---|---|---|---|');
const base = await old(full, undefined);
row('old: 1080p', base, base);
row('old: 1080p as 640×360', await old(full, 640), base);
for (const [what, clip, frames] of [
  ['Sluice: 1080p, quality 95', full, { quality: 95, boxes: false }],
  // What OpenCV loses on the way through RGB: at this quality the pictures are as true to those of the camera.
  ['Sluice: 1080p, quality 67', full, { quality: 67, boxes: false }],
  ['Sluice: 1080p as 640×360, quality 95', full, { quality: 95, width: 640, boxes: false }],
  ['Sluice: a sub-stream of 640×360, quality 95', sub, { quality: 95, boxes: false }],
] as const) {
  const { idle, busy, kb } = await ourWay(clip, frames);
  const ms = (share(busy) / busy.published) * 1000;
  const adds = ((share(busy) - share(idle)) / busy.published) * 1000;
  row(
    what,
    { ms, kb, fps: busy.published / seconds },
    base,
    `${adds.toFixed(1)} (${(adds / base.ms).toFixed(2)})`,
  );
  console.error(`${what}: without a subscriber ${idle.made} JPEGs were made.`);
}
