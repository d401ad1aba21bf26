import { isDeepStrictEqual } from 'node:util';
import { NamedError } from '#util/named-error.ts';
import { Conversion } from './conversion.ts';
import { Job, type JobEnvironment } from './job.ts';
import type { JobStatus } from './job-status.ts';
import { type JobPlan, type JobSettings, planJob } from './plan.ts';

/** A job that the configuration has. */
export interface JobWish {
  readonly settings: JobSettings;
  /** False: it is there, and does not run. */
  readonly enabled: boolean;
}

export interface JobsOptions extends JobEnvironment {
  /** The status of a job is another one. */
  readonly onState: (status: JobStatus) => void;
}

interface Slot {
  wish: JobWish;
  /** At work, or the last one that was. */
  job: Job | Conversion | undefined;
  /** Why there cannot be one. */
  refusal: NamedError | undefined;
  /** Since when it stands so while there never was one. */
  readonly since: number;
}

const TAKEN_OUT = 'The job was taken out of the configuration.';
const CHANGED = 'The job was changed.';
const SWITCHED_OFF = 'The job was stopped.';

/** The jobs that the configuration asks for, by name. Two of one name never work at a time. */
export class Jobs implements AsyncDisposable {
  readonly #options: JobsOptions;
  readonly #slots = new Map<string, Slot>();
  /** Ends of jobs, by name: the next of that name waits for it. */
  readonly #ending = new Map<string, Promise<void>>();
  #closed = false;

  constructor(wishes: readonly JobWish[], options: JobsOptions) {
    this.#options = options;
    this.apply(wishes);
  }

  /** In the order of the configuration. */
  list(): JobStatus[] {
    return this.#slots
      .values()
      .map((slot) => statusOf(slot))
      .toArray();
  }

  /** Undefined where there is none. */
  get(name: string): JobStatus | undefined {
    const slot = this.#slots.get(name);
    return slot && statusOf(slot);
  }

  /** Goes on with these: begins what is new, ends what is gone, and begins anew what is not what it was. */
  apply(wishes: readonly JobWish[]): void {
    const wanted = new Map(wishes.map((one) => [one.settings.name, one]));
    const before = new Map(this.#slots);
    this.#slots.clear();
    for (const [name, slot] of before) if (!wanted.has(name)) void this.#stop(name, slot, TAKEN_OUT);
    for (const [name, wish] of wanted) {
      const known = before.get(name);
      const slot: Slot = known ?? {
        ...{ wish, job: undefined, refusal: undefined },
        since: this.#options.clock.now(),
      };
      const same = isDeepStrictEqual(slot.wish.settings, wish.settings);
      const wasEnabled = known?.wish.enabled === true;
      slot.wish = wish;
      this.#slots.set(name, slot);
      if (known && (!same || !wish.enabled)) void this.#stop(name, slot, same ? SWITCHED_OFF : CHANGED);
      // What it was says nothing of what it will be.
      if (!same) slot.job = undefined;
      if (wish.enabled && !(same && wasEnabled)) void this.#begin(name);
    }
  }

  /**
   * Begins a job anew that has ended; one that is at work does not notice.
   * @throws NamedError JOB_UNKNOWN
   */
  start(name: string): void {
    const slot = this.#slots.get(name);
    if (!slot) throw unknownJob(name);
    if (slot.job?.over) {
      void this.#stop(name, slot, SWITCHED_OFF);
      void this.#begin(name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const [name, slot] of this.#slots) void this.#stop(name, slot, 'The server stops.');
    await Promise.all(this.#ending.values());
  }

  /** As soon as the one before it has ended, if it is wanted then. */
  async #begin(name: string): Promise<void> {
    await this.#ending.get(name);
    const slot = this.#slots.get(name);
    if (this.#closed || !slot?.wish.enabled || (slot.job && !slot.job.over)) return;
    const plan = this.#planOf(slot);
    if (!plan) return;
    const Kind = plan.conversion ? Conversion : Job;
    const job: Job | Conversion = new Kind(plan, this.#options, () => {
      if (this.#slots.get(name)?.job === job) this.#options.onState(job.status);
    });
    slot.job = job;
    this.#options.onState(job.status);
  }

  /** Undefined where it cannot be done as it is wished. */
  #planOf(slot: Slot): JobPlan | undefined {
    slot.refusal = undefined;
    try {
      return planJob(slot.wish.settings);
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      slot.refusal = error;
      slot.job = undefined;
      this.#options.onState(statusOf(slot));
      return undefined;
    }
  }

  #stop(name: string, { job }: Slot, reason: string): Promise<void> {
    if (!job) return Promise.resolve();
    const ending = Promise.all([this.#ending.get(name), job.stop(reason)]).then(() => {
      if (this.#ending.get(name) === ending) this.#ending.delete(name);
    });
    this.#ending.set(name, ending);
    return ending;
  }
}

function statusOf({ wish, job, refusal, since }: Slot): JobStatus {
  if (job) return job.status;
  const { name, type } = wish.settings;
  const nothing = { timeMs: 0, speed: 0, fps: 0, bitRate: 0, drops: 0, bytesSent: 0 };
  const common = { name, type, since, log: [], progress: nothing, inputs: [], outputs: [] };
  if (wish.enabled && refusal) {
    const { message, code } = refusal;
    return { ...common, state: 'failed', reason: message, trouble: message, code };
  }
  if (wish.enabled) return { ...common, state: 'starting' };
  return { ...common, state: 'stopped', reason: 'It is switched off ("enabled: false").' };
}

/** There is no job of that name. */
export function unknownJob(name: string): NamedError {
  return new NamedError(
    'JOB_UNKNOWN',
    `There is no job "${name}". GET /api/jobs lists those that there are.`,
    404,
  );
}
