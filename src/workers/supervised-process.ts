import { Backoff } from '#util/backoff.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { Emitter } from '#util/emitter.ts';
import { messageOf } from '#util/named-error.ts';
import { StderrTail } from './stderr-tail.ts';

/** What the supervisor needs of a `ChildProcess`; a test makes its own. */
export interface Child {
  readonly pid?: number | undefined;
  readonly stderr: { on(event: 'data', listener: (chunk: Buffer) => void): unknown } | null;
  on(
    event: 'exit' | 'close',
    listener: (code: number | null, signal: NodeJS.Signals | null) => void,
  ): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  kill(signal: NodeJS.Signals): boolean;
}

/**
 * `starting`: the process was started and has not answered yet. `running`: it answers. `waiting`: it is gone and
 * will be started again. `stopped`: it was asked to end and is gone for good.
 */
export type ProcessState = 'starting' | 'running' | 'waiting' | 'stopped';

export interface ProcessStatus {
  readonly state: ProcessState;
  /** Why the process is not running, or why the one before it ended. */
  readonly reason?: string;
  readonly pid?: number;
  /** When the state was entered, ms since 1970. */
  readonly since: number;
  /** How often the process was started again. */
  readonly restarts: number;
  /** In state `waiting`: milliseconds from `since` to the next start. */
  readonly restartInMs?: number;
}

/** Time limits of the supervisor, milliseconds. */
export interface SupervisionLimits {
  /** Longest silence of a process that has answered before. */
  readonly silenceMs: number;
  /** Longest time from the start to the first answer. */
  readonly startMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopMs: number;
  /** The same for a process that is replaced, see {@link SupervisedProcess.replace}. */
  readonly replaceMs: number;
  /** A process that answered for so long was healthy: its next failure counts as the first. */
  readonly healthyMs: number;
}

const DEFAULT_LIMITS: SupervisionLimits = {
  // With the interval of the check, a process that stands still is noticed within two seconds.
  silenceMs: 1750,
  startMs: 10_000,
  stopMs: 2000,
  replaceMs: 1000,
  healthyMs: 30_000,
};
/** How often the silence of the process is looked at. */
const CHECK_MS = 250;
/** How long the end of stderr may come after the exit: a grandchild may hold the pipe open for ever. */
const DRAIN_MS = 50;
/** How long a condemned process may take to end by itself, which tells more than killing it. */
const CONDEMNED_MS = 500;

export interface SupervisedProcessOptions {
  /** Starts the process; `incarnation` counts from 1. It may throw. */
  readonly spawn: (incarnation: number) => Child;
  readonly clock?: Clock;
  readonly backoff?: Backoff;
  readonly limits?: Partial<SupervisionLimits>;
}

/**
 * One child process that is kept alive: it is started, watched (its exit, and signs of life that the owner reports by
 * {@link alive}), killed when it is silent for too long, and started again after a back-off; the first time at once.
 *
 * The owner has to ask the process for a sign of life at least twice a second.
 */
export class SupervisedProcess implements AsyncDisposable {
  readonly events = new Emitter<{ changed(status: ProcessStatus): void }>();
  readonly #spawn: (incarnation: number) => Child;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #limits: SupervisionLimits;

  #status: ProcessStatus;
  #child: Child | undefined;
  #incarnation = 0;
  #lastSign = 0;
  /** Why we have killed the process. */
  #verdict: string | undefined;
  /** Why we shall kill it, if it does not end by itself. */
  #suspicion: string | undefined;
  #stopping: PromiseWithResolvers<void> | undefined;
  readonly #timers = new Map<'check' | 'restart' | 'kill', () => void>();

  constructor(options: SupervisedProcessOptions) {
    this.#spawn = options.spawn;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = options.backoff ?? new Backoff({ first: 100 });
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#status = { state: 'stopped', since: this.#clock.now(), restarts: 0 };
  }

  get status(): ProcessStatus {
    return this.#status;
  }

