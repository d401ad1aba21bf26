import { realpath } from 'node:fs/promises';
import type { TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { payloadSize } from '#media/access-unit.ts';
import { OUTPUTS, requestFor } from '#media/outputs.ts';
import { makesPictures, type RenditionRequest } from '#media/rendition-request.ts';
import { isVideo, type Track } from '#media/track.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { MediaOutput } from './av/media-output.ts';
import { isPath, openConversionInput } from './conversion-input.ts';
import { ConversionProgress } from './conversion-progress.ts';
import type { Converter } from './converter.ts';
import { converterFor } from './converters.ts';
import { discardFile, fileTrouble, openFileOutput } from './file-output.ts';
import type { FileUnit } from './file-reader.ts';
import { dataOf } from './muxed-sink.ts';
import { unreadable } from './open-file.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

type ConvertSpec = Extract<TaskSpec, { kind: 'convert' }>;

/** What may wait for the first unit of a track that shows nothing; then the file is begun without it. */
const MAX_WAITING_BYTES = 64 << 20;

/** One track of the input on its way into the file. */
interface Lane {
  readonly converter: Converter | undefined;
  /** As it goes into the file; known with its first unit. */
  track: Track | undefined;
  /** Its place in the file; undefined before the header is written, and for what came too late for it. */
  place: number | undefined;
}

/**
 * Makes a file another one as fast as it goes: what can stay is copied, the rest decoded and encoded, one unit after the
 * other, so that what is slowest sets the pace and little is in memory. Times are those of the input from its first unit
 * on. Stopped, the file is completed with what it has.
 *
 * @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE, INPUT_NO_TRACK, INPUT_ENDLESS, CODEC_UNSUPPORTED, RENDITION_UNSUPPORTED,
 *   ENCODER_MISSING, FILE_EXISTS, FILE_NOT_WRITABLE, FILE_DISK_FULL
 */
export async function runConvert(spec: ConvertSpec, context: TaskContext): Promise<TaskOutcome> {
  const { signal } = context;
  await using input = await openConversionInput(spec, context);
  if (isPath(spec.input)) await refuseItself(spec);
  const first = await input.next();
  if (!first) throw unreadable(spec.input, 'there is not one picture or sound in it');
  const conversion = new FileConversion(spec, context, input.tracks, input.duration);
  try {
    context.state('running');
    const end = await conversion.run(first, () => input.next());
    return { reason: signal.aborted ? 'Stopped.' : end };
  } finally {
    await conversion.close();
  }
}

class FileConversion {
  readonly #spec: ConvertSpec;
  readonly #context: TaskContext;
  readonly #lanes: ReadonlyMap<number, Lane>;
  readonly #progress: ConversionProgress;
  #output: MediaOutput | undefined;
  #closed = false;
  /** Units that wait for the header. */
  #waiting: { readonly lane: Lane; readonly unit: AccessUnit }[] = [];
  #waitingBytes = 0;
  /** Of the first unit of the input, seconds. */
  #origin = 0;

  /** @throws {NamedError} CODEC_UNSUPPORTED, RENDITION_UNSUPPORTED */
  constructor(
    spec: ConvertSpec,
    context: TaskContext,
    tracks: readonly Track[],
    seconds: number | undefined,
  ) {
    this.#spec = spec;
    this.#context = context;
    const whole = Math.min(seconds ?? Number.POSITIVE_INFINITY, spec.seconds ?? Number.POSITIVE_INFINITY);
    this.#progress = new ConversionProgress(Number.isFinite(whole) ? whole * 1000 : undefined);
    this.#lanes = new Map(tracks.flatMap((track) => this.#laneFor(track)));
    if (this.#lanes.size === 0) {
      const { name } = OUTPUTS[spec.output.container];
      const sentence = `Nothing of "${spec.input}" is left for "${spec.output.path}": ${name} carries none of what it has.`;
      throw new NamedError('CODEC_UNSUPPORTED', sentence, 415);
    }
  }

  /** Resolves with why it ended by itself. */
  async run(first: FileUnit, next: () => Promise<FileUnit | undefined>): Promise<string> {
    const { signal } = this.#context;
    this.#origin = first.dts / first.track.clockRate;
    const end = this.#origin + (this.#spec.seconds ?? Number.POSITIVE_INFINITY);
    let reason = 'The file is at its end.';
    for (let unit: FileUnit | undefined = first; unit && !signal.aborted; unit = await next()) {
      if (unit.dts / unit.track.clockRate >= end) {
        reason = `So much was asked for: ${this.#spec.seconds} s.`;
        break;
      }
      await this.#take({ ...unit, ntp: (unit.pts / unit.track.clockRate) * 1000 });
    }
    for (const lane of this.#lanes.values()) {
      for (const made of (await lane.converter?.finish()) ?? []) await this.#put(lane, made);
    }
    if (!this.#output) await this.#begin();
    await this.#complete();
    return reason;
  }

  /** Idempotent. What was not completed is closed as it is. */
  async close(): Promise<void> {
    for (const { converter } of this.#lanes.values()) converter?.close();
    if (this.#closed) return;
    this.#closed = true;
    await this.#output?.close().catch(() => {});
  }

  #laneFor(track: Track): (readonly [number, Lane])[] {
    const { container, path } = this.#spec.output;
    const { kind } = track.format;
    const wish = kind === 'data' ? 'none' : this.#spec[kind];
    if (wish === 'none' || kind === 'data') return [];
    if (!wish && OUTPUTS[container][kind].length === 0) {
      const what = kind === 'video' ? 'picture' : 'sound';
      this.#context.log('info', `The ${what} is left out: ${OUTPUTS[container].name} carries none.`);
      return [];
    }
    let request: RenditionRequest | undefined;
    try {
      request = requestFor(container, track, wish);
    } catch (error) {
      throw new NamedError('CODEC_UNSUPPORTED', `"${path}": ${messageOf(error)}`, 415);
    }
    if (request && makesPictures(request.codec) !== (kind === 'video')) {
      const sentence = `The ${kind} of "${this.#spec.input}" cannot be made ${request.codec}.`;
      throw new NamedError('RENDITION_UNSUPPORTED', sentence, 415);
    }
    const { log } = this.#context;
    const converter =
      request && converterFor({ of: this.#spec.input, id: track.id, request, pace: 'file', log });
    return [[track.id, { converter, track: undefined, place: undefined }]];
  }

  async #take(unit: AccessUnit): Promise<void> {
    const lane = this.#lanes.get(unit.track.id);
    if (!lane) return;
    const made = lane.converter ? await lane.converter.convert(unit, false, undefined) : [unit];
    for (const one of made) await this.#put(lane, one);
  }

  async #put(lane: Lane, unit: AccessUnit): Promise<void> {
    if (this.#output) return this.#write(lane, unit);
    lane.track ??= unit.track;
    this.#waiting.push({ lane, unit });
    this.#waitingBytes += payloadSize(unit);
    const isComplete = [...this.#lanes.values()].every(({ track }) => track !== undefined);
    if (isComplete || this.#waitingBytes > MAX_WAITING_BYTES) await this.#begin();
  }

  /** Writes the header, and what has waited for it. */
  async #begin(): Promise<void> {
    const lanes = [...this.#lanes.values()].filter(({ track }) => track !== undefined);
    if (lanes.length === 0) return;
    if (lanes.length < this.#lanes.size) {
      this.#context.log('warn', `A track of "${this.#spec.input}" is left out: nothing of it came.`);
    }
    for (const [place, lane] of lanes.entries()) lane.place = place;
    const tracks = lanes.flatMap(({ track }) => track ?? []);
    const { signal } = new AbortController();
    this.#output = await openFileOutput(this.#spec.output, tracks, signal, { interleave: true });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { lane, unit } of waiting) await this.#write(lane, unit);
  }

  async #write({ place }: Lane, unit: AccessUnit): Promise<void> {
    const { track, keyframe } = unit;
    if (place === undefined || !this.#output) return;
    const shift = Math.round(this.#origin * track.clockRate);
    const dts = unit.dts - shift;
    // Sound that an encoder puts in front of the first.
    if (dts < 0) return;
    const packet = { stream: place, pts: unit.pts - shift, dts, keyframe, data: dataOf(unit) };
    await this.#writing(this.#output.write(packet));
    this.#progress.note((dts / track.clockRate) * 1000, isVideo(track));
    this.#report(this.#output, false);
  }

  async #complete(): Promise<void> {
    const output = this.#output;
    if (!output) return;
    this.#closed = true;
    await this.#writing(output.close());
    this.#report(output, true);
    if (this.#progress.isEmpty) await discardFile(this.#spec.output.path);
  }

  /** What goes wrong in it has to do with the file, and not with what is made. */
  async #writing(call: Promise<void>): Promise<void> {
    try {
      await call;
    } catch (error) {
      throw fileTrouble(this.#spec.output.path, error);
    }
  }

  #report(output: MediaOutput, isLast: boolean): void {
    const statistics = this.#progress.statistics(performance.now(), () => output.bytes, isLast);
    if (!statistics) return;
    const { link, task } = this.#context;
    link.send({ type: 'task.statistics', task: task.id, epoch: task.epoch, statistics });
  }
}

/** A file that is read must not be written over, whatever was asked for. */
async function refuseItself({ input, output }: ConvertSpec): Promise<void> {
  const [from, to] = await Promise.all([realpath(input), realpath(output.path).catch(() => undefined)]);
  if (from !== to) return;
  const sentence = `"${output.path}" is what is read: it cannot be written over meanwhile. Choose another name.`;
  throw new NamedError('FILE_EXISTS', sentence, 409);
}
