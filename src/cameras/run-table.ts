import type { Parameters, Result } from '#algorithms/contract.ts';
import type { FoundManifest } from '#algorithms/manifest.ts';
import type { Clock } from '#util/clock.ts';
import type { Emitter } from '#util/emitter.ts';
import type { Executor, GivenPicture, Lease, RunInfo } from './contract.ts';
import { Run } from './run.ts';

export interface RunEvents {
  runStarted(run: RunInfo): void;
  /** Its state, its parameters or its leases changed. */
  runChanged(run: RunInfo): void;
  runStopped(run: RunInfo, reason: string): void;
  /** A lease is over, whoever ended it. */
  leaseEnded(lease: Lease, reason: string): void;
  result(result: Result): void;
  /** The algorithm of a run gave a picture back for the one of that time. */
  picture(run: string, picture: GivenPicture): void;
}

/** Whether a stream is there, comes when it is wanted, or is unknown. */
export type Presence = 'there' | 'coming' | 'unknown';

export interface RunTableOptions {
  readonly executor: Executor;
  readonly clock: Clock;
  readonly events: Emitter<RunEvents>;
  /** How long a run outlives its last holder when that vanished, ms. */
  readonly lingerMs: number;
  /** Wants a stream; returns what ends the wish. */
  readonly claim: ((stream: string) => () => void) | undefined;
}

const NOBODY = 'Nobody asks for it any more.';

/** The runs that there are: how one begins, how its leases end, and how it ends itself and leaves nothing behind. */
export class RunTable {
  readonly #options: RunTableOptions;
  readonly #runs = new Map<string, Run>();
  /** Runs that have ended and whose task is still ending, by id. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #lingering = new Map<Run, () => void>();
  /** What ends a run's wish for its stream. */
  readonly #claims = new Map<Run, () => void>();

  constructor(options: RunTableOptions) {
    this.#options = options;
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  values(): MapIterator<Run> {
    return this.#runs.values();
  }

  /** Begins a run that there is not yet; nobody is told of it, since it has no lease. */
  create(id: string, stream: string, algorithm: FoundManifest, parameters: Parameters, is: Presence): Run {
    const { executor, clock, events, claim } = this.#options;
    const run: Run = new Run({
      id,
      stream,
      algorithm,
      parameters,
      executor,
      clock,
      after: this.#ending.get(id),
      onChange: () => {
        // Before the first lease and after the last there is nobody to tell.
        if (this.#runs.get(id) === run && run.leases.size > 0) events.emit('runChanged', run.info);
      },
    });
    this.#runs.set(id, run);
    if (is === 'there') run.resume();
    else if (is === 'coming') run.suspend(`The stream "${stream}" is being fetched.`);
    else run.suspend(`There is no stream "${stream}" yet.`);
    if (claim) this.#claims.set(run, claim(stream));
    return run;
  }

  /** Somebody asks for a run: it does not end, though its last holder vanished. */
  keep(run: Run): void {
    this.#lingering.get(run)?.();
    this.#lingering.delete(run);
  }

  /** Ends leases of a run on purpose, and the run with the last of them. */
  giveBack(run: Run, leases: readonly Lease[]): void {
    this.#drop(run, leases, 'It was given back.');
    if (run.leases.size === 0) void this.end(run, NOBODY);
  }

  /** The holder of these leases vanished; a run that nobody else holds ends soon. */
  abandon(run: Run, leases: readonly Lease[]): void {
    this.#drop(run, leases, 'Its holder is gone.');
    if (run.leases.size > 0) return;
    const { clock, lingerMs } = this.#options;
    this.#lingering.set(
      run,
      clock.after(lingerMs, () => void this.end(run, NOBODY)),
    );
  }

  /** Ends a run whoever holds it; resolves when its task is gone. */
  end(run: Run, reason: string): Promise<void> {
    // A listener of an event may have ended it already, or somebody may have come back while we told of it.
    if (this.#runs.get(run.id) !== run) return this.#ending.get(run.id) ?? Promise.resolve();
    this.keep(run);
    this.#runs.delete(run.id);
    this.#claims.get(run)?.();
    this.#claims.delete(run);
    const ending = run.end().then(() => {
      if (this.#ending.get(run.id) === ending) this.#ending.delete(run.id);
    });
    this.#ending.set(run.id, ending);
    const { events } = this.#options;
    const leases = [...run.leases.values()];
    run.leases.clear();
    for (const lease of leases) events.emit('leaseEnded', lease, reason);
    events.emit('runStopped', run.info, reason);
    return ending;
  }

  /** Ends all runs; resolves when their tasks are gone. */
  async close(reason: string): Promise<void> {
    for (const run of this.#runs.values()) void this.end(run, reason);
    await Promise.all(this.#ending.values());
  }

  #drop(run: Run, leases: readonly Lease[], reason: string): void {
    const { events } = this.#options;
    for (const { id } of leases) run.leases.delete(id);
    for (const lease of leases) events.emit('leaseEnded', lease, reason);
    events.emit('runChanged', run.info);
  }
}
