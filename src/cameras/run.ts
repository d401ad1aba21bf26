import type { Parameters, Result, RunStatistics } from '#algorithms/contract.ts';
import type { FoundManifest } from '#algorithms/manifest.ts';
import { Backoff } from '#util/backoff.ts';
import type { Clock } from '#util/clock.ts';
import { SlidingMean } from '#util/sliding-mean.ts';
import {
  type Executor,
  type FrameSettings,
  type Holder,
  type Lease,
  plainFrames,
  type RunInfo,
  type RunSpec,
  type RunState,
  type RunTask,
} from './contract.ts';
import { noStatistics, sumStatistics } from './run-statistics.ts';

export interface RunOptions {
  readonly id: string;
  readonly stream: string;
  readonly algorithm: FoundManifest;
  readonly parameters: Parameters;
  readonly frames: FrameSettings | undefined;
  readonly executor: Executor;
  readonly clock: Clock;
  /** The end of a run of the same id that is still under way: two of one id never work at a time. */
  readonly after?: Promise<void> | undefined;
  /** State, reason or parameters changed. */
  readonly onChange: () => void;
}

const AVERAGE_MS = 10_000;

/** One algorithm on one stream: the task that does it, who holds it, and what came of it so far. */
export class Run {
  readonly leases = new Map<string, Lease>();
  readonly since: number;
  readonly #options: RunOptions;
  readonly #objects: SlidingMean;
  readonly #backoff = new Backoff();
  #parameters: Parameters;
  #frames: FrameSettings | undefined;
  /** Somebody wants to see its frames now. */
  #framesWanted = false;
  #state: RunState = 'starting';
  #reason: string | undefined;
  #code: string | undefined;
  #wanted = false;
  #task: RunTask | undefined;
  /** Counts tasks, so that the words of an old one are known. */
  #generation = 0;
  #ending: Promise<void> | undefined;
  #cancelRetry = () => {};
  #lastResult: Result | undefined;
  /** Of attempts that are over, and of the present one. */
  #before: RunStatistics = noStatistics;
  #present: RunStatistics = noStatistics;
  #presentAttempt = '';

  constructor(options: RunOptions) {
    this.#options = options;
    this.#parameters = options.parameters;
    this.#frames = options.frames;
    this.since = options.clock.now();
    this.#objects = new SlidingMean(AVERAGE_MS, options.clock);
    if (options.after) this.#finish(options.after);
  }

  get id(): string {
    return this.#options.id;
  }

  get stream(): string {
    return this.#options.stream;
  }

  get parameters(): Parameters {
    return this.#parameters;
  }

  /** How its frames are given out; undefined where they are not. */
  get frames(): FrameSettings | undefined {
    return this.#frames;
  }

