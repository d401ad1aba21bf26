import type { Parameters, Result, RunStatistics } from '#algorithms/contract.ts';
import { resolveParameters } from '#algorithms/parameters.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { Emitter } from '#util/emitter.ts';
import { NamedError } from '#util/named-error.ts';
import { adjust, agree } from './agreement.ts';
import { type Catalogue, checkDefault, findAlgorithm } from './catalogue.ts';
import type { DefaultWish, Executor, GivenPicture, Holder, Lease, RunInfo } from './contract.ts';
import type { Run } from './run.ts';
import { type Presence, type RunEvents, RunTable } from './run-table.ts';
import { Viewers } from './viewers.ts';

/** What somebody asks for. */
export interface RunWish {
  readonly stream: string;
  readonly algorithm: string;
  /** Only those the asker cares about; the rest takes the algorithm's defaults, or what the run has already. */
  readonly parameters?: Parameters | undefined;
}

export interface RunManagerOptions {
  readonly executor: Executor;
  readonly algorithms: Catalogue;
  readonly streamExists: (name: string) => boolean;
  /** Streams that come when they are wanted; a run wants its stream as long as it has leases. */
  readonly onDemand?: {
    readonly has: (name: string) => boolean;
    /** Returns what ends the wish. */
    readonly claim: (name: string) => () => void;
  };
  readonly clock?: Clock;
  /** How long a run outlives its last holder when that vanished, ms; see {@link RunManager}. Default 2000. */
  readonly lingerMs?: number;
}

/**
 * Runs and the leases that keep them alive. There is one run per algorithm and stream; its id is readable and always
 * the same: `nanodet-g@yard:gate-1` for the stream `yard/gate-1`.
 *
 * - A run begins with its first lease and ends with its last: at once when the lease was given back on purpose, after
 *   a short while when its holder vanished, so that a reload of the page does not load the model anew.
 * - A holder has one lease on a run: asking again gives the same one.
 * - Who asks for a run that exists shares it. Parameters that the asker names have to equal the run's, else
 *   RUN_CONFLICT: nobody changes what another one is looking at. Where nobody else holds the run, it goes on with the
 *   new parameters.
 * - A run whose stream ends waits for it, without a worker, and keeps its leases.
 * - A run on a stream that comes on demand makes it come, and keeps it, like a reader.
 */
export class RunManager implements AsyncDisposable {
  readonly events = new Emitter<RunEvents>();
  readonly #options: RunManagerOptions;
  readonly #clock: Clock;
  readonly #runs: RunTable;
  readonly #viewers: Viewers;
  #algorithms: Catalogue;
  #nextLease = 1;

