import { Composition, type CompositionSpec, type CompositionStatus } from '#hub/composition.ts';
import type { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import type { OpenForward } from '#sinks/contract.ts';
import type { ForwardStatus } from '#sinks/forward.ts';
import { Forwards } from '#sinks/forwards.ts';
import { addressOf, type SourceSettings, type StartSource, statusOf } from '#sources/configured.ts';
import type { SourceTask } from '#sources/contract.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { JobLog, type JobLogLine } from './job-log.ts';
import { judge, type Verdict } from './job-state.ts';
import type { JobOutputStatus, JobPartStatus, JobStatus } from './job-status.ts';
import type { ConversionWish, JobPlan } from './plan.ts';
import { FlowMeter, observe } from './progress.ts';

/** What a job needs of whoever runs it: the server, or a command. */
export interface JobEnvironment {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly startSource: StartSource;
  /** How something is published at an address; the settings let no others in. */
  readonly openForward: (url: string) => OpenForward;
  /** Makes a file another one; never calls `onState` before it has returned. */
  readonly convert: (wish: ConversionWish, onState: () => void) => ConversionTask;
  /** Random numbers in [0, 1) of the back-offs; a test gives its own. */
  readonly random?: () => number;
}

/** A file on its way to become another one. It is not tried again. */
export interface ConversionTask {
  readonly status: {
    readonly state: 'starting' | 'running' | 'failed' | 'done';
    /** Why it failed, in a sentence. */
    readonly reason?: string;
    readonly code?: string;
  };
  readonly progress: Omit<JobStatus['progress'], 'drops'>;
  /** Completes the file with what it has; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

export const INPUT_ENDED = 'The input has ended.';

/** How often is looked whether everything has left, ms. */
const DRAIN_LOOK_MS = 100;
/** What comes out so long after the last came is still of the input: it went through an encoder. */
const QUIET_MS = 1000;
/** No output is waited for longer. */
const DRAIN_MS = 8000;

/** What is put together, and how that goes. */
interface Composed {
  readonly status: Pick<CompositionStatus, 'state' | 'reason' | 'code'>;
  close(reason: string): Promise<void>;
}

type Parts = Pick<JobStatus, 'inputs' | 'outputs' | 'progress'>;

/**
 * One job at work on a hub: its sources, what is put together from them, and its outputs, each of which tries again by
 * itself. It ends when all its sources have ended, when something of it can never work, or when it is stopped; it does
 * not begin again.
 */
export class Job implements AsyncDisposable {
  readonly plan: JobPlan;
  readonly #environment: JobEnvironment;
  readonly #onState: () => void;
  readonly #log: JobLog;
  readonly #meter = new FlowMeter();
  readonly #forwards: Forwards;
  readonly #compositions: readonly Composed[];
  readonly #sources: readonly { readonly settings: SourceSettings; readonly task: SourceTask }[];
  readonly #ignore: readonly (() => void)[];
  /** What is measured, with the tracks that it had then. */
  #observed: { readonly stream: Stream; readonly tracks: string; readonly leave: () => void } | undefined;
  /** An output has taken something. */
  #hasSent = false;
  /** Why an output did not, as the last one said. */
  #refusal: Pick<ForwardStatus, 'trouble' | 'code'> | undefined;
  #state: Verdict & Pick<JobStatus, 'since'>;
  /** How its parts stood when it ended. */
  #last: Parts | undefined;
  #ending: Promise<void> | undefined;
  #finishing = false;
  #cancelLook = () => {};

  /** @param onState its status is another one; never called before the constructor has returned */
  constructor(plan: JobPlan, environment: JobEnvironment, onState: () => void) {
    this.plan = plan;
    this.#environment = environment;
    this.#onState = onState;
    const { hub, clock, startSource, openForward: opener, random } = environment;
    this.#log = new JobLog(clock);
    this.#state = { state: 'starting', since: clock.now() };
    let begun = false;
    const look = () => {
      if (begun) this.#look();
    };
    this.#forwards = new Forwards(plan.outputs, {
      ...{ hub, clock, opener },
      ...(random && { random }),
      onState: (status) => {
        this.#noteOutput(status);
        look();
      },
    });
    this.#compositions = plan.compositions.map((spec) => this.#compose(spec, look));
    this.#sources = plan.sources.map((settings) => ({ settings, task: startSource(settings, look) }));
    const changed = ({ name }: Stream) => {
      if (name === this.#outgoing) this.#observe();
      if (plan.reads.includes(name)) look();
    };
    this.#ignore = [
      hub.events.on('streamAdded', changed),
      hub.events.on('streamChanged', changed),
      hub.events.on('streamRemoved', changed),
    ];
    begun = true;
    // A part may have failed by now, which whoever begins it cannot be told yet.
    this.#cancelLook = clock.after(0, look);
  }

  get status(): JobStatus {
    const { name, type } = this.plan;
    const parts = this.#last ?? this.#parts;
    const state = this.#ending ? this.#state : { since: this.#state.since, ...this.#judge(parts) };
    return { name, type, ...state, log: this.#log.lines, ...parts };
  }

  /** Its input has ended, something of it can never work, or it was stopped. */
  get over(): boolean {
    return this.#ending !== undefined;
  }

  /** Ends it; outputs are flushed. Resolves when nothing of it is left. Idempotent. */
  stop(reason: string): Promise<void> {
    return this.#end({ state: 'stopped', reason });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop('The job was stopped.');
  }

  /** Puts a stream together; one that would be made of itself has failed from the start. */
  #compose(spec: CompositionSpec, onState: () => void): Composed {
    const { hub, clock } = this.#environment;
    const publisher = { id: spec.name, door: 'job', remote: this.plan.name };
    try {
      return new Composition(spec, { hub, clock, publisher, onState });
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      const { message: reason, code } = error;
      return { status: { state: 'failed', reason, code }, close: async () => {} };
    }
  }

  /** The stream that is measured: what goes to the first output. */
  get #outgoing(): string | undefined {
    return this.plan.outputs[0]?.stream;
  }

  get #parts(): Parts {
    const outputs = this.#forwards.list().map((status) => this.#outputStatus(status));
    const durations = this.#sources.flatMap(({ task }) => task.durationMs ?? []);
    return {
      inputs: [...this.#sources.map(inputStatus), ...this.plan.reads.map((name) => this.#readStatus(name))],
      outputs,
      progress: {
        ...this.#meter.at(this.#environment.clock.now()),
        ...(durations.length > 0 && { durationMs: Math.max(...durations) }),
        drops: outputs.reduce((sum, { drops }) => sum + drops, 0),
        bytesSent: outputs.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
      },
    };
  }

  #judge({ inputs, outputs }: Parts): Verdict {
    return judge({ inputs, outputs, compositions: this.#compositions.map(({ status }) => status) });
  }

  #outputStatus(status: ForwardStatus): JobOutputStatus {
    const { stream, url, state, bytesSent, dropped: drops } = status;
    // Why a stream of the job's own is not there, its inputs say.
    const said = state === 'idle' && !this.plan.reads.includes(stream) ? {} : troubleOf(status);
    return { url, state, ...said, bytesSent, drops };
  }

  /** A stream of this server that is read. */
  #readStatus(name: string): JobPartStatus {
    const { hub } = this.#environment;
    const url = `stream:${name}`;
    const state = hub.get(name)?.state;
    if (state === 'live' || state === 'standby') return { url, state: 'running' };
    const gone = state === 'held' ? `The publisher of "${name}" is gone.` : `Nobody publishes "${name}" now.`;
    return { url, state: 'waiting', reason: hub.onDemand.trouble(name) ?? gone };
  }

  /** Something of it is not as it was. */
  #look(): void {
    if (this.#ending) return;
    const parts = this.#parts;
    for (const input of parts.inputs) this.#noteInput(input);
    // What is missing because an input is, that says.
    if (parts.inputs.every(({ state }) => state === 'running')) this.#noteCompositions();
    const now = this.#judge(parts);
    if (now.state === 'failed') {
      void this.#end(now);
      return;
    }
    const { state, since } = this.#state;
    this.#state = { since: state === now.state ? since : this.#environment.clock.now(), ...now };
    const isDone = this.#sources.every(({ task }) => task.status.state === 'done');
    if (isDone && this.#sources.length > 0 && this.plan.reads.length === 0) this.#finish();
    this.#onState();
  }

  #noteInput({ url, state, reason, trouble = reason }: JobPartStatus): void {
    const part = `input ${url}`;
    if (state === 'running') this.#log.add(part, 'info', `${url} is read.`);
    else if (state === 'done') this.#log.add(part, 'info', `${url} has ended.`);
    else if (trouble !== undefined) this.#log.add(part, levelOf(state), trouble);
  }

  #noteCompositions(): void {
    for (const [at, { status }] of this.#compositions.entries()) {
      const name = this.plan.compositions[at]?.name ?? '';
      const { state, reason } = status;
      if (reason !== undefined) this.#log.add(name, state === 'failed' ? 'error' : 'info', reason);
    }
  }

  #noteOutput({ url, state, trouble, code }: ForwardStatus): void {
    const part = `output ${url}`;
    if (state === 'running' && !this.#hasSent) {
      this.#hasSent = true;
      this.#observe();
    }
    if (state === 'running') {
      this.#log.add(part, 'info', `${url} takes it.`);
    } else if (trouble !== undefined && state !== 'idle') {
      this.#log.add(part, levelOf(state), trouble);
      this.#refusal = { trouble, ...(code === undefined ? {} : { code }) };
    }
  }

  /** All sources are at their end: it ends as soon as what they brought has left. */
  #finish(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    const { clock } = this.#environment;
    const begun = clock.now();
    let units = -1;
    let quietSince = begun;
    const look = () => {
      const now = clock.now();
      const came = this.#unitsOut();
      if (came !== units || this.#isSending()) quietSince = now;
      units = came;
      if (now - quietSince >= QUIET_MS || now - begun >= DRAIN_MS) {
        void this.#end(this.#hasSent ? { state: 'stopped', reason: INPUT_ENDED } : this.#unsent());
      } else {
        this.#cancelLook = clock.after(DRAIN_LOOK_MS, look);
      }
    };
    look();
  }

  /** The input has come and gone without an output. */
  #unsent(): Verdict {
    const { trouble = '', code } = this.#refusal ?? {};
    const reason = `The input has ended before an output took it. ${trouble}`.trim();
    return { state: 'failed', reason, ...(code === undefined ? {} : { code }) };
  }

  /** Units that came to what the outputs read. */
  #unitsOut(): number {
    const streams = new Set(this.plan.outputs.map(({ stream }) => stream));
    const { hub } = this.#environment;
    return [...streams].reduce((sum, name) => sum + (hub.get(name)?.counters.units ?? 0), 0);
  }

  /** Whether something still waits for an output, or an output for its connection. */
  #isSending(): boolean {
    return this.#forwards.list().some(({ state, queuedBytes }) => state === 'starting' || queuedBytes > 0);
  }

  /** What has nowhere to go has not gone through. */
  #observe(): void {
    const { hub, clock } = this.#environment;
    const name = this.#hasSent ? this.#outgoing : undefined;
    const stream = name === undefined ? undefined : hub.get(name);
    const tracks = stream?.tracks.map(({ id }) => id).join() ?? '';
    const before = this.#observed;
    if (before?.stream === stream && before?.tracks === tracks) return;
    before?.leave();
    const who = `job ${this.plan.name}`;
    this.#observed = stream && { stream, tracks, leave: observe(stream, who, this.#meter, clock) };
  }

  #end(final: Verdict): Promise<void> {
    this.#ending ??= this.#close(final);
    return this.#ending;
  }

  async #close(final: Verdict): Promise<void> {
    const { hub, clock } = this.#environment;
    const { reason = INPUT_ENDED } = final;
    this.#cancelLook();
    for (const ignore of this.#ignore) ignore();
    this.#last = asEnded(this.#parts);
    this.#state = { ...final, since: clock.now() };
    this.#log.add('job', final.state === 'failed' ? 'error' : 'info', reason);
    const ends = [
      this.#forwards.close(reason),
      ...this.#compositions.map((one) => one.close(reason)),
      ...this.#sources.map(({ task }) => task.stop(reason)),
    ];
    // Not before the outputs know: a stream whose publisher is gone ends with its last reader.
    this.#observed?.leave();
    this.#observed = undefined;
    await Promise.all(ends);
    const own = [
      ...this.plan.sources.map(({ stream }) => stream),
      ...this.plan.compositions.map(({ name }) => name),
    ];
    for (const name of own) hub.get(name)?.end(reason);
    this.#onState();
  }
}

