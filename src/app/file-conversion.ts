import { stat } from 'node:fs/promises';
import { pathOfOutput } from '#config/job-address.ts';
import { addressesOf, type JobEntry } from '#config/job-schema.ts';
import { sourceKind } from '#config/source.ts';
import { JobLog } from '#jobs/job-log.ts';
import type { JobStatus } from '#jobs/job-status.ts';
import type { JobSettings } from '#jobs/plan.ts';
import type { ConversionStatistics, TaskSpec } from '#link/messages.ts';
import { fileKind } from '#media/outputs.ts';
import { isImage } from '#media/picture-path.ts';
import type { RenditionRequest } from '#media/rendition-request.ts';
import { systemClock } from '#util/clock.ts';
import type { Engine } from './engine.ts';

type ConvertSpec = Extract<TaskSpec, { kind: 'convert' }>;

/** What goes into one file. */
interface Making {
  readonly url: string;
  readonly video?: RenditionRequest | 'none' | undefined;
  readonly audio?: RenditionRequest | 'none' | undefined;
}

/**
 * What can be made without a clock: everything of a file that goes into files only. Undefined where something of the job
 * is not a file (a picture has no end, and a folder is several files), or where FFmpeg is to find out what is wrong.
 */
export async function conversionsOf(
  entry: JobEntry,
  settings: JobSettings,
): Promise<ConvertSpec[] | undefined> {
  const makings = makingsOf(settings);
  if (!makings || entry.loop || entry.type === 'merge') return undefined;
  const input = entry.input.url;
  if (sourceKind(input) !== 'path' || isImage(input)) return undefined;
  if ((await stat(input).catch(() => undefined))?.isDirectory() !== false) return undefined;
  const overwritten = addressesOf(entry).flatMap(({ address }) =>
    'existing' in address && address.existing === 'overwrite' ? [address.url] : [],
  );
  const specs = makings.flatMap(({ url, video, audio }): ConvertSpec[] => {
    const container = pathOfOutput(url) === undefined ? undefined : fileKind(url);
    if (container === undefined) return [];
    const overwrite = overwritten.includes(url) ? ({ overwrite: true } as const) : {};
    const output = { container, path: url, ...overwrite };
    return [{ kind: 'convert', input, output, ...(video && { video }), ...(audio && { audio }) }];
  });
  return specs.length === makings.length ? specs : undefined;
}

function makingsOf(job: JobSettings): Making[] | undefined {
  switch (job.type) {
    case 'push':
    case 'transcode': {
      const { video, audio } = job.type === 'transcode' ? job : {};
      const wishes = { video: job.noVideo ? 'none' : video, audio: job.noAudio ? 'none' : audio } as const;
      return [{ url: job.output.url, ...wishes }];
    }
    case 'split':
      return [
        { url: job.video.url, audio: 'none' },
        { url: job.audio.url, video: 'none' },
      ];
    case 'relay':
      return job.outputs.map(({ url }) => ({ url }));
    case 'merge':
      return undefined;
  }
}

type Output = JobStatus['outputs'][number];

/** Makes files of a file, as fast as it goes; seen from outside it is a job. */
export class FileConversion implements AsyncDisposable {
  readonly #name: string;
  readonly #type: JobSettings['type'];
  readonly #input: string;
  readonly #log = new JobLog(systemClock);
  readonly #parts: { output: Output; statistics: ConversionStatistics | undefined }[];
  readonly #tasks: readonly { readonly id: string; stop(): Promise<void> }[];
  readonly #onState: () => void;
  readonly #since = systemClock.now();
  readonly #forget: () => void;
  #stopped: string | undefined;

