import { EventEmitter } from 'node:events';
import type { Child } from '#workers/supervised-process.ts';

/** A child process that does what a test says; it dies of SIGKILL at once, and of SIGTERM unless told not to. */
export class FakeChild extends EventEmitter implements Child {
  static #pids = 1000;
  readonly pid = FakeChild.#pids++;
  readonly stderr = new EventEmitter();
  readonly signals: NodeJS.Signals[] = [];
  ignoresSigterm = false;

  kill(signal: NodeJS.Signals): boolean {
    this.signals.push(signal);
    if (signal === 'SIGKILL' || !this.ignoresSigterm) this.exit(null, signal);
    return true;
  }

  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    this.emit('exit', code, signal);
    this.emit('close', code, signal);
  }
}
