import type { Frame, Manifest, Parameters } from '#algorithms/contract.ts';
import type { FromHost } from '#algorithms/host-messages.ts';
import { Backoff } from '#util/backoff.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { FramePatience, frameTimeoutMs } from './frame-patience.ts';
import { forkHost, type HostProcess } from './host-process.ts';

export type Found = Extract<FromHost, { type: 'found' }>;

/** Time limits of a host, milliseconds. */
export interface HostLimits {
  /** From the start to `ready`: loading a model may take long on a busy machine. */
  readonly startMs: number;
  /** Between two heart-beats, whatever the host is doing: longer, and its whole process stands still. */
  readonly silenceMs: number;
  /** For a ping while no frame is under way. */
  readonly idleMs: number;
  /** From the request to end to SIGKILL. */
  readonly stopMs: number;
}

/** With the interval of the checks, a host that stands still is noticed within two seconds. */
const DEFAULT_LIMITS: HostLimits = { startMs: 60_000, silenceMs: 1500, idleMs: 1500, stopMs: 1000 };
/** How often the host is looked at, and pinged when it has nothing to do. */
const CHECK_MS = 250;
/** A host that lived for so long was healthy: its next failure is the first. */
const HEALTHY_MS = 30_000;

export interface HostOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<HostLimits>;
  /** A host with more resident memory is ended and started again. Default 1 GiB. */
  readonly memoryBytes?: number;
  readonly spawn?: (manifest: string) => HostProcess;
  readonly log?: (message: string) => void;
}

export type HostStatus =
  | { readonly state: 'starting' }
  | { readonly state: 'ready'; readonly manifest: Manifest }
  /** Gone, and started again soon. */
  | { readonly state: 'waiting'; readonly reason: string }
  /** It said that it cannot serve the algorithm: trying again would not help. */
  | { readonly state: 'failed'; readonly error: NamedError };

interface InFlight {
  readonly sequence: number;
  readonly result: PromiseWithResolvers<Found>;
}

/** One run's use of an algorithm host. */
export class HostSession {
  readonly run: string;
  readonly parameters: Parameters;
  readonly #host: AlgorithmHost;
  readonly #onStatus: (status: HostStatus) => void;

  constructor(
    host: AlgorithmHost,
    run: string,
    parameters: Parameters,
    onStatus: (status: HostStatus) => void,
  ) {
    this.#host = host;
    this.run = run;
    this.parameters = parameters;
    this.#onStatus = onStatus;
  }

  get status(): HostStatus {
    return this.#host.status;
  }

  /**
   * Has one frame looked at; the pixels are sent before the call returns, so the buffer may be used again.
   * @throws {NamedError} HOST_LOST when the host is not there or died, ALGORITHM_ERROR when it failed on this frame
   */
  detect(frame: Frame): Promise<Found> {
    return this.#host.detect(this, frame);
  }

  /** Ends the use; the last one ends the host. Frames under way are given up. Idempotent. */
  close(): void {
    this.#host.release(this);
  }

  /** Only for the host. */
  tell(status: HostStatus): void {
    this.#onStatus(status);
  }
}

/**
 * The process of one algorithm, shared by the runs of it in this worker: started, watched, killed when it does not
 * answer, started again after a back-off; ended when the last run is closed.
 */
export class AlgorithmHost {
  readonly #manifest: string;
  readonly #clock: Clock;
  readonly #limits: HostLimits;
  readonly #memoryBytes: number;
  readonly #spawn: (manifest: string) => HostProcess;
  readonly #log: (message: string) => void;
  readonly #onEmpty: () => void;
  readonly #backoff = new Backoff({ minimum: 200, maximum: 5000 });
  readonly #sessions = new Map<string, HostSession>();
  /** In the order of sending, which is the order of answering. */
  readonly #inFlight = new Map<string, InFlight>();
  #process: HostProcess | undefined;
  #status: HostStatus = { state: 'starting' };
  #sequence = 0;
  /** Why the process is being killed. */
  #verdict: string | undefined;
  /** Since when the host owes an answer to the oldest frame, to a ping, or `ready`. */
  #owedSince: number | undefined;
  #readySince = 0;
  #lastHeartbeat: number | undefined;
  #patience = new FramePatience();
  #cancelTick: (() => void) | undefined;
  #cancelRestart: (() => void) | undefined;
  #cancelKill: (() => void) | undefined;

