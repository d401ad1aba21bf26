/**
 * `npm test`: the whole test, one step after the other. The exit code is true, and the last line
 * is `N passed, N failed`, summed over all test projects.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensurePrograms } from './test-programs.ts';
import { addFailure, addReport, closingLine, emptyTally, type VitestReport } from './test-summary.ts';

const root = resolve(import.meta.dirname, '..');
/** A guard against what hangs; the whole takes less than 15 minutes on two cores. */
const GUARD_MINUTES = 45;
const deadline = Date.now() + GUARD_MINUTES * 60_000;

/** Runs a program in a process group of its own until it ends or the time is over; true when it ended with 0. */
async function run(program: string, ...args: string[]): Promise<boolean> {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', detached: true });
  const killGroup = () => child.pid && process.kill(-child.pid, 'SIGKILL');
  const timer = setTimeout(
    () => {
      console.error(`${program} ${args.join(' ')}: stopped, the whole test has ${GUARD_MINUTES} minutes.`);
      killGroup();
    },
    Math.max(0, deadline - Date.now()),
  );
  const interrupted = () => {
    killGroup();
    process.exit(130);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
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
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
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
    for (const script of ['build:web', 'check']) {
      if (!(await run('npm', 'run', '--silent', script))) addFailure(tally, `npm run ${script}`);
    }
    for (const project of ['unit', 'media', 'pages', 'interop', 'browser']) {
      const file = join(reports, `${project}.json`);
      const passed = await run(
        join(root, 'node_modules', '.bin', 'vitest'),
        ...[
          'run',
          '--project',
          project,
          '--reporter=default',
          '--reporter=json',
          `--outputFile.json=${file}`,
        ],
      );
      const report = readReport(file);
      const before = tally.failed;
      if (report) addReport(tally, report);
      // An unhandled error outside of any test fails the run too, without failing a test.
      if (!passed && tally.failed === before) addFailure(tally, `vitest --project ${project}`);
    }
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  for (const name of tally.skipped) console.log(`skipped: ${name}`);
  for (const name of tally.failures) console.log(`failed: ${name}`);
  console.log(`The whole test took ${Math.round((Date.now() - started) / 1000)} s.`);
  console.log(closingLine(tally));
  return tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}

process.exitCode = await main();
