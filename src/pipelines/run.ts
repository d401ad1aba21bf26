import type { Frame, Manifest, Parameters, PixelFormat, Result } from '#algorithms/contract.ts';
import type { TaskSpec } from '#link/client.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { JpegEncoder } from './av/jpeg.ts';
import { type Picture, Scaler } from './av/video.ts';
import type { DecoderStatus, StreamDecoders } from './decoder.ts';
import { scaledSize } from './frame-size.ts';
import type { AlgorithmHosts, Found, HostSession, HostStatus } from './host-client.ts';
import type { ReaderMode, Shot } from './picture-reader.ts';
import { RunCounters } from './run-counters.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

type RunSpec = Extract<TaskSpec, { kind: 'run' }>;

const STATISTICS_MS = 1000;
/** After a frame on which the algorithm failed: one that fails on each must not spin. */
const FAILURE_PAUSE_MS = 100;

/** What the runs of a worker share. */
export interface RunServices {
  readonly decoders: StreamDecoders;
  readonly hosts: AlgorithmHosts;
}

/**
 * One algorithm on one stream: takes a picture whenever the algorithm is free and one is due, scales it, has it looked
 * at, and sends what was found under the picture's own timestamp. One frame is under way at a time.
 *
 * @throws {NamedError} what the algorithm's host failed with, such as a missing model
 */
export async function runAlgorithm(
  spec: RunSpec,
  context: TaskContext,
  services: RunServices,
): Promise<TaskOutcome> {
  const { fps, mode, maxAge } = commonOf(spec.parameters);
  const stopped = Promise.withResolvers<undefined>();
  const counters = new RunCounters();
  let host: HostStatus = { state: 'starting' };
  let wake = Promise.withResolvers<void>();
  const report = () => reportState(context, host, decoder.status);
  const session = services.hosts.open(spec.manifest, spec.run, spec.parameters, (status) => {
    host = status;
    report();
    wake.resolve();
    wake = Promise.withResolvers();
  });
  const decoder = services.decoders.get(spec.stream);
  const reader = decoder.open(mode, fps);
  const forget = decoder.events.on('status', report);
  const statistics = setInterval(() => {
    const { id: task, epoch } = context.task;
    context.link.send({
      type: 'task.statistics',
      task,
      epoch,
      statistics: counters.statistics(reader, decoder.counters),
    });
  }, STATISTICS_MS);
  const stop = () => {
    stopped.resolve(undefined);
    reader.close();
    session.close();
  };
  context.signal.addEventListener('abort', stop, { once: true });
  const looker = new Looker(spec, context, session, counters, maxAge);
  try {
    host = session.status;
    report();
    while (!context.signal.aborted) {
      if (host.state === 'failed') throw host.error;
      if (host.state !== 'ready') {
        await Promise.race([wake.promise, stopped.promise]);
        continue;
      }
      const { manifest } = host;
      const shot = await reader.next();
      // The host may have gone while there was no picture to look at: a fresh one is due when it is back.
      if (shot && session.status.state !== 'ready') shot.picture.release();
      else if (shot) await looker.look(shot, manifest, stopped.promise);
    }
    return { reason: 'Stopped.' };
  } finally {
    context.signal.removeEventListener('abort', stop);
    clearInterval(statistics);
    forget();
    stop();
    looker.close();
  }
}

/** Brings pictures to the algorithm and what it found to the hub. */
class Looker {
  readonly #spec: RunSpec;
  readonly #context: TaskContext;
  readonly #session: HostSession;
  readonly #counters: RunCounters;
  readonly #maxAge: number;
  #scaler: Scaler | undefined;
  #jpegs: JpegEncoder | undefined;
  #lastComplaint = '';

  constructor(
    spec: RunSpec,
    context: TaskContext,
    session: HostSession,
    counters: RunCounters,
    maxAge: number,
  ) {
    this.#spec = spec;
    this.#context = context;
    this.#session = session;
    this.#counters = counters;
    this.#maxAge = maxAge;
  }

