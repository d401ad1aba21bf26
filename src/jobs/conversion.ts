import assert from 'node:assert';
import { maskAddress } from '#util/mask-address.ts';
import { type ConversionTask, INPUT_ENDED, type JobEnvironment } from './job.ts';
import { JobLog } from './job-log.ts';
import type { JobStatus } from './job-status.ts';
import type { JobPlan } from './plan.ts';

type Verdict = Pick<JobStatus, 'state' | 'reason' | 'code'>;

/** A job that makes a file another one, as fast as that goes: one task, with nothing of it in the hub. */
export class Conversion implements AsyncDisposable {
  readonly plan: JobPlan;
  readonly #environment: JobEnvironment;
  readonly #onState: () => void;
  readonly #log: JobLog;
  readonly #task: ConversionTask;
  #state: Verdict & Pick<JobStatus, 'since'>;
  #ending: Promise<void> | undefined;

  /** @param onState its status is another one; never called before the constructor has returned */
  constructor(plan: JobPlan, environment: JobEnvironment, onState: () => void) {
    assert(plan.conversion);
    this.plan = plan;
    this.#environment = environment;
    this.#onState = onState;
    this.#log = new JobLog(environment.clock);
    this.#state = { state: 'starting', since: environment.clock.now() };
    this.#task = environment.convert(plan.conversion, () => this.#look());
  }

  get status(): JobStatus {
    const { name, type, conversion } = this.plan;
    const { status, progress } = this.#task;
    const state = this.#ending && status.state !== 'failed' ? 'stopped' : status.state;
    const trouble = troubleOf(status);
    const { bytesSent } = progress;
    return {
      ...{ name, type, ...this.#state, log: this.#log.lines },
      progress: { ...progress, ...(this.#ending && { speed: 0, fps: 0, bitRate: 0 }), drops: 0 },
      inputs: [
        {
          url: conversion?.input.path ?? '',
          state: status.state === 'done' ? 'done' : state,
          ...trouble,
        },
      ],
      outputs: [{ url: maskAddress(conversion?.output.url ?? ''), state, ...trouble, bytesSent, drops: 0 }],
    };
  }

  /** It is done, has failed, or was stopped. */
  get over(): boolean {
    return this.#ending !== undefined;
  }

  /** Ends it; the file is completed with what it has. Resolves when nothing of it is left. Idempotent. */
  stop(reason: string): Promise<void> {
    this.#ending ??= this.#close({ state: 'stopped', reason });
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop('The job was stopped.');
  }

  #look(): void {
    if (this.#ending) return;
    const { status } = this.#task;
    if (status.state === 'failed') {
      this.#ending = this.#close({ state: 'failed', ...troubleOf(status) });
    } else if (status.state === 'done') {
      this.#ending = this.#close({ state: 'stopped', reason: INPUT_ENDED });
    } else if (status.state !== this.#state.state) {
      this.#state = { state: status.state, since: this.#environment.clock.now() };
      const { input, output } = this.plan.conversion ?? {};
      this.#log.add('task', 'info', `${input?.path} is made ${maskAddress(output?.url ?? '')}.`);
      this.#onState();
    }
  }

  async #close(final: Verdict): Promise<void> {
    const { reason = INPUT_ENDED, state } = final;
    this.#state = { ...final, since: this.#environment.clock.now() };
    this.#log.add('job', state === 'failed' ? 'error' : 'info', reason);
    await this.#task.stop();
    this.#onState();
  }
}

function troubleOf({ reason, code }: ConversionTask['status']): Pick<Verdict, 'reason' | 'code'> {
  return { ...(reason === undefined ? {} : { reason }), ...(code === undefined ? {} : { code }) };
}