/** What was at work is not any more; what could never work says so still. */
function asEnded({ inputs, outputs, progress }: Parts): Parts {
  const ended = <T extends JobPartStatus>(part: T): T => {
    if (part.state === 'failed' || part.state === 'done') return part;
    const { reason: _, trouble: __, code: ___, ...rest } = part;
    return { ...(rest as T), state: 'stopped' };
  };
  return {
    inputs: inputs.map(ended),
    outputs: outputs.map(ended),
    progress: { ...progress, speed: 0, fps: 0, bitRate: 0 },
  };
}

function inputStatus({
  settings,
  task,
}: {
  readonly settings: SourceSettings;
  readonly task: SourceTask;
}): JobPartStatus {
  const status = statusOf(task);
  // A worker's task that failed is tried again; only what says so never is.
  const state = status.state === 'failed' && task.status.final !== true ? 'waiting' : status.state;
  return { url: addressOf(settings), state, ...(state === 'done' ? {} : troubleOf(status)) };
}

function troubleOf({ reason, trouble, code }: Omit<JobPartStatus, 'url' | 'state'>) {
  return {
    ...(reason === undefined ? {} : { reason }),
    ...(trouble === undefined ? {} : { trouble }),
    ...(code === undefined ? {} : { code }),
  };
}

function levelOf(state: JobPartStatus['state']): JobLogLine['level'] {
  return state === 'failed' ? 'error' : 'warn';
}
