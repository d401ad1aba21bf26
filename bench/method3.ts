/**
 * `npm run bench:method3 [-- --seconds 30]`: what a picture with boxes costs, in CPU seconds per second of media. The same
 * camera, 1080p25, goes through the script of old (`baseline/method3.py`: PyAV, every picture as BGR, MPEG-4 and MP3 out),
 * through Sluice's burned-in view, and to a page that draws by itself (overlay). Inference is left out: the algorithm costs
 * nothing. All processes count but ffmpeg, which plays the camera and the player.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { cameraClip } from './clips.ts';
import { publishing } from './detection.ts';
import { cpuBetween, processTree } from './process-tree.ts';
import { type BenchServer, sleep, startServer, stop, until } from './server.ts';

const run = promisify(execFile);
const ALGORITHMS = fileURLToPath(new URL('./algorithms', import.meta.url));
const SCRIPT = fileURLToPath(new URL('./baseline/method3.py', import.meta.url));
/** Debian's, which has the packages. */
const PYTHON = '/usr/bin/python3';
/** After so long the compiler of the JavaScript engine has done its work. */
const WARM_SECONDS = 20;
/** Of the clip: pictures, and AAC frames of 1024 samples. */
const UNITS_PER_SECOND = 25 + 44_100 / 1024;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' } } });
const seconds = Number(values.seconds);

interface Baseline {
  readonly cpu: number;
  readonly media: number;
  readonly errors: number;
  readonly behind: number;
  readonly ended: string;
}

/** Makes sure that PyAV is there; says how to get it where it cannot be installed. */
async function needPyAv(): Promise<void> {
  const isThere = () =>
    run(PYTHON, ['-c', 'import av, numpy']).then(
      () => true,
      () => false,
    );
  if (existsSync(PYTHON) && (await isThere())) return;
  const install = ['install', '-y', '--no-install-recommends', 'python3-av', 'python3-numpy'];
  if (process.getuid?.() === 0) await run('apt-get', install).catch(() => {});
  if (await isThere()) return;
  throw new Error(`PyAV is missing: apt-get ${install.join(' ')}`);
}

const config = (parameters: object = {}) => {
  const wish = JSON.stringify({ algorithm: 'moving-boxes', parameters, burnIn: true });
  return `demo: false\nalgorithms: { folders: ['${ALGORITHMS}'] }\nstreams: { cam: { detect: [${wish}] } }\n`;
};

/** CPU seconds of the server and all its processes in a second, once everything is warm, and what `count` grew by in it. */
async function serverCost(
  server: BenchServer,
  count: () => Promise<number> = async () => 0,
): Promise<{ readonly cpu: number; readonly grown: number }> {
  await sleep(WARM_SECONDS * 1000);
  const counted = await count();
  const before = processTree(server.pid);
  await sleep(seconds * 1000);
  const used = cpuBetween(before, processTree(server.pid));
  const cpu = Object.values(used).reduce((sum, one) => sum + one, 0) / seconds;
  return { cpu, grown: ((await count()) - counted) / seconds };
}

/** The script of old beside a server, which it reads from and publishes to. @param takesMs of its algorithm */
async function baseline(clip: string, takesMs: number): Promise<{ cost: number; said: Baseline }> {
  await using server = await startServer('demo: false');
  return await publishing(server, { cam: clip }, async () => {
    const from = `${server.rtsp}/cam`;
    const args = [SCRIPT, from, `${server.rtsp}/old`, String(seconds), String(WARM_SECONDS), String(takesMs)];
    const script = run(PYTHON, args, { timeout: 1000 * (seconds + WARM_SECONDS + 60) });
    const [{ stdout }, beside] = await Promise.all([script, serverCost(server)]);
    const said = JSON.parse(stdout) as Baseline;
    return { cost: said.cpu / Math.max(0.001, said.media) + beside.cpu, said };
  });
}

/** Sluice's burned-in view with one player; `media`: seconds of it that came in a second. */
async function burnedIn(clip: string, parameters: object): Promise<{ cost: number; media: number }> {
  await using server = await startServer(config(parameters));
  return await publishing(server, { cam: clip }, async () => {
    const input = ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/cam/moving-boxes`];
    const player = spawn('ffmpeg', [...input, '-c', 'copy', '-f', 'null', '-'], { stdio: 'ignore' });
    try {
      await until(async () => (await fetch(`${server.http}/api/streams/cam/moving-boxes`)).ok);
      const { cpu, grown } = await serverCost(server, () => units(server));
      const media = grown / UNITS_PER_SECOND;
      return { cost: cpu / media, media };
    } finally {
      await stop(player);
    }
  });
}

/** Units of the view so far, of picture and sound. */
async function units(server: BenchServer): Promise<number> {
  const view = (await (await fetch(`${server.http}/api/streams/cam/moving-boxes`)).json()) as {
    received: { units: number };
  };
  return view.received.units;
}

/** The results for a page that draws, the camera's picture as it is. */
async function overlay(clip: string, parameters: object): Promise<number> {
  await using server = await startServer(config());
  return await publishing(server, { cam: clip }, async () => {
    const answer = await fetch(`${server.http}/api/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stream: 'cam', algorithm: 'moving-boxes', parameters }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    const input = ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/cam`];
    const player = spawn('ffmpeg', [...input, '-c', 'copy', '-f', 'null', '-'], { stdio: 'ignore' });
    try {
      return (await serverCost(server)).cpu;
    } finally {
      await stop(player);
    }
  });
}

await needPyAv();
const full = await cameraClip({ width: 1920, height: 1080, kbits: 3000 });
const sub = await cameraClip({ width: 640, height: 360, kbits: 600 });
const old = await baseline(full, 0);
const rows: (readonly [what: string, cost: number, target: string])[] = [
  ['PyAV: all decoded, BGR, MPEG-4 and MP3', old.cost, ''],
  ['Sluice, burned in, each of 25 pictures looked at', (await burnedIn(full, { fps: 0 })).cost, '≤ 0.7'],
  ['Sluice, burned in, 5 pictures a second looked at', (await burnedIn(full, { fps: 5 })).cost, '≤ 0.7'],
  ['Sluice, overlay, each of 25 pictures looked at', await overlay(full, { fps: 0 }), '≤ 0.25'],
  ['Sluice, overlay, 5 pictures a second looked at', await overlay(full, { fps: 5 }), '≤ 0.25'],
  ['Sluice, overlay, keyframes', await overlay(full, { fps: 0, mode: 'keyframes' }), '≤ 0.083'],
  ['Sluice, overlay, sub-stream of 640 × 360, 5 a second', await overlay(sub, { fps: 5 }), '≤ 0.083'],
];
console.log('| 1080p25, 3 Mbit/s | CPU s per media s | against PyAV | target |');
console.log('|---|---|---|---|');
for (const [what, cost, target] of rows) {
  console.log(`| ${what} | ${cost.toFixed(3)} | ${(cost / old.cost).toFixed(2)} | ${target} |`);
}
const slow = (await baseline(full, 100)).said;
const view = await burnedIn(full, { fps: 0, takesMs: 100 });
console.log(
  `\nPyAV caught ${old.said.errors} errors of the muxer${old.said.ended && `, and ended: ${old.said.ended}`}.`,
);
console.log(
  `With 100 ms a picture, after ${seconds + WARM_SECONDS} s: PyAV is ${slow.behind.toFixed(1)} s further behind than it began${slow.ended && `, and ended: ${slow.ended}`}; of Sluice's view ${view.media.toFixed(2)} s come in a second.`,
);
