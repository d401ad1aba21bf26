/**
 * `npm run soak [-- --minutes 20] [--every 10]`: the real server with 20 streams, 40 readers and 4 runs, and a fault
 * every ten seconds: workers and publishers killed, workers and algorithms stopped, readers that stop reading,
 * reconnect storms. At the end memory, descriptors, timers and children have to be what they were after warming up,
 * everything has to work, and SIGTERM has to leave nothing; else the exit code is 1.
 */
import { parseArgs } from 'node:util';
import { processTree } from './process-tree.ts';
import { type BenchServer, sleep, startServer } from './server.ts';
import { faults } from './soak/faults.ts';
import { configuration, Load } from './soak/load.ts';
import { type Course, holdUps, judge, type Sample, takeSample } from './soak/watch.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '20' }, every: { type: 'string', default: '10' } },
});
const seconds = Number(values.minutes) * 60;
const everySeconds = Number(values.every);
/** So long nothing goes wrong any more before the end: workers without work have gone by then. */
const QUIET_SECONDS = 15;

/** Samples once a second and makes faults until the time is over. */
async function soak(server: BenchServer, load: Load): Promise<Sample[]> {
  const kinds = faults(server, load);
  const samples: Sample[] = [];
  const begun = performance.now();
  const now = () => (performance.now() - begun) / 1000;
  let turn = 0;
  let minute = 0;
  while (now() < seconds) {
    const at = now();
    const sample = await takeSample(server, at);
    samples.push(sample);
    if (at >= 60 * (minute + 1)) {
      minute++;
      const { rssMb, heapMb, externalMb } = sample;
      const [rss, heap, external] = [rssMb, heapMb, externalMb].map((megabytes) => megabytes.toFixed(0));
      console.log(
        `${at.toFixed(0).padStart(5)} s  server: ${rss} MB, of it heap ${heap}, buffers ${external}`,
      );
    }
    if (at >= everySeconds * (turn + 1) && at < seconds - QUIET_SECONDS) {
      const what = await kinds[turn % kinds.length]!(Math.floor(turn / kinds.length));
      console.log(`${at.toFixed(0).padStart(5)} s  ${what}`);
      turn++;
    }
    await sleep(1000);
  }
  for (const seat of load.seats) seat.resume();
  return samples;
}

function table(courses: readonly Course[]): void {
  console.log(
    '\n| | start | warm | end | per minute | allowed | |\n| --- | --- | --- | --- | --- | --- | --- |',
  );
  for (const { figure, start, warm, end, perMinute, allowed, flat } of courses) {
    const cells = [start, warm, end].map((value) => value.toFixed(value % 1 === 0 ? 0 : 1));
    console.log(
      `| ${figure} | ${cells.join(' | ')} | ${perMinute.toFixed(2)} | + ${allowed} | ${flat ? 'flat' : 'GROWS'} |`,
    );
  }
}

async function main(): Promise<string[]> {
  const server = await startServer(configuration);
  const load = await Load.start(server);
  await sleep(3000);
  const samples = await soak(server, load);
  const courses = judge(samples, Math.min(60, seconds / 4));
  const trouble = await load.faults();
  const tree = processTree(server.pid).map(({ pid }) => pid);
  const told = performance.now();
  await server[Symbol.asyncDispose]();
  const endedMs = performance.now() - told;
  await load.end();
  await sleep(500);
  table(courses);
  console.log(
    `\nReaders came back ${load.seats.reduce((sum, { reconnects }) => sum + reconnects, 0)} times.`,
  );
  const held = holdUps(samples);
  if (held.length > 0) {
    const all = held.map((time) => time.toFixed(0)).join(', ');
    console.log(
      `The machine had no time for the soak, and so no reader read, for ${all} s: memory shows it.`,
    );
  }
  console.log(`SIGTERM ended everything within ${endedMs.toFixed(0)} ms.`);
  const left = tree.filter((pid) => processTree(pid).length > 0);
  return [
    ...trouble,
    ...courses.filter(({ flat }) => !flat).map(({ figure }) => `${figure} grows`),
    ...(left.length === 0 ? [] : [`processes are left: ${left.join(', ')}`]),
    ...(endedMs < 5000 ? [] : ['the end took more than 5 s']),
  ];
}

const verdict = await main();
console.log(verdict.length === 0 ? 'Verdict: flat.' : `Verdict: ${verdict.join('; ')}.`);
process.exit(verdict.length === 0 ? 0 : 1);