  get info(): RunInfo {
    const { id, stream, algorithm } = this.#options;
    const averageObjects = this.#objects.mean;
    const last = this.#lastResult;
    return {
      id,
      stream,
      algorithm: algorithm.manifest.id,
      title: algorithm.manifest.title,
      parameters: this.#parameters,
      ...(this.#frames ? { frames: this.#frames } : {}),
      state: this.#state,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
      ...(this.#code === undefined ? {} : { code: this.#code }),
      since: this.since,
      leases: [...this.leases.values()].map((lease) => ({
        id: lease.id,
        holder: lease.holder.kind,
        reason: lease.holder.reason,
        since: lease.since,
      })),
      statistics: sumStatistics(this.#before, this.#present),
      ...(last ? { lastResult: { pts: last.pts, ntp: last.ntp, objects: last.objects.length } } : {}),
      ...(averageObjects === undefined ? {} : { averageObjects }),
    };
  }

  /** The lease of a holder; it has one at most. */
  leaseOf(holder: Holder): Lease | undefined {
    return this.leases.values().find((lease) => sameHolder(lease.holder, holder));
  }

  /** The leases of everybody but this holder. */
  leasesOfOthers(holder: Holder): Lease[] {
    return [...this.leases.values().filter((lease) => !sameHolder(lease.holder, holder))];
  }

  /** True when `task` is the one that works for this run now, in its present attempt. */
  accepts(task: string, epoch: number): boolean {
    return this.#task?.id === task && this.#task.epoch === epoch;
  }

  /** The stream is there: work. */
  resume(): void {
    this.#wanted = true;
    if (this.#task) return;
    this.#cancelRetry();
    if (this.#ending) this.#change('starting');
    else this.#begin();
  }

  /** The stream is gone: wait for it, and take nobody's time meanwhile. */
  suspend(reason: string): void {
    this.#end();
    this.#change('waiting', reason);
  }

  /** Goes on with other parameters. */
  reconfigure(parameters: Parameters): void {
    this.#parameters = parameters;
    if (!this.#wanted) return this.#options.onChange();
    this.#end();
    this.resume();
  }

  /** Gives its frames out in another way, or not; it goes on. */
  giveFrames(frames: FrameSettings | undefined): void {
    this.#frames = frames;
    if (this.#framesWanted) this.#task?.amend(this.#spec);
    this.#options.onChange();
  }

  /** Somebody wants its frames, however they are given out, or nobody does any more. */
  wantFrames(wanted: boolean): void {
    if (wanted === this.#framesWanted) return;
    this.#framesWanted = wanted;
    this.#task?.amend(this.#spec);
  }

  /** Ends the run; resolves when its task is gone. */
  async end(): Promise<void> {
    this.#end();
    await this.#ending;
  }

  result(result: Result): void {
    this.#lastResult = result;
    this.#objects.add(result.objects.length);
  }

  statistics(task: string, epoch: number, statistics: RunStatistics): void {
    const attempt = `${task}#${epoch}`;
    // A new attempt counts from zero again: what the one before had counted stays.
    if (attempt !== this.#presentAttempt) this.#before = sumStatistics(this.#before, this.#present);
    this.#presentAttempt = attempt;
    this.#present = statistics;
  }

  #begin(): void {
    const { stream, executor } = this.#options;
    const generation = ++this.#generation;
    this.#task = executor.start({
      role: 'pipeline',
      affinity: stream,
      spec: this.#spec,
      onState: ({ state, reason, code }) => {
        if (generation !== this.#generation) return;
        if (state === 'done' || state === 'stopped') this.#over(reason ?? 'The stream ended.');
        else this.#change(state, reason, code);
      },
    });
    this.#change('starting');
  }

  get #spec(): RunSpec {
    const { id: run, stream } = this.#options;
    const { manifest, path } = this.#options.algorithm;
    const { quality, width, fps, boxes } = this.#frames ?? plainFrames;
    return {
      kind: 'run',
      run,
      stream,
      algorithm: manifest.id,
      manifest: path,
      parameters: this.#parameters,
      ...(this.#framesWanted ? { frames: { quality, width, fps, boxes } } : {}),
    };
  }

  /** The task ended by itself, as when the stream did. The stream may be back already, so it is tried again. */
  #over(reason: string): void {
    this.#task = undefined;
    this.#generation++;
    this.#cancelRetry = this.#options.clock.after(this.#backoff.next(), () => this.resume());
    this.#change('waiting', reason);
  }

  #end(): void {
    this.#wanted = false;
    this.#cancelRetry();
    this.#generation++;
    const task = this.#task;
    this.#task = undefined;
    if (task) this.#finish(task.stop());
  }

  #finish(ending: Promise<void>): void {
    const over = ending.then(() => {
      if (this.#ending !== over) return;
      this.#ending = undefined;
      if (this.#wanted && !this.#task) this.#begin();
    });
    this.#ending = over;
  }

  #change(state: RunState, reason?: string, code?: string): void {
    if (state === 'running') this.#backoff.reset();
    if (state === this.#state && reason === this.#reason && code === this.#code) return;
    this.#state = state;
    this.#reason = reason;
    this.#code = code;
    this.#options.onChange();
  }
}

function sameHolder(a: Holder, b: Holder): boolean {
  return a.kind === b.kind && a.id === b.id;
}
