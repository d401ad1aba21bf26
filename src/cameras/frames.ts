import type { Result } from '#algorithms/contract.ts';
import type { Bus } from '#bus/bus.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { Holder, RunFrame, RunInfo } from './contract.ts';
import type { RunManager } from './runs.ts';

/** What travels on the bus about runs: `frames/<id of the run>`, `results/<stream>`. */
export interface RunTopics {
  readonly frames: RunFrame;
  readonly results: Result;
}

/** So long is a frame waited for: a run that looks at keyframes only may have one every ten seconds. */
const PATIENCE_MS = 15_000;

/** Somebody who wants to have the frames, or the results, of the runs on a stream that give frames out. */
export interface FrameListener {
  readonly stream: string;
  /** Of this algorithm alone. */
  readonly algorithm?: string | undefined;
  readonly holder: Holder & { readonly kind: 'subscriber' };
  readonly frame?: (frame: RunFrame) => void;
  readonly result?: (result: Result) => void;
}

export interface FramesOptions {
  readonly runs: RunManager;
  readonly bus: Bus<RunTopics>;
  readonly clock: Clock;
}

/**
 * The pictures that runs looked at, as JPEG. They are made while somebody listens to `frames/<run>` on the bus and not
 * otherwise: this tells each run which of the two it is.
 */
export class Frames {
  readonly #runs: RunManager;
  readonly #bus: Bus<RunTopics>;
  readonly #clock: Clock;
  /** Of each run that is listened to. */
  readonly #newest = new Map<string, RunFrame>();
  readonly #watches = new Map<string, () => void>();
  readonly #forget: readonly (() => void)[];

  constructor({ runs, bus, clock }: FramesOptions) {
    this.#runs = runs;
    this.#bus = bus;
    this.#clock = clock;
    this.#forget = [
      runs.events.on('frame', (frame) => {
        if (bus.subscribers(`frames/${frame.run}`) > 0) this.#newest.set(frame.run, frame);
        bus.publish(`frames/${frame.run}`, frame);
      }),
      runs.events.on('runStarted', ({ id }) => this.#watch(id)),
      runs.events.on('runStopped', ({ id }) => {
        this.#watches.get(id)?.();
        this.#watches.delete(id);
        this.#newest.delete(id);
      }),
    ];
  }

  /**
   * Listens to the runs on a stream that give their frames out, as they come and go. Those that are configured so are kept
   * at work meanwhile; the stream need not be there. The returned function ends it, and may be called twice.
   */
  listen(listener: FrameListener): () => void {
    const listening = new Listening(listener, this.#runs, this.#bus);
    return () => listening.end();
  }

  /**
   * The newest picture that a run looked at. Where nobody listens to them the next one is made for this.
   * @throws NamedError RUN_UNKNOWN, FRAME_UNAVAILABLE
   */
  newest(id: string): Promise<RunFrame> {
    const run = this.#runs.get(id);
    if (!run) {
      const sentence = `There is no run "${id}". GET /api/runs lists those there are.`;
      return Promise.reject(new NamedError('RUN_UNKNOWN', sentence, 404));
    }
    const newest = this.#newest.get(id);
    if (newest) return Promise.resolve(newest);
    const { promise, resolve, reject } = Promise.withResolvers<RunFrame>();
    const fail = (why: string) =>
      reject(new NamedError('FRAME_UNAVAILABLE', `There is no frame of run "${id}": ${why}`, 503));
    const look = ({ id: changed, state, reason }: RunInfo) => {
      const isOver = changed === id && (state === 'waiting' || state === 'failed');
      if (isOver) fail(`it does not run. ${reason ?? ''}`.trim());
    };
    const forget = [
      this.#bus.subscribe(`frames/${id}`, resolve),
      this.#runs.events.on('runChanged', look),
      this.#runs.events.on('runStopped', (stopped, reason) => {
        if (stopped.id === id) fail(`it has ended. ${reason}`);
      }),
      this.#clock.after(PATIENCE_MS, () =>
        fail(`it has not looked at a picture for ${PATIENCE_MS / 1000} s. Try again.`),
      ),
    ];
    look(run);
    return promise.finally(() => {
      for (const end of forget) end();
    });
  }

  /** Nothing is made any more. Idempotent. */
  close(): void {
    for (const forget of [...this.#forget, ...this.#watches.values()]) forget();
    this.#watches.clear();
    this.#newest.clear();
  }

  #watch(id: string): void {
    this.#watches.get(id)?.();
    const tell = (wanted: boolean) => {
      if (!wanted) this.#newest.delete(id);
      this.#runs.wantFrames(id, wanted);
    };
    this.#watches.set(id, this.#bus.watch(`frames/${id}`, tell));
    tell(this.#bus.subscribers(`frames/${id}`) > 0);
  }
}

/** One listener: the leases that it has, and the runs that it hears of. */
class Listening {
  readonly #listener: FrameListener;
  readonly #runs: RunManager;
  readonly #bus: Bus<RunTopics>;
  /** Leases on what is configured, by algorithm; one that was ended by others is not taken again. */
  readonly #leases = new Map<string, string>();
  /** By run. */
  readonly #taps = new Map<string, () => void>();
  readonly #forget: readonly (() => void)[];

  constructor(listener: FrameListener, runs: RunManager, bus: Bus<RunTopics>) {
    this.#listener = listener;
    this.#runs = runs;
    this.#bus = bus;
    const { stream, result } = listener;
    this.#forget = [
      runs.events.on('runStarted', (run) => this.#look(run)),
      runs.events.on('runChanged', (run) => this.#look(run)),
      runs.events.on('runStopped', (run) => this.#untap(run.id)),
      runs.events.on('defaultsChanged', () => this.#take()),
      result
        ? bus.subscribe(`results/${stream}`, (found) => {
            if (this.#taps.has(found.run)) result(found);
          })
        : () => {},
    ];
    for (const run of runs.list()) this.#look(run);
    this.#take();
  }

  end(): void {
    for (const forget of this.#forget) forget();
    for (const id of [...this.#taps.keys()]) this.#untap(id);
    this.#runs.releaseHolder(this.#listener.holder.id);
  }

  /** Keeps what is configured at work, and no more than that. */
  #take(): void {
    const { stream, algorithm, holder } = this.#listener;
    const wishes = this.#runs
      .defaultsOf(stream)
      .filter((wish) => wish.frames && (algorithm === undefined || wish.algorithm === algorithm));
    for (const wish of wishes) {
      if (!this.#leases.has(wish.algorithm)) {
        this.#leases.set(wish.algorithm, this.#runs.shareDefault(stream, wish, holder));
      }
    }
    for (const [name, lease] of this.#leases) {
      if (wishes.some((wish) => wish.algorithm === name)) continue;
      this.#leases.delete(name);
      this.#runs.release(lease);
    }
  }

  #look({ id, stream, algorithm, frames }: RunInfo): void {
    const { stream: wanted, algorithm: only, frame } = this.#listener;
    if (stream !== wanted || (only !== undefined && algorithm !== only)) return;
    if (!frames) return this.#untap(id);
    if (!this.#taps.has(id))
      this.#taps.set(id, frame ? this.#bus.subscribe(`frames/${id}`, frame) : () => {});
  }

  #untap(id: string): void {
    this.#taps.get(id)?.();
    this.#taps.delete(id);
  }
}
