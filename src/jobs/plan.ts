import type { CompositionPart, CompositionSpec } from '#hub/composition.ts';
import type { RenditionRequest } from '#hub/rendition.ts';
import { fittedWish, outputKind } from '#media/outputs.ts';
import { isFileAddress } from '#sinks/file/forward.ts';
import type { ForwardSettings } from '#sinks/forward.ts';
import type { NamelessSource, SourceSettings } from '#sources/configured.ts';
import { NamedError } from '#util/named-error.ts';

/** What a job is to do, in words that know neither the configuration nor the command line. */
export type JobSettings =
  | ({ readonly type: 'push'; readonly input: JobInput; readonly output: JobOutput } & Kinds & Common)
  | ({
      readonly type: 'split';
      readonly input: JobInput;
      readonly video: JobOutput;
      readonly audio: JobOutput;
    } & Common)
  | ({
      readonly type: 'merge';
      readonly video: JobInput;
      readonly audio: JobInput;
      readonly output: JobOutput;
      /** Added to the capture times of the sound. */
      readonly offsetMs: number;
    } & Common)
  | ({ readonly type: 'relay'; readonly input: JobInput; readonly outputs: readonly JobOutput[] } & Common)
  | ({
      readonly type: 'transcode';
      readonly input: JobInput;
      readonly output: JobOutput;
      /** Undefined: copied. */
      readonly video: RenditionRequest | undefined;
      readonly audio: RenditionRequest | undefined;
    } & Kinds &
      Common);

export type JobType = JobSettings['type'];

interface Common {
  /** One segment of a stream's name. */
  readonly name: string;
}

interface Kinds {
  readonly noVideo: boolean;
  readonly noAudio: boolean;
}

/** Where media come from: a stream of this server, which is read as it is, or a source of the job's own. */
export type JobInput =
  | { readonly kind: 'stream'; readonly stream: string }
  | { readonly kind: 'source'; readonly source: NamelessSource };

/** Where media go. */
export type JobOutput = Omit<ForwardSettings, 'stream'>;

/** So long one of two that are merged waits for the other before it goes alone. */
const MERGE_MS = 10_000;

/** How a job is done on a hub: sources that publish, streams put together from what there is, and forwards of those. */
export interface JobPlan {
  readonly name: string;
  readonly type: JobType;
  /** Sources of the job's own; each publishes the stream of its settings. */
  readonly sources: readonly SourceSettings[];
  /** Streams of this server that it reads. */
  readonly reads: readonly string[];
  readonly compositions: readonly CompositionSpec[];
  readonly outputs: readonly ForwardSettings[];
  /** It makes a file another one, and nothing of that flows through the hub: all else is empty. */
  readonly conversion?: ConversionWish;
}

/** A file that is to be made another one, as fast as that goes. */
export interface ConversionWish {
  readonly input: Extract<JobInput, { readonly kind: 'source' }>['source'] & { readonly kind: 'file' };
  readonly output: JobOutput;
  /** Undefined: copied. */
  readonly video: RenditionRequest | 'none' | undefined;
  readonly audio: RenditionRequest | 'none' | undefined;
}

/**
 * How a job is done. Its own streams are `jobs/<name>`, what goes out, and below it what comes in or is one part of it.
 * Where nothing has to be chosen or made, what comes in is what goes out.
 * @throws NamedError CODEC_UNSUPPORTED where the output cannot carry what is to be made
 */
