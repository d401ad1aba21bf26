import { type ChildProcess, type ForkOptions, fork, spawnSync } from 'node:child_process';

/** Program of util-linux that has the kernel kill what it starts when the thread that started it is gone. */
const SETPRIV = 'setpriv';
const BOUND = ['--pdeathsig', 'KILL', '--'];

/**
 * `fork` of a child that does not outlive us. A child that is at work notices the end of its channel; one that stands
 * still (SIGSTOP, a debugger) or blocks would stay for as long as it does. Where the system can, on Linux with
 * util-linux, the kernel kills it when we end, however we end. setpriv turns into the child, so pid, channel and
 * descriptors are the child's own.
 *
 * Call it from the main thread: for the kernel the parent is the thread, not the process.
 */
export function forkBound(module: string, args: readonly string[], options: ForkOptions): ChildProcess {
  if (!canBind()) return fork(module, args, options);
  const execArgv = [...BOUND, process.execPath, ...(options.execArgv ?? process.execArgv)];
  return fork(module, args, { ...options, execPath: SETPRIV, execArgv });
}

let works: boolean | undefined;

/** Tried once, with the first child: 3 ms. Other systems have no such program, and BusyBox has one that cannot do it. */
function canBind(): boolean {
  works ??=
    process.platform === 'linux' &&
    spawnSync(SETPRIV, [...BOUND, SETPRIV, '--version'], { stdio: 'ignore', timeout: 1000 }).status === 0;
  return works;
}