  /** Starts the process for the first time. */
  start(): void {
    if (this.#incarnation === 0 && !this.#stopping) this.#begin();
  }

  /** The process gave a sign of life; the first one makes it `running`. */
  alive(): void {
    if (!this.#child || this.#verdict !== undefined) return;
    this.#lastSign = this.#clock.now();
    if (this.#status.state === 'starting') this.#change({ state: 'running' });
  }

  /**
   * The process is of no use any more, as the owner can see (its connection is gone): it may end by itself for half a
   * second, then it is killed. Either way it is started again.
   */
  condemn(reason: string): void {
    const child = this.#child;
    if (!child || this.#stopping || this.#verdict !== undefined || this.#suspicion !== undefined) return;
    this.#suspicion = reason;
    this.#set('kill', CONDEMNED_MS, () => this.#kill(child, reason));
  }

  /**
   * The process has to make room for another one for a reason that the owner knows (it uses too much memory): SIGTERM,
   * then SIGKILL, then it is started again. Idempotent.
   */
  replace(reason: string): void {
    const child = this.#child;
    if (!child || this.#stopping || this.#verdict !== undefined) return;
    this.#clearTimers();
    this.#verdict = reason;
    this.#set('kill', this.#limits.replaceMs, () => child.kill('SIGKILL'));
    child.kill('SIGTERM');
  }

  /** Ends the process for good: SIGTERM, then SIGKILL. Resolves when it is gone; may be called again. */
  stop(): Promise<void> {
    if (this.#stopping) return this.#stopping.promise;
    this.#stopping = Promise.withResolvers<void>();
    const child = this.#child;
    this.#clearTimers();
    if (!child) {
      this.#stopped();
    } else {
      this.#set('kill', this.#limits.stopMs, () => child.kill('SIGKILL'));
      child.kill('SIGTERM');
    }
    return this.#stopping.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #begin(): void {
    this.#incarnation++;
    this.#verdict = undefined;
    this.#suspicion = undefined;
    let child: Child;
    try {
      child = this.#spawn(this.#incarnation);
    } catch (error) {
      this.#ended(`could not be started: ${messageOf(error)}`);
      return;
    }
    this.#child = child;
    this.#lastSign = this.#clock.now();
    this.#watch(child);
    const { reason } = this.#status;
    this.#change({
      state: 'starting',
      restarts: this.#incarnation - 1,
      ...(child.pid === undefined ? {} : { pid: child.pid }),
      ...(reason === undefined ? {} : { reason }),
    });
    this.#check(child);
  }

  #watch(child: Child): void {
    const tail = new StderrTail();
    let over = false;
    let cancelDrain = () => {};
    const exited = (code: number | null, signal: NodeJS.Signals | null) => {
      // A process that sees for itself that it is of no use ends in good order, which explains nothing.
      end((code === 0 ? this.#suspicion : undefined) ?? inWords(code, signal, tail));
    };
    const end = (reason: string) => {
      if (over) return;
      over = true;
      cancelDrain();
      this.#child = undefined;
      this.#ended(this.#verdict ?? reason);
    };
    child.stderr?.on('data', (chunk) => tail.push(chunk));
    // After the exit the last words may still be in the pipe, so its close is waited for; but not for long.
    child.on('exit', (code, signal) => {
      this.#timers.get('check')?.();
      cancelDrain = this.#clock.after(DRAIN_MS, () => exited(code, signal));
    });
    child.on('close', exited);
    // Also comes when a signal or a message could not be sent; only without a process it is the end.
    child.on('error', (error) => {
      if (child.pid === undefined) end(`could not be started: ${error.message}`);
    });
  }

  /** Looks at the silence of the process now and then. */
  #check(child: Child): void {
    const due = this.#clock.now() + CHECK_MS;
    this.#set('check', CHECK_MS, () => {
      // Where we come late ourselves, the signs of life are still waiting to be read: that is not its silence.
      this.#lastSign += Math.max(0, this.#clock.now() - due);
      const silence = this.#clock.now() - this.#lastSign;
      const seconds = (silence / 1000).toFixed(1);
      if (this.#status.state === 'starting' && silence > this.#limits.startMs) {
        this.#kill(child, `was not ready after ${seconds} s`);
      } else if (this.#status.state === 'running' && silence > this.#limits.silenceMs) {
        this.#kill(child, `did not answer for ${seconds} s`);
      } else {
        this.#check(child);
      }
    });
  }

  #kill(child: Child, reason: string): void {
    if (child !== this.#child) return;
    this.#verdict = reason;
    this.#clearTimers();
    child.kill('SIGKILL');
  }

  #ended(reason: string): void {
    this.#clearTimers();
    if (this.#stopping) {
      this.#stopped();
      return;
    }
    const { state, since } = this.#status;
    if (state === 'running' && this.#clock.now() - since >= this.#limits.healthyMs) this.#backoff.reset();
    const restartInMs = Math.round(this.#backoff.next());
    // The timer first: whoever hears of the change may stop us.
    this.#set('restart', restartInMs, () => this.#begin());
    this.#change({ state: 'waiting', reason, restartInMs });
  }

  #stopped(): void {
    this.#change({ state: 'stopped' });
    this.#stopping?.resolve();
  }

  /** Enters a state; process id and reason of the state before go on only from `starting` to `running`. */
  #change(next: Partial<ProcessStatus> & { state: ProcessState }): void {
    const { pid, reason, restarts } = this.#status;
    const kept = next.state === 'running' ? { ...(pid && { pid }), ...(reason && { reason }) } : {};
    this.#status = { restarts, ...kept, ...next, since: this.#clock.now() };
    this.events.emit('changed', this.#status);
  }

  #set(timer: 'check' | 'restart' | 'kill', ms: number, callback: () => void): void {
    this.#timers.get(timer)?.();
    this.#timers.set(timer, this.#clock.after(ms, callback));
  }

  #clearTimers(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}

function inWords(code: number | null, signal: NodeJS.Signals | null, tail: StderrTail): string {
  if (signal) return `killed by ${signal}`;
  const line = tail.lastLine();
  return line === undefined ? `exit code ${code}` : `exit code ${code}: ${line}`;
}
