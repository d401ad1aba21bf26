import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

export interface Finished {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs beside a test. `await using` ends it with the test. */
export interface RunningProgram extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** What it wrote so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** SIGINT first (ffmpeg and gst-launch end cleanly by it), SIGKILL 3 s later. */
  stop(): Promise<Finished>;
}

/** Starts a program; it is killed after `timeoutMs` at the latest. */
export function start(command: string, args: readonly string[], timeoutMs = 60_000): RunningProgram {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(deadline);
      resolve({ code, signal, stdout, stderr });
    });
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
    const kill = setTimeout(() => child.kill('SIGKILL'), 3000);
    try {
      return await finished;
    } finally {
      clearTimeout(kill);
    }
  };
  return {
    child,
    finished,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** Runs a program to its end and gives what it wrote. Does not throw on a bad exit code. */
export function run(command: string, args: readonly string[], timeoutMs = 60_000): Promise<Finished> {
  return start(command, args, timeoutMs).finished;
}

/** Runs a program to its end and gives the bytes that it wrote. */
export async function runBytes(command: string, args: readonly string[], input?: Buffer): Promise<Buffer> {
  const running = promisify(execFile)(command, args, { encoding: 'buffer', maxBuffer: 64 << 20 });
  running.child.stdin?.on('error', () => {}).end(input);
  return (await running).stdout;
}
