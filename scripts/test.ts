/**
 * `npm test`: the whole test, one step after the other. The exit code is true. The end names what failed and why, and
 * what passed only at the second attempt; the last line is `N passed, N failed`, summed over all test projects.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensurePrograms } from './test-programs.ts';
import { addFailure, addReport, closingLines, emptyTally, type VitestReport } from './test-summary.ts';

const root = resolve(import.meta.dirname, '..');
/** A guard against what hangs; the whole takes less than 15 minutes on two cores. */
const GUARD_MINUTES = 45;
const deadline = Date.now() + GUARD_MINUTES * 60_000;

const vitest = join(root, 'node_modules', '.bin', 'vitest');
/** Of vitest.config.ts, in the order they run: what is wrong is seen first where it takes the least time. */
const projects = ['unit', 'media', 'pages', 'interop', 'timed', 'browser'];
/** How long each step took. */
const took: string[] = [];
/** Programs that run now; each leads a process group of its own. */
const running = new Set<ChildProcess>();

function killAll(): void {
  for (const { pid } of running) if (pid) process.kill(-pid, 'SIGKILL');
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    killAll();
    process.exit(130);
  });
}

/** Runs a program until it ends or the time is over; true when it ended with 0. */
async function run(name: string, program: string, ...args: string[]): Promise<boolean> {
  const begun = Date.now();
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', detached: true });
  running.add(child);
  const timer = setTimeout(
    () => {
      console.error(`${name}: stopped, the whole test has ${GUARD_MINUTES} minutes.`);
      killAll();
    },
    Math.max(0, deadline - begun),
  );
  try {
    return await new Promise<boolean>((settle) => {
      child.once('error', (error) => {
        console.error(`${program}: ${error.message}`);
        settle(false);
      });
      child.once('exit', (code) => settle(code === 0));
    });
  } finally {
    clearTimeout(timer);
    running.delete(child);
    took.push(`${name} ${Math.round((Date.now() - begun) / 1000)} s`);
  }
}

function readReport(file: string): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  if (!ensurePrograms()) return 1;
  const tally = emptyTally();
  const reports = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  const started = Date.now();
  try {
    // One of the two cores each: the checks look at no file that the build writes.
    await Promise.all(
      ['build:web', 'check'].map(async (script) => {
        if (!(await run(script, 'npm', 'run', '--silent', script))) addFailure(tally, `npm run ${script}`);
      }),
    );
    for (const project of projects) {
      const file = join(reports, `${project}.json`);
      const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
      const passed = await run(project, vitest, 'run', '--project', project, ...reporters);
      const report = readReport(file);
      const before = tally.failed;
      if (report) addReport(tally, report);
      // An unhandled error outside of any test fails the run too, without failing a test.
      if (!passed && tally.failed === before) addFailure(tally, `vitest --project ${project}`);
    }
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  const [lastLine = '', ...before] = closingLines(tally).toReversed();
  for (const line of before.toReversed()) console.log(line);
  console.log(`The whole test took ${Math.round((Date.now() - started) / 1000)} s: ${took.join(', ')}.`);
  console.log(lastLine);
  return tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}

process.exitCode = await main();
