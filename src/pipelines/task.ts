import type { LinkClient, ProbeReport, Task, TaskInput, TaskState } from '#link/client.ts';
import type { Emitter } from '#util/emitter.ts';

/** What every pipeline gets from the worker that runs it. */
export interface TaskContext {
  readonly link: LinkClient;
  readonly task: Task;
  /** Aborted when the task is to stop; whoever runs it ends within 2 s. */
  readonly signal: AbortSignal;
  /** What the hub tells this attempt of the task while it is at work. */
  readonly inputs: Emitter<{ input(input: TaskInput): void }>;
  /** Tells the hub how the task stands; `reason` is due for `waiting`. */
  state(state: Extract<TaskState, 'running' | 'waiting'>, reason?: string): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

/** How a task ended by itself. What it could not do it throws instead. */
export interface TaskOutcome {
  readonly reason?: string;
  readonly report?: ProbeReport;
}

/** Resolves after the time, or at once when the signal is aborted; never rejects. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
