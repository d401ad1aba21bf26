import { stat } from 'node:fs/promises';
import type { LinkClient, Task, TaskInput, TaskSpec, TaskState } from '#link/client.ts';
import { confinedPath } from '#util/confined-path.ts';
import { Emitter } from '#util/emitter.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { runConvert } from './convert.ts';
import { StreamDecoders } from './decoder.ts';
import { runDeviceSource } from './device-source.ts';
import { runFileSource } from './file-source.ts';
import { runFolderSource } from './folder-source.ts';
import { AlgorithmHosts } from './host-client.ts';
import { runImageSource } from './image-source.ts';
import { runMuxedSink } from './muxed-sink.ts';
import { runNetworkSource } from './network-source.ts';
import { isImage } from './picture-loop.ts';
import { runPictures } from './pictures.ts';
import { runProbe } from './probe.ts';
import { runRendition } from './rendition.ts';
import { type RunServices, runAlgorithm } from './run.ts';
import { runStandby } from './standby.ts';
import type { TaskContext, TaskOutcome } from './task.ts';
import { runTestSource } from './test-source.ts';

type FileSourceSpec = Extract<TaskSpec, { kind: 'file-source' }>;

type Amended = Emitter<{ amend(spec: TaskSpec): void }>;

interface Running {
  /** As it was asked for the last time. */
  task: Task;
  readonly abort: AbortController;
  readonly amended: Amended;
  readonly inputs: TaskContext['inputs'];
  done: Promise<void>;
}

/**
 * The tasks of one worker: started and stopped as the hub says, each on its own, so that one that fails takes no other
 * along. How each stands is told to the hub whenever it changes.
 */
export class WorkerTasks {
  readonly #link: LinkClient;
  readonly #services: RunServices & { readonly hosts: AlgorithmHosts };
  readonly #running = new Map<string, Running>();
  #closed = false;

  /** @param hostMemoryBytes the most memory of an algorithm host; absent: as {@link AlgorithmHosts} has it */
  constructor(link: LinkClient, hostMemoryBytes?: number) {
    this.#link = link;
    const log = (message: string) => link.send({ type: 'log', level: 'warn', message });
    this.#services = {
      decoders: new StreamDecoders(link, log),
      hosts: new AlgorithmHosts({
        log,
        ...(hostMemoryBytes === undefined ? {} : { memoryBytes: hostMemoryBytes }),
      }),
    };
    link.events.on('start', (task) => void this.#start(task));
    link.events.on('stop', (id) => this.#running.get(id)?.abort.abort());
    link.events.on('amend', (id, spec) => this.#amend(id, spec));
    link.events.on('input', (id, epoch, input: TaskInput) => {
      const running = this.#running.get(id);
      if (running?.task.epoch === epoch) running.inputs.emit('input', input);
    });
  }

  /** Ends all tasks and resolves when they are ended. */
  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ done }) => done));
  }

  /** Ends what would outlive a worker that crashes. */
  kill(): void {
    this.#services.hosts.kill();
  }

  #amend(id: string, spec: TaskSpec): void {
    const running = this.#running.get(id);
    if (!running) return;
    running.task = { ...running.task, spec };
    running.amended.emit('amend', spec);
  }

  async #start(task: Task): Promise<void> {
    const before = this.#running.get(task.id);
    if (before && before.task.epoch >= task.epoch) return;
    before?.abort.abort();
    const abort = new AbortController();
    const amended: Amended = new Emitter();
    const inputs: TaskContext['inputs'] = new Emitter();
    const running: Running = { task, abort, amended, inputs, done: Promise.resolve() };
    const done = (async () => {
      // A new epoch takes over only when the old one has let go of what they share.
      await before?.done;
      if (!this.#closed && !abort.signal.aborted) await this.#run(running, abort.signal);
    })();
    running.done = done;
    this.#running.set(task.id, running);
    await done;
    if (this.#running.get(task.id) === running) this.#running.delete(task.id);
  }

  async #run({ task, amended, inputs }: Running, signal: AbortSignal): Promise<void> {
    let last = '';
    const tell = (
      state: TaskState,
      more: { reason?: string; code?: string } & Pick<TaskOutcome, 'report'>,
    ) => {
      // The worker ends, and its tasks go on in the next one: none of them is done.
      if (this.#closed) return;
      const message = { type: 'task.state', task: task.id, epoch: task.epoch, state, ...more } as const;
      const text = `${state} ${more.reason}`;
      if (text !== last) this.#link.send(message);
      last = text;
    };
    const context: TaskContext = {
      link: this.#link,
      task,
      signal,
      onAmend: (listener) => amended.on('amend', listener),
      inputs,
      state: (state, reason) => tell(state, reason === undefined ? {} : { reason }),
      log: (level, message) => this.#link.send({ type: 'log', level, message }),
    };
    tell('starting', {});
    try {
      tell('done', await this.#pipeline(task, context));
    } catch (error) {
      if (signal.aborted) return tell('done', { reason: 'Stopped.' });
      if (error instanceof NamedError) return tell('failed', { reason: error.message, code: error.code });
      context.log(
        'error',
        `Task ${task.id} (${task.spec.kind}) failed: ${(error as Error)?.stack ?? String(error)}`,
      );
      tell('failed', { reason: messageOf(error), code: 'TASK_FAILED' });
    }
  }

  #pipeline(task: Task, context: TaskContext): Promise<TaskOutcome> {
    const { spec } = task;
    switch (spec.kind) {
      case 'file-source':
        return publishPath(spec, context);
      case 'network-source':
        return runNetworkSource(spec, context);
      case 'device-source':
        return runDeviceSource(spec, context);
      case 'test-source':
        return runTestSource(spec, context);
      case 'standby':
        return runStandby(spec, context);
      case 'run':
        return runAlgorithm(spec, context, this.#services);
      case 'rendition':
        return runRendition(spec, context);
      case 'pictures':
        return runPictures(spec, context, this.#services.decoders);
      case 'muxed-sink':
        return runMuxedSink(spec, context);
      case 'convert':
        return runConvert(spec, context);
      case 'probe':
        return runProbe(spec, context);
    }
  }
}

/** A path is that of a folder, of a picture, or of a file; what is not there is an error of the last. */
async function publishPath(asked: FileSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const { path, within } = asked;
  // Each file of a folder is looked at again when its turn comes, since it may be a link.
  const spec = within ? { ...asked, path: await confinedPath(path, within) } : asked;
  const facts = await stat(spec.path).catch(() => undefined);
  if (facts?.isDirectory()) return runFolderSource(spec, context);
  return facts && isImage(spec.path) ? runImageSource(spec, context) : runFileSource(spec, context);
}