  async look(shot: Shot, manifest: Manifest, stopped: Promise<unknown>): Promise<void> {
    const frame = await this.#frame(shot, manifest);
    const sent = performance.now();
    try {
      const found = await this.#session.detect(frame);
      this.#counters.inferred++;
      this.#counters.infer.add(found.inferMs);
      if (found.picture) this.#sendPicture(frame, found.picture);
      this.#send(shot, frame, found, sent - shot.arrival);
    } catch (error) {
      if (this.#context.signal.aborted) return;
      this.#counters.failed++;
      // A host that is gone is told by the state of the run; an algorithm that fails says so once.
      if (error instanceof NamedError && error.code === 'HOST_LOST') return;
      const complaint = messageOf(error);
      if (complaint !== this.#lastComplaint) {
        this.#context.log(
          'warn',
          `${this.#spec.algorithm} failed on a frame of ${this.#spec.stream}: ${complaint}`,
        );
      }
      this.#lastComplaint = complaint;
      await Promise.race([new Promise((resolve) => setTimeout(resolve, FAILURE_PAUSE_MS)), stopped]);
    }
  }

  close(): void {
    this.#scaler?.close();
    this.#scaler = undefined;
    this.#jpegs?.close();
    this.#jpegs = undefined;
  }

  async #frame({ picture, pts, ntp }: Shot, { input }: Manifest): Promise<Frame> {
    try {
      const { width, height } = scaledSize(input.size, picture.width, picture.height);
      const { format } = input;
      const data =
        format === 'jpeg'
          ? await this.#jpeg(picture, width, height)
          : await this.#scalerFor(width, height, format).scale(picture);
      const { width: sourceWidth, height: sourceHeight } = picture;
      return { width, height, format, data, sourceWidth, sourceHeight, pts, ntp };
    } finally {
      picture.release();
    }
  }

  #scalerFor(width: number, height: number, format: PixelFormat): Scaler {
    if (this.#scaler?.width !== width || this.#scaler.height !== height) {
      this.#scaler?.close();
      this.#scaler = new Scaler(width, height, format);
    }
    return this.#scaler;
  }

  async #jpeg(picture: Picture, width: number, height: number): Promise<Buffer> {
    if (this.#jpegs?.width !== width || this.#jpegs.height !== height) {
      this.#jpegs?.close();
      this.#jpegs = undefined;
      this.#jpegs = await JpegEncoder.open(width, height);
    }
    return this.#jpegs.encode(picture);
  }

  /** Before the result: whoever has that has the picture too. */
  #sendPicture({ pts, ntp, width, height }: Frame, picture: Uint8Array): void {
    const { id: task, epoch } = this.#context.task;
    const jpeg = Buffer.from(picture.buffer, picture.byteOffset, picture.byteLength);
    this.#context.link.sendPicture({ task, epoch, pts, ntp, width, height, jpeg, byAlgorithm: true });
  }

  #send({ pts, ntp, arrival }: Shot, frame: Frame, found: Found, queueMs: number): void {
    const age = performance.now() - arrival;
    if (age > this.#maxAge) {
      this.#counters.expired++;
      return;
    }
    this.#counters.age.add(age);
    const { stream, algorithm, run } = this.#spec;
    const result: Result = {
      stream,
      algorithm,
      run,
      pts,
      ntp,
      width: frame.sourceWidth,
      height: frame.sourceHeight,
      objects: found.objects,
      ...(found.state === undefined ? {} : { state: found.state }),
      timing: { queueMs: round(queueMs), inferMs: round(found.inferMs) },
    };
    const { id: task, epoch } = this.#context.task;
    this.#context.link.send({ type: 'task.result', task, epoch, result });
  }
}

/** The parameters of every algorithm; the API has checked them and filled in the defaults. */
function commonOf(parameters: Parameters): { fps: number; mode: ReaderMode; maxAge: number } {
  const { fps, mode, maxAge } = parameters as { fps?: unknown; mode?: unknown; maxAge?: unknown };
  return {
    fps: typeof fps === 'number' ? fps : 5,
    mode: mode === 'every' || mode === 'keyframes' ? mode : 'freshest',
    maxAge: typeof maxAge === 'number' ? maxAge : 10_000,
  };
}

function reportState(context: TaskContext, host: HostStatus, stream: DecoderStatus): void {
  if (host.state === 'waiting') context.state('waiting', host.reason);
  else if (stream.state === 'waiting') context.state('waiting', stream.reason);
  else if (host.state === 'ready' && stream.state === 'live') context.state('running');
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