  constructor(options: RunManagerOptions) {
    const { executor, onDemand, clock = systemClock, lingerMs = 2000 } = options;
    this.#options = options;
    this.#clock = clock;
    this.#algorithms = options.algorithms;
    this.#runs = new RunTable({ executor, clock, lingerMs, events: this.events, claim: onDemand?.claim });
    this.#viewers = new Viewers({
      streamExists: (name) => this.#presence(name) !== 'unknown',
      take: (stream, viewerId, wish) =>
        this.shareDefault(stream, wish, { kind: 'viewer', id: viewerId, reason: `watches ${stream}` }),
      release: (leaseId) => void this.release(leaseId),
      adjust: (stream, wish) => this.#adjust(stream, wish),
    });
  }

  /** The algorithms that can be asked for now, by id. */
  get algorithms(): Catalogue {
    return this.#algorithms;
  }

  /**
   * Takes a lease on the run of an algorithm on a stream, and starts it if need be. A holder of kind `config` or `view` may
   * ask before the stream is there.
   * @throws NamedError ALGORITHM_UNKNOWN, STREAM_UNKNOWN, PARAMETERS_INVALID, RUN_CONFLICT
   */
  acquire(wish: RunWish & { readonly holder: Holder }): { run: RunInfo; lease: Lease } {
    const insists = Object.keys(wish.parameters ?? {}).length > 0;
    const taken = this.#acquire({ ...wish, insists });
    this.#viewers.asked(wish.stream, wish.holder.id, wish.algorithm);
    return taken;
  }

  #acquire(wish: RunWish & Pick<Lease, 'holder' | 'insists'>): { run: RunInfo; lease: Lease } {
    const { stream, algorithm, holder, insists } = wish;
    const named = wish.parameters ?? {};
    const found = findAlgorithm(this.#algorithms, algorithm);
    const parameters = resolveParameters(found.manifest, named);
    const presence = this.#presence(stream);
    const id = runId(stream, algorithm);
    const existing = this.#runs.get(id);
    const mayWait = holder.kind === 'config' || holder.kind === 'view';
    if (presence === 'unknown' && !existing && !mayWait) {
      throw new NamedError(
        'STREAM_UNKNOWN',
        `There is no stream "${stream}" now. Publish it first; GET /api/streams lists those that are live.`,
        404,
      );
    }
    if (existing) agree(existing, named, parameters, holder);
    const run = existing ?? this.#runs.create(id, stream, found, parameters, presence);
    this.#runs.keep(run);
    const own = run.leaseOf(holder);
    if (own) {
      own.insists ||= insists;
      return { run: run.info, lease: own };
    }
    const since = this.#clock.now();
    const lease: Lease = { id: `lease-${this.#nextLease++}`, run: id, holder, insists, since };
    run.leases.set(lease.id, lease);
    this.events.emit(existing ? 'runChanged' : 'runStarted', run.info);
    return { run: run.info, lease };
  }

  /**
   * Takes a lease on the run of what is configured for a stream; who only watches takes what runs already, whatever its
   * parameters. Gives the id of the lease.
   * @throws NamedError ALGORITHM_UNKNOWN, STREAM_UNKNOWN, PARAMETERS_INVALID
   */
  shareDefault(stream: string, { algorithm, parameters }: DefaultWish, holder: Holder): string {
    const shared = this.#runs.get(runId(stream, algorithm))?.leases.size;
    const named = shared ? {} : { parameters };
    return this.#acquire({ stream, algorithm, holder, insists: false, ...named }).lease.id;
  }

  /** Gives a lease back; the last one ends the run at once. False when there is no such lease (any more). */
  release(leaseId: string): boolean {
    for (const run of this.#runs.values()) {
      const lease = run.leases.get(leaseId);
      if (!lease) continue;
      this.#runs.giveBack(run, [lease]);
      return true;
    }
    return false;
  }

  /** A holder vanished: all its leases end, and runs that nobody else holds end soon. */
  releaseHolder(holderId: string): void {
    for (const run of this.#runs.values()) {
      const own = [...run.leases.values().filter(({ holder }) => holder.id === holderId)];
      if (own.length > 0) this.#runs.abandon(run, own);
    }
  }

  /** The leases of a holder. */
  leasesOf(holderId: string): Lease[] {
    const all = this.#runs.values().flatMap(({ leases }) => leases.values());
    return [...all.filter(({ holder }) => holder.id === holderId)];
  }

  list(): RunInfo[] {
    return [...this.#runs.values().map((run) => run.info)];
  }

  get(id: string): RunInfo | undefined {
    return this.#runs.get(id)?.info;
  }

  /**
   * Ends a run whoever holds it; they learn it by `leaseEnded`. Resolves when its task is gone.
   * @throws NamedError RUN_UNKNOWN
   */
  async stop(id: string, reason = 'The run was stopped.'): Promise<void> {
    const run = this.#runs.get(id);
    if (!run) {
      throw new NamedError(
        'RUN_UNKNOWN',
        `There is no run "${id}". GET /api/runs lists those there are.`,
        404,
      );
    }
    await this.#runs.end(run, reason);
  }

  /**
   * Says which algorithms run on a stream whenever somebody watches its results; goes at once, also for those who
   * watch it now. The stream need not be there. A run goes on with changed parameters unless one of its askers named
   * some.
   * @throws NamedError ALGORITHM_UNKNOWN, PARAMETERS_INVALID; nothing is changed then
   */
  setDefaults(stream: string, wishes: readonly DefaultWish[]): void {
    for (const wish of wishes) checkDefault(this.#algorithms, wish);
    this.#viewers.setDefaults(stream, wishes);
  }

  /**
   * Goes on with other algorithms and, for all streams, with these defaults. A run that is there goes on with the
   * algorithm as it was when the run began, also when there is no such algorithm any more.
   * @param ofOthers the defaults of a stream that `defaults` does not have; the caller has checked them
   * @throws NamedError ALGORITHM_UNKNOWN, PARAMETERS_INVALID; nothing is changed then
   */
  configure(
    algorithms: Catalogue,
    defaults: ReadonlyMap<string, readonly DefaultWish[]>,
    ofOthers: (stream: string) => readonly DefaultWish[] = () => [],
  ): void {
    for (const wish of [...defaults.values()].flat()) checkDefault(algorithms, wish);
    this.#algorithms = algorithms;
    this.#viewers.configure(defaults, ofOthers);
  }

  /** Somebody watches the results of a stream: takes the leases of its defaults, now or when the stream comes. */
  viewerJoined(stream: string, viewerId: string): void {
    this.#viewers.joined(stream, viewerId);
  }

  /** A viewer is gone: all its leases end, those it took itself too. */
  viewerLeft(viewerId: string): void {
    this.#viewers.left(viewerId);
    this.releaseHolder(viewerId);
  }

  /** A stream has come (back): its runs go on, and viewers who waited for it get their defaults. */
  streamStarted(stream: string): void {
    for (const run of this.#runs.values()) {
      if (run.stream === stream) run.resume();
    }
    this.#viewers.streamStarted(stream);
  }

  /** A stream is gone: its runs wait for it. */
  streamEnded(stream: string, reason = 'The stream ended.'): void {
    for (const run of this.#runs.values()) {
      if (run.stream === stream) run.suspend(reason);
    }
  }

  /** A worker found something; ignored when its task or attempt is over. */
  result(taskId: string, epoch: number, result: Result): void {
    const run = this.#byTask(taskId, epoch);
    if (!run) return;
    run.result(result);
    this.events.emit('result', result);
  }

  /** An algorithm gave a picture back; ignored when its task or attempt is over. */
  picture(taskId: string, epoch: number, picture: GivenPicture): void {
    const run = this.#byTask(taskId, epoch);
    if (run) this.events.emit('picture', run.id, picture);
  }

  /** A worker says how a run does; ignored when its task or attempt is over. */
  statistics(taskId: string, epoch: number, statistics: RunStatistics): void {
    this.#byTask(taskId, epoch)?.statistics(taskId, epoch, statistics);
  }

  /** Ends all runs; resolves when their tasks are gone. */
  async close(reason = 'The server is stopping.'): Promise<void> {
    this.#viewers.clear();
    await this.#runs.close(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #presence(stream: string): Presence {
    if (this.#options.streamExists(stream)) return 'there';
    return this.#options.onDemand?.has(stream) ? 'coming' : 'unknown';
  }

  #adjust(stream: string, { algorithm, parameters }: DefaultWish): void {
    const run = this.#runs.get(runId(stream, algorithm));
    if (!run) return;
    const { manifest } = findAlgorithm(this.#algorithms, algorithm);
    adjust(run, resolveParameters(manifest, parameters ?? {}));
  }

  #byTask(taskId: string, epoch: number): Run | undefined {
    return this.#runs.values().find((run) => run.accepts(taskId, epoch));
  }
}

/**
 * The id of the run of an algorithm on a stream. Stream names have no `:` and algorithm ids no `@`, so that ids are as
 * unique as what they are made of.
 */
export function runId(stream: string, algorithm: string): string {
  return `${algorithm}@${stream.replaceAll('/', ':')}`;
}