export function planJob(asked: JobSettings): JobPlan {
  const job = fitted(asked);
  const whole = jobStream(job.name);
  const plan = { name: job.name, type: job.type };
  switch (job.type) {
    case 'relay': {
      const input = comingFrom(job.input, whole);
      return { ...plan, ...input.needs, compositions: [], outputs: job.outputs.map(to(input.stream)) };
    }
    case 'split': {
      const input = comingFrom(job.input, jobStream(job.name, 'in'));
      const part = (kind: 'video' | 'audio') => ({
        name: jobStream(job.name, kind),
        parts: [{ stream: input.stream, kind }],
      });
      const [video, audio] = [part('video'), part('audio')];
      return {
        ...plan,
        ...input.needs,
        compositions: [video, audio],
        outputs: [to(video.name)(job.video), to(audio.name)(job.audio)],
      };
    }
    case 'merge': {
      const video = comingFrom(job.video, jobStream(job.name, 'video'));
      const audio = comingFrom(job.audio, jobStream(job.name, 'audio'));
      const offset = job.offsetMs === 0 ? {} : { offsetMs: job.offsetMs };
      return {
        ...plan,
        sources: [...video.needs.sources, ...audio.needs.sources],
        reads: [...new Set([...video.needs.reads, ...audio.needs.reads])],
        compositions: [
          {
            name: whole,
            beginMs: MERGE_MS,
            parts: [
              { stream: video.stream, kind: 'video' },
              { stream: audio.stream, kind: 'audio', ...offset },
            ],
          },
        ],
        outputs: [to(whole)(job.output)],
      };
    }
    case 'push':
    case 'transcode': {
      const { input, output } = job;
      const conversion = conversionOf(job);
      if (conversion) return { ...plan, sources: [], reads: [], compositions: [], outputs: [], conversion };
      const chosen = chosenPart(job);
      if (!chosen) {
        const { stream, needs } = comingFrom(input, whole);
        return { ...plan, ...needs, compositions: [], outputs: [to(stream)(output)] };
      }
      const { stream, needs } = comingFrom(input, jobStream(job.name, 'in'));
      const compositions = [{ name: whole, parts: [{ stream, ...chosen }] }];
      return { ...plan, ...needs, compositions, outputs: [to(whole)(output)] };
    }
  }
}

/** The job with what its output demands of what is made, such as a sample rate. */
function fitted(job: JobSettings): JobSettings {
  if (job.type !== 'transcode') return job;
  const { output, video, audio } = job;
  const kind = outputKind(output.url);
  const fit = (wish: RenditionRequest | undefined) => {
    if (!kind || !wish) return wish;
    try {
      return fittedWish(kind, wish);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new NamedError('CODEC_UNSUPPORTED', error.message, 415, { cause: error });
    }
  };
  return { ...job, video: job.noVideo ? undefined : fit(video), audio: job.noAudio ? undefined : fit(audio) };
}

/** Pictures have no end, so there is no file that they could become. */
const PICTURE = /\.(?:jpe?g|png|webp|bmp|gif|tiff?)$/i;

/** What is to be made of a file where that becomes another one; undefined where time, or a stream, is in it. */
function conversionOf(job: Extract<JobSettings, { type: 'push' | 'transcode' }>): ConversionWish | undefined {
  const { input, output, noVideo, noAudio } = job;
  if (input.kind !== 'source' || !isFileAddress(output.url)) return undefined;
  const { source } = input;
  // What has no ending is a folder, whose files follow each other.
  if (source.kind !== 'file' || source.loop || PICTURE.test(source.path)) return undefined;
  if (!/[^/\\]\.[^./\\]+$/.test(source.path)) return undefined;
  const { video, audio } = job.type === 'transcode' ? job : {};
  return { input: source, output, video: noVideo ? 'none' : video, audio: noAudio ? 'none' : audio };
}

/** The name of a stream of a job: what goes out, or a part of it. */
export function jobStream(job: string, part?: 'in' | 'video' | 'audio'): string {
  return `jobs/${job}${part === undefined ? '' : `/${part}`}`;
}

/** What is taken of the input, and made of it; undefined where that is all of it, as it is. */
function chosenPart(
  job: Extract<JobSettings, { type: 'push' | 'transcode' }>,
): Omit<CompositionPart, 'stream'> | undefined {
  const { noVideo, noAudio } = job;
  const kind = noVideo ? 'audio' : noAudio ? 'video' : undefined;
  const wanted = job.type === 'transcode' ? job : undefined;
  const video = noVideo ? undefined : wanted?.video;
  const audio = noAudio ? undefined : wanted?.audio;
  if (!kind && !video && !audio) return undefined;
  return {
    ...(kind && { kind }),
    ...((video || audio) && { rendition: { ...(video && { video }), ...(audio && { audio }) } }),
  };
}

/** The stream that an input is found in, and what has to be there for it. A source of the job's own is given this name. */
function comingFrom(
  input: JobInput,
  name: string,
): { readonly stream: string; readonly needs: Pick<JobPlan, 'sources' | 'reads'> } {
  if (input.kind === 'stream') return { stream: input.stream, needs: { sources: [], reads: [input.stream] } };
  return { stream: name, needs: { sources: [{ ...input.source, stream: name }], reads: [] } };
}

function to(stream: string): (output: JobOutput) => ForwardSettings {
  return (output) => ({ ...output, stream });
}