  constructor(
    { name, type }: Pick<JobSettings, 'name' | 'type'>,
    specs: readonly ConvertSpec[],
    { workers }: Pick<Engine, 'workers'>,
    onState: () => void,
  ) {
    this.#name = name;
    this.#type = type;
    this.#input = specs[0]?.input ?? '';
    this.#onState = onState;
    this.#parts = specs.map(({ output: { path } }) => ({
      output: { url: path, state: 'starting', bytesSent: 0, drops: 0 },
      statistics: undefined,
    }));
    this.#tasks = specs.map((spec, at) =>
      workers.pool.start({
        ...{ role: 'pipeline', affinity: spec.output.path, restart: false, spec },
        onState: (status) => this.#changed(at, status),
      }),
    );
    this.#forget = workers.link.events.on('statistics', (worker, id, epoch, statistics) => {
      const part = this.#parts[this.#tasks.findIndex((task) => task.id === id)];
      if (part && workers.pool.accepts(worker, id, epoch))
        part.statistics = statistics as ConversionStatistics;
    });
  }

  get over(): boolean {
    return this.#parts.every(({ output }) => output.state === 'failed' || output.state === 'done');
  }

  get status(): JobStatus {
    const outputs = this.#parts.map(({ output, statistics }) => ({
      ...output,
      bytesSent: statistics?.bytesSent ?? 0,
    }));
    const failed = outputs.filter(({ state }) => state === 'failed');
    const first = failed.length === outputs.length ? failed[0] : undefined;
    const about = {
      name: this.#name,
      type: this.#type,
      since: this.#since,
      log: this.#log.lines,
      progress: this.#progress,
      inputs: [{ url: this.#input, state: this.over ? 'done' : 'running' } as const],
      outputs,
    };
    if (first) {
      const { reason = '', code } = first;
      return { ...about, state: 'failed', reason, ...(code === undefined ? {} : { code }) };
    }
    if (this.over) return { ...about, state: 'stopped', reason: this.#stopped ?? 'The input has ended.' };
    const isRunning = outputs.some(({ state }) => state === 'running');
    return { ...about, state: isRunning ? 'running' : 'starting' };
  }

  /** What is there by now is completed. Idempotent. */
  async stop(reason: string): Promise<void> {
    this.#stopped ??= reason;
    await Promise.all(this.#tasks.map((task) => task.stop()));
    this.#forget();
    for (const part of this.#parts) {
      if (part.output.state !== 'failed') part.output = { ...part.output, state: 'done' };
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop('The conversion was stopped.');
  }

  /** The slowest of them decides how far it is; what flows is of all together. */
  get #progress(): JobStatus['progress'] {
    const known = this.#parts.flatMap(({ statistics }) => statistics ?? []);
    const sum = (of: (one: ConversionStatistics) => number) => known.reduce((all, one) => all + of(one), 0);
    const least = (of: (one: ConversionStatistics) => number) =>
      known.length === 0 ? 0 : Math.min(...known.map(of));
    const durations = known.flatMap(({ durationMs }) => durationMs ?? []);
    return {
      timeMs: least(({ timeMs }) => timeMs),
      ...(durations.length > 0 && { durationMs: Math.max(...durations) }),
      speed: Math.round(least(({ speed }) => speed) * 100) / 100,
      fps: Math.round(sum(({ fps }) => fps) * 10) / 10,
      bitRate: sum(({ bitRate }) => bitRate),
      drops: 0,
      bytesSent: sum(({ bytesSent }) => bytesSent),
    };
  }

  #changed(
    at: number,
    { state, reason, code }: { readonly state: string; readonly reason?: string; readonly code?: string },
  ): void {
    const part = this.#parts[at];
    if (!part) return;
    const { url } = part.output;
    if (state === 'running') part.output = { ...part.output, state: 'running' };
    if (state === 'done' || state === 'stopped') part.output = { ...part.output, state: 'done' };
    if (state === 'failed') {
      const why = reason ?? 'Its worker ended.';
      const named = code === undefined ? {} : { code };
      part.output = { ...part.output, state: 'failed', reason: why, ...named };
      this.#log.add(url, 'error', why);
    }
    this.#onState();
  }
}