  constructor(manifest: string, onEmpty: () => void, options: HostOptions = {}) {
    this.#manifest = manifest;
    this.#onEmpty = onEmpty;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#memoryBytes = options.memoryBytes ?? 2 ** 30;
    this.#spawn = options.spawn ?? forkHost;
    this.#log = options.log ?? (() => {});
    this.#start();
  }

  get status(): HostStatus {
    return this.#status;
  }

  open(run: string, parameters: Parameters, onStatus: (status: HostStatus) => void): HostSession {
    const session = new HostSession(this, run, parameters, onStatus);
    this.#sessions.set(run, session);
    if (this.#status.state === 'ready') this.#process?.send({ type: 'open', run, parameters });
    return session;
  }

  /** Only for its sessions. */
  detect(session: HostSession, frame: Frame): Promise<Found> {
    if (this.#status.state !== 'ready' || !this.#process || this.#sessions.get(session.run) !== session) {
      return Promise.reject(lost('it is not ready'));
    }
    const sequence = ++this.#sequence;
    const result = Promise.withResolvers<Found>();
    if (this.#inFlight.size === 0) this.#owedSince = this.#clock.now();
    this.#inFlight.set(session.run, { sequence, result });
    this.#process.send({ type: 'frame', run: session.run, sequence, frame });
    return result.promise;
  }

  /** Only for its sessions. */
  release(session: HostSession): void {
    if (this.#sessions.get(session.run) !== session) return;
    this.#sessions.delete(session.run);
    this.#process?.send({ type: 'close', run: session.run });
    this.#giveUp(session.run, 'the run was closed');
    if (this.#sessions.size === 0) this.#end();
  }

  /** Ends the process at once; for a worker that ends itself. */
  kill(): void {
    this.#cancelTimers();
    this.#process?.kill();
  }

  #start(): void {
    this.#cancelRestart = undefined;
    this.#verdict = undefined;
    this.#lastHeartbeat = undefined;
    this.#patience = new FramePatience();
    this.#owedSince = this.#clock.now();
    this.#setStatus({ state: 'starting' });
    const process = this.#spawn(this.#manifest);
    this.#process = process;
    process.onMessage((message) => this.#process === process && this.#receive(message));
    process.onHeartbeat((rssBytes) => this.#process === process && this.#heartbeat(process, rssBytes));
    process.onExit((reason) => this.#process === process && this.#lost(this.#verdict ?? reason));
    this.#tickLater();
  }

  #receive(message: FromHost): void {
    switch (message.type) {
      case 'ready':
        this.#owedSince = undefined;
        this.#readySince = this.#clock.now();
        this.#patience = new FramePatience(frameTimeoutMs(message.manifest));
        for (const { run, parameters } of this.#sessions.values()) {
          this.#process?.send({ type: 'open', run, parameters });
        }
        return this.#setStatus({ state: 'ready', manifest: message.manifest });
      case 'failed':
        this.#setStatus({ state: 'failed', error: new NamedError(message.code, message.message, 422) });
        return this.#process?.disconnect();
      case 'pong':
        if (this.#inFlight.size === 0) this.#owedSince = undefined;
        return;
      case 'found':
      case 'error': {
        const frame = this.#inFlight.get(message.run);
        if (message.type === 'found') this.#patience.took(message.inferMs);
        if (frame?.sequence === message.sequence) {
          this.#inFlight.delete(message.run);
          if (message.type === 'found') frame.result.resolve(message);
          else frame.result.reject(new NamedError('ALGORITHM_ERROR', message.message, 500));
        }
        // It is at work on the next frame only now: its time begins here.
        this.#owedSince = this.#inFlight.size > 0 ? this.#clock.now() : undefined;
        return;
      }
    }
  }

  #lost(reason: string): void {
    this.#process = undefined;
    this.#cancelTimers();
    for (const run of [...this.#inFlight.keys()]) this.#giveUp(run, reason);
    if (this.#sessions.size === 0 || this.#status.state === 'failed') return;
    if (this.#readySince > 0 && this.#clock.now() - this.#readySince > HEALTHY_MS) this.#backoff.reset();
    this.#readySince = 0;
    const wait = this.#backoff.next();
    this.#log(`The host of the algorithm ${this.#manifest} is gone: ${reason}. It is started again.`);
    this.#setStatus({
      state: 'waiting',
      reason: `The algorithm's process is gone: ${reason}. It is started again.`,
    });
    this.#cancelRestart = this.#clock.after(wait, () => this.#start());
  }

  #giveUp(run: string, reason: string): void {
    const frame = this.#inFlight.get(run);
    this.#inFlight.delete(run);
    frame?.result.reject(lost(reason));
  }

  #setStatus(status: HostStatus): void {
    this.#status = status;
    for (const session of [...this.#sessions.values()]) session.tell(status);
  }

  #tickLater(): void {
    const due = this.#clock.now() + CHECK_MS;
    this.#cancelTick = this.#clock.after(CHECK_MS, () => {
      // When we were held up ourselves, an answer may stand unread behind this timer.
      const late = Math.max(0, this.#clock.now() - due);
      if (this.#owedSince !== undefined) this.#owedSince += late;
      if (this.#lastHeartbeat !== undefined) this.#lastHeartbeat += late;
      this.#tick();
      if (this.#process) this.#tickLater();
    });
  }

  #tick(): void {
    if (this.#verdict !== undefined) return;
    const now = this.#clock.now();
    const { startMs, silenceMs, idleMs } = this.#limits;
    const silent = now - (this.#lastHeartbeat ?? now);
    if (silent > silenceMs) return this.#sentence(`it stood still for ${seconds(silent)} s`);
    if (this.#owedSince === undefined) {
      if (this.#status.state !== 'ready') return;
      this.#owedSince = now;
      this.#process?.send({ type: 'ping', sequence: ++this.#sequence });
      return;
    }
    const owed = now - this.#owedSince;
    if (this.#status.state !== 'starting' && this.#inFlight.size > 0) {
      const { limitMs } = this.#patience;
      if (owed > limitMs) {
        this.#sentence(
          `it did not answer for ${seconds(owed)} s, and a frame may take ${seconds(limitMs)} s (runtime.frameTimeoutMs in its manifest)`,
        );
      }
    } else if (owed > (this.#status.state === 'starting' ? startMs : idleMs)) {
      this.#sentence(`it did not answer for ${seconds(owed)} s`);
    }
  }

  #sentence(verdict: string): void {
    this.#verdict = verdict;
    this.#process?.kill();
  }

  #heartbeat(process: HostProcess, rssBytes: number): void {
    this.#lastHeartbeat = this.#clock.now();
    if (rssBytes <= this.#memoryBytes || this.#verdict !== undefined) return;
    const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
    this.#verdict = `it used ${megabytes(rssBytes)} MB of memory, more than the ${megabytes(this.#memoryBytes)} MB that algorithms.memoryMb allows`;
    process.terminate();
    this.#cancelKill = this.#clock.after(this.#limits.stopMs, () => process.kill());
  }

  #cancelTimers(): void {
    this.#cancelTick?.();
    this.#cancelRestart?.();
    this.#cancelKill?.();
  }

  #end(): void {
    this.#cancelTimers();
    const process = this.#process;
    this.#process = undefined;
    this.#onEmpty();
    if (!process) return;
    process.disconnect();
    const cancel = this.#clock.after(this.#limits.stopMs, () => process.kill());
    process.onExit(cancel);
  }
}

function seconds(ms: number): string {
  return ms < 10_000 ? String(Math.round(ms / 100) / 10) : String(Math.round(ms / 1000));
}

function lost(reason: string): NamedError {
  return new NamedError('HOST_LOST', `The algorithm's process cannot look at the frame: ${reason}.`, 503);
}

/** The algorithm hosts of a worker: one process per manifest, as long as a run uses it. */
export class AlgorithmHosts {
  readonly #hosts = new Map<string, AlgorithmHost>();
  readonly #options: HostOptions;

  constructor(options: HostOptions = {}) {
    this.#options = options;
  }

  /** Begins to use the host of a manifest, which is started when it is not there yet. */
  open(
    manifest: string,
    run: string,
    parameters: Parameters,
    onStatus: (status: HostStatus) => void,
  ): HostSession {
    let host = this.#hosts.get(manifest);
    // One that failed for good is kept by its runs alone: a new run deserves a new attempt.
    if (!host || host.status.state === 'failed') {
      const made: AlgorithmHost = new AlgorithmHost(
        manifest,
        () => this.#hosts.get(manifest) === made && this.#hosts.delete(manifest),
        this.#options,
      );
      host = made;
      this.#hosts.set(manifest, host);
    }
    return host.open(run, parameters, onStatus);
  }

  /** Ends all processes at once. */
  kill(): void {
    for (const host of this.#hosts.values()) host.kill();
    this.#hosts.clear();
  }
}
