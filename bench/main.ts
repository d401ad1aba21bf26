/**
 * `npm run bench [-- --seconds 15 --only start,demo,detection,fan-out,page,capacity]`: starts the real server and measures
 * what it costs. CPU is user and system time of all threads, read from /proc; on shared machines compare the figures of
 * one run with each other. Prints the tables of docs/performance.md.
 */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { measureDemonstration } from './demonstration.ts';
import { measureCapacity, measureDetection, measurePassThrough } from './detection.ts';
import { measureFanOut, publishNumbered } from './fan-out.ts';
import { measurePage } from './page-latency.ts';
import { startServer } from './server.ts';
import { measureStart } from './start.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '15' }, only: { type: 'string', default: '' } },
});
const seconds = Number(values.seconds);
const only = values.only === '' ? undefined : new Set(values.only.split(','));

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
  const processors = `${cpus().length} × ${cpus()[0]!.model}`;
  console.log(
    `${processors}, ${memory} GiB, ${os}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}\n`,
  );
}

const ms = (value: number) => `${value.toFixed(0)} ms`;

async function start(): Promise<void> {
  const { answerMs, pictureMs, idleMb, detecting } = await measureStart();
  console.log('## Start and memory\n');
  table(
    ['', 'min', 'median', 'max'],
    [
      ['first answer over HTTP, no demonstration camera', answerMs[0]!, answerMs[2]!, answerMs[4]!],
      ['first picture of the demonstration camera on the page', pictureMs[0]!, pictureMs[1]!, pictureMs[2]!],
    ].map(([what, ...times]) => [String(what), ...times.map((time) => ms(Number(time)))]),
  );
  const { pss, rss } = detecting;
  console.log(`Idle server: ${idleMb.toFixed(0)} MB (RSS).`);
  console.log(
    `All processes with one detecting camera: ${pss.toFixed(0)} MB (PSS; the sum of RSS is ${rss.toFixed(0)} MB).\n`,
  );
}

async function demonstration(): Promise<void> {
  console.log('## The demonstration camera (768 × 576, 20 fps, AAC): cores used (memory)\n');
  table(['', 'server', 'workers', 'algorithm host'], await measureDemonstration(seconds));
}

async function detection(): Promise<void> {
  const alone = await measurePassThrough(seconds);
  const figures = await measureDetection(seconds);
  console.log('## One camera with person detection: CPU seconds per second of media\n');
  table(
    [
      '',
      'hub',
      'worker: decode, scale',
      'inference',
      'all',
      'all without inference',
      'ffmpeg decodes the clip',
      'times that',
      'memory',
    ],
    figures.map(({ what, hub, worker, host, ffmpegDecode, rssMb }) => [
      what,
      ...[hub, worker, host, hub + worker + host, hub + worker, ffmpegDecode].map((cpu) => cpu.toFixed(3)),
      ((hub + worker) / ffmpegDecode).toFixed(2),
      `${rssMb.toFixed(0)} MB`,
    ]),
  );
  console.log(`Passing the 1080p stream through to one RTSP reader: ${alone.toFixed(3)}.\n`);
}

async function capacity(): Promise<void> {
  console.log('## Cameras with person detection until results are older than 1 s or half the rate is lost\n');
  const rows: string[][] = [];
  for (const [what, size, fps, steps] of [
    ['640×360, 1 frame per second', 'sub', 1, [4, 8, 12, 16, 20]],
    ['640×360, 5 frames per second', 'sub', 5, [4, 8, 12, 16]],
    ['1080p, 1 frame per second', 'full', 1, [4, 8, 12, 16]],
    ['1080p, 5 frames per second', 'full', 5, [2, 4, 6, 8, 12]],
  ] as const) {
    for (const step of await measureCapacity(size, fps, steps)) {
      rows.push([
        what,
        String(step.cameras),
        ms(step.worstAgeMs),
        step.slowest.toFixed(1),
        `${(step.delivered * 100).toFixed(0)} %`,
        step.cores.toFixed(2),
      ]);
    }
  }
  table(
    [
      '',
      'cameras',
      'result age p95, oldest run',
      'results per s, slowest run',
      'media received',
      'cores used',
    ],
    rows,
  );
}

async function fanOut(): Promise<void> {
  await using server = await startServer('demo: false');
  await using published = await publishNumbered(server, 'bench');
  const stream = { stream: 'bench', startedAt: published.startedAt };
  // The first readers make the heap grow once; what a reader costs shows after that.
  await measureFanOut(server, stream, 'rtsp', 200, 3);
  const figures = [];
  for (const count of [1, 100, 500])
    figures.push(await measureFanOut(server, stream, 'rtsp', count, seconds));
  for (const door of ['mse', 'rtmp', 'flv', 'hls'] as const) {
    for (const count of [100, 500]) figures.push(await measureFanOut(server, stream, door, count, seconds));
  }
  await using plain = await publishNumbered(server, 'plain', 'pcma');
  for (const count of [20, 100])
    figures.push(
      await measureFanOut(server, { stream: 'plain', startedAt: plain.startedAt }, 'webrtc', count, seconds),
    );
  const base = figures[0]!.age.p50;
  console.log(
    '## Fan-out over loopback: one publisher (RTSP over TCP, 2 Mbit/s), readers in another process\n',
  );
  table(
    [
      'door',
      'readers',
      'CPU s per 1000 stream-s',
      'Mbit/s per reader',
      'slowest reader',
      'kB per reader',
      'added latency p50',
      'p95',
      'first keyframe p50',
      'p95',
    ],
    figures.map((f) => [
      f.door,
      String(f.readers),
      f.cpuPer1000.toFixed(2),
      f.mbitPerReader.toFixed(2),
      `${(f.smallestShare * 100).toFixed(0)} %`,
      f.kbPerReader.toFixed(0),
      ms(f.age.p50 - base),
      ms(f.age.p95 - base),
      ms(f.firstKeyframe.p50),
      ms(f.firstKeyframe.p95),
    ]),
  );
  console.log(
    `Latency is the age of pictures at the reader less that at a single reader (median ${ms(base)}, the camera's own timer).\n`,
  );
}

async function page(): Promise<void> {
  console.log('## The page at the live edge: from the camera to the canvas\n');
  table(
    ['way', 'pictures', 'latency p50', 'p95', 'first picture after a click, median', 'most'],
    (await measurePage(seconds)).map(({ via, pictures, latency, firstPicture }) => [
      via,
      String(pictures),
      ...[latency.p50, latency.p95, firstPicture[firstPicture.length >> 1]!, firstPicture.at(-1)!].map(ms),
    ]),
  );
}

machine();
for (const [name, measure] of Object.entries({
  start,
  demo: demonstration,
  detection,
  'fan-out': fanOut,
  page,
  capacity,
})) {
  if (!only || only.has(name)) await measure();
}
