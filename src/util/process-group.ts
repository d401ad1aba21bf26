import { type ChildProcess, spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';

/**
 * Leader of the group. It runs the command (its arguments, untouched by the shell) and ends with its exit code. A
 * watcher beside it reads from a pipe that we hold the other end of: when we are gone, however we ended, it kills the
 * whole group. That the kernel kills the leader with us would not be enough, since its children would stay.
 * The leader outlives SIGTERM, so that the exit code of the command is told; the command gets the signal as usual.
 */
const LEADER = `
exec 3<&0 </dev/null
trap : TERM
(trap '' TERM INT HUP; exec >/dev/null 2>&1; read -r _ <&3; kill -KILL 0) &
watcher=$!
"$@" 3<&-
code=$?
kill -KILL "$watcher"
exit "$code"
`;

const TAIL = 2000;

export interface GroupEnd {
  /** Exit code of the command; 128 + n where signal n ended it; undefined where it could not be started. */
  readonly code: number | undefined;
  /** The last it wrote to standard error, or why it could not be started. */
  readonly stderr: string;
}

/** A command and everything that it starts, ended together. POSIX systems only. */
export class ProcessGroup {
  readonly ended: Promise<GroupEnd>;
  readonly #child: ChildProcess;
  #over = false;
  #kill: NodeJS.Timeout | undefined;

  constructor(argv: readonly string[], environment: Readonly<Record<string, string | undefined>>) {
    this.#child = spawn('/bin/sh', ['-c', LEADER, 'sluice-hook', ...argv], {
      env: environment,
      stdio: ['pipe', 'ignore', 'pipe'],
      // A group of its own: the leader's pid is the group's id.
      detached: true,
    });
    this.#child.stdin?.on('error', () => {});
    let stderr = '';
    const decoder = new StringDecoder('utf8');
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      stderr = (stderr + decoder.write(bytes)).slice(-TAIL);
    });
    this.ended = new Promise((resolve) => {
      const end = (code: number | undefined, text: string) => {
        this.#over = true;
        clearTimeout(this.#kill);
        resolve({ code, stderr: text.trim() });
      };
      this.#child.on('error', (error) => end(undefined, error.message));
      this.#child.on('exit', (code) => {
        // What the command left behind belongs to it.
        this.#signal('SIGKILL');
        const told = code ?? 137;
        // The last words may still be in the pipe; a process that left the group could hold it open for ever.
        const late = setTimeout(() => end(told, stderr), 200);
        this.#child.on('close', () => {
          clearTimeout(late);
          end(told, stderr);
        });
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** SIGTERM to all of the group, SIGKILL to what is left after `patienceMs`. Resolves when it has ended. */
  async end(patienceMs: number): Promise<GroupEnd> {
    if (!this.#over) {
      this.#signal('SIGTERM');
      clearTimeout(this.#kill);
      this.#kill = setTimeout(() => this.#signal('SIGKILL'), patienceMs);
    }
    return this.ended;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#over) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nothing is left of it.
    }
  }
}
