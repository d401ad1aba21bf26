import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#util/clock.ts';
import { addressOf, type SourceSettings, type SourceStatus, statusOf } from './configured.ts';
import type { SourceTask } from './contract.ts';

export interface SourceSlotOptions {
  readonly start: (settings: SourceSettings, onState: (status: SourceTask['status']) => void) => SourceTask;
  readonly onState: (status: SourceStatus) => void;
  readonly clock: Clock;
  readonly part?: 'fill';
}

/** What one source of a stream is at work with, while it is wanted. Two tasks of one slot never work at a time. */
export class SourceSlot {
  readonly #options: SourceSlotOptions;
  #settings: SourceSettings;
  #task: SourceTask | undefined;
  /** Ends of tasks. */
  #ending: Promise<void>;
  #wanted = false;
  #since: number;

  /** @param after the end of what was at work for this stream before */
  constructor(settings: SourceSettings, options: SourceSlotOptions, after: Promise<void> | undefined) {
    this.#settings = settings;
    this.#options = options;
    this.#since = options.clock.now();
    this.#ending = after ?? Promise.resolve();
  }

  get settings(): SourceSettings {
    return this.#settings;
  }

  get wanted(): boolean {
    return this.#wanted;
  }

  get status(): SourceStatus {
    const { part } = this.#options;
    const { stream } = this.#settings;
    const common = { stream, address: addressOf(this.#settings), ...(part ? { part } : {}) };
    if (!this.#task) return { ...common, state: this.#wanted ? 'starting' : 'idle', since: this.#since };
    return { ...common, ...statusOf(this.#task) };
  }

  get trouble(): { reason: string; final: boolean } | undefined {
    const status = this.#task?.status;
    return status?.reason === undefined
      ? undefined
      : { reason: status.reason, final: status.state === 'failed' && status.final === true };
  }

  /** Begins at once; only where nothing was at work before. */
  begin(): void {
    this.#wanted = true;
    this.#start();
  }

  /** Begins as soon as what was at work before has ended. */
  summon(): void {
    this.#wanted = true;
    this.#since = this.#options.clock.now();
    void this.#ending.then(() => {
      if (this.#wanted && !this.#task) this.#start();
    });
  }

  /** Goes on with other settings, where they say something else about this source itself. */
  change(settings: SourceSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (isDeepStrictEqual(own(before), own(settings))) return;
    this.#stop('The source was changed.');
    if (this.#wanted) this.summon();
  }

  dismiss(reason: string): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#stop(reason);
    this.#options.onState(this.status);
  }

  /** Ends it; resolves when nothing of it is left. */
  async end(reason: string): Promise<void> {
    this.dismiss(reason);
    await this.#ending;
  }

  #start(): void {
    const task = this.#options.start(this.#settings, () => {
      if (this.#task === task) this.#options.onState(this.status);
    });
    this.#task = task;
    this.#options.onState(this.status);
  }

  #stop(reason: string): void {
    this.#since = this.#options.clock.now();
    const task = this.#task;
    this.#task = undefined;
    if (!task) return;
    const before = this.#ending;
    this.#ending = task.stop(reason).then(() => before);
  }
}

/** What is said about the source itself, and not about when it is wanted or what goes with it. */
function own(settings: SourceSettings): SourceSettings {
  return { ...settings, onDemand: undefined, fill: undefined, standby: undefined };
}
