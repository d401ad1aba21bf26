import { joinAnnexB } from '#codecs/nal.ts';
import type { SinkStatistics, TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { type FileKind, refusal } from '#media/outputs.ts';
import { Timeline } from '#media/timeline.ts';
import { isVideo, type Track } from '#media/track.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { AvError } from './av/library.ts';
import { MediaOutput } from './av/media-output.ts';
import { discardFile, fileTrouble, openFileOutput } from './file-output.ts';
import { guardedTarget } from './network-way.ts';
import { SinkQueue } from './sink-queue.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

type MuxedSinkSpec = Extract<TaskSpec, { kind: 'muxed-sink' }>;

/** So long one call of FFmpeg may take: connecting, or writing one picture. */
const CALL_MS = 10_000;
/** So long FFmpeg may take to notice that it was interrupted; then only the end of the process helps. */
const INTERRUPT_MS = 2000;
const REPORT_MS = 500;
/** Files whose index FFmpeg keeps in memory until their end, about 20 MB for an hour; so long one may be, ms. */
const INDEXED: ReadonlySet<FileKind> = new Set(['mp4', 'mov', 'm4a']);
const LONGEST_MS = 6 * 3_600_000;

/**
 * Packs a stream and writes it to an address or into a file, copied and with the timestamps of its picture; the sound
 * lies where its capture time puts it. A file begins at zero, with a keyframe. Ends when the stream ends, has other
 * tracks, or the other side is lost.
 *
 * @throws {NamedError} CODEC_UNSUPPORTED, FORWARD_UNREACHABLE, FORWARD_STALLED, SOURCE_FORBIDDEN, FILE_EXISTS,
 *   FILE_NOT_WRITABLE, FILE_DISK_FULL
 */
export async function runMuxedSink(spec: MuxedSinkSpec, context: TaskContext): Promise<TaskOutcome> {
  return new MuxedSink(spec, context).run();
}

class MuxedSink {
  readonly #spec: MuxedSinkSpec;
  readonly #context: TaskContext;
  /** The address or the path, for sentences. */
  readonly #shown: string;
  /** Aborts the call of FFmpeg that is under way. */
  readonly #abort = new AbortController();
  #tracks: readonly Track[] | undefined;
  #queue: SinkQueue | undefined;
  #wake = Promise.withResolvers<void>();
  #end: string | undefined;
  /** Of the picture when the header was written. */
  #size: string | undefined;

  constructor(spec: MuxedSinkSpec, context: TaskContext) {
    this.#spec = spec;
    this.#context = context;
    this.#shown = 'url' in spec.to ? maskAddress(spec.to.url) : `"${spec.to.path}"`;
  }

  async run(): Promise<TaskOutcome> {
    const { link, signal } = this.#context;
    const stop = () => this.#finish('Stopped.');
    signal.addEventListener('abort', stop, { once: true });
    const subscription = link.subscribe(
      this.#spec.stream,
      {
        tracks: (tracks) => this.#described(tracks),
        unit: (unit) => {
          this.#queue?.push(unit);
          this.#signal();
        },
        end: (reason) => this.#finish(reason),
      },
      { tracks: this.#spec.tracks },
    );
    try {
      // A file is begun with the first keyframe, which says what stands in front of it.
      const isReady = () => this.#tracks && ('url' in this.#spec.to || this.#queue?.isEmpty === false);
      while (!isReady() && this.#end === undefined) await this.#wake.promise;
      if (isReady() && this.#tracks) await this.#send(this.#tracks);
      return { reason: this.#end ?? 'Stopped.' };
    } catch (error) {
      throw this.#trouble(error);
    } finally {
      signal.removeEventListener('abort', stop);
      subscription.close();
    }
  }

  #trouble(error: unknown): unknown {
    const { to } = this.#spec;
    if (!('url' in to)) return fileTrouble(to.path, error);
    if (!(error instanceof AvError)) return error;
    const why = error.message.replace(/\.$/, '');
    const sentence = `${this.#shown} does not take the stream: ${why}. Check address and port, and that somebody listens there.`;
    return new NamedError('FORWARD_UNREACHABLE', sentence, 502, { cause: error });
  }

  /** The tracks, at the beginning and whenever a format changed. */
  #described(all: readonly Track[]): void {
    const { to } = this.#spec;
    const kind = 'url' in to ? 'mpegts' : to.container;
    const tracks = all.filter((track) => refusal(kind, track) === undefined);
    const ids = (some: readonly Track[]) => some.map(({ id }) => id).join();
    if (!this.#tracks) {
      this.#queue = new SinkQueue(tracks.some(isVideo));
    } else if (ids(tracks) !== ids(this.#tracks)) {
      // The header has named the others.
      this.#finish('The stream has other tracks now.');
      return;
    } else if (this.#size !== undefined && !('url' in to) && sizeOf(tracks) !== this.#size) {
      this.#finish('The picture has another size now.');
      return;
    }
    this.#tracks = tracks;
    this.#signal();
  }

  async #send(tracks: readonly Track[]): Promise<void> {
    const { stream: name, to } = this.#spec;
    if (tracks.length === 0) {
      const what = 'url' in to ? 'MPEG-TS' : `a file of the kind ${to.container}`;
      const sentence = `The stream "${name}" has no track that ${what} can carry.`;
      throw new NamedError('CODEC_UNSUPPORTED', sentence, 415);
    }
    this.#size = sizeOf(tracks);
    const output = await this.#open(tracks);
    const writer = new Writer(tracks, { fromZero: !('url' in to) });
    let reported = -1;
    // Told by a clock of its own: what was written last is told as well when nothing follows.
    const reports = setInterval(() => {
      if (writer.written === reported) return;
      reported = writer.written;
      this.#report(bytes, writer);
    }, REPORT_MS);
    let { bytes } = output;
    try {
      this.#context.state('running');
      while (this.#goesOn) {
        const unit = this.#queue?.shift();
        if (!unit) {
          await this.#wake.promise;
          continue;
        }
        if (this.#isLongEnough(unit, writer)) {
          this.#finish('The file is as long as one may be, 6 hours; what follows goes into another.');
          break;
        }
        const packet = writer.packet(unit);
        if (!packet) continue;
        await this.#within(output.write(packet));
        ({ bytes } = output);
      }
    } catch (error) {
      // What is wrong was said; a file is completed as far as that goes.
      await this.#within(output.close()).catch(() => {});
      throw error;
    } finally {
      clearInterval(reports);
    }
    const closed = this.#within(output.close());
    // What is wrong with a connection by now was said before; a file has to be complete.
    await ('url' in to ? closed.catch(() => {}) : closed);
    this.#report(output.bytes, writer);
    if (!('url' in to) && writer.written === 0) await discardFile(to.path);
  }

  /** False when it is over: at once where it was stopped, and else when everything that waits was written. */
  get #goesOn(): boolean {
    if (this.#end === undefined) return true;
    const isCutOff = this.#context.signal.aborted && 'url' in this.#spec.to;
    return !isCutOff && this.#queue?.isEmpty === false;
  }

  /** Another file begins with this unit. */
  #isLongEnough({ track, keyframe }: AccessUnit, { timeMs }: Writer): boolean {
    const { to } = this.#spec;
    if ('url' in to || !INDEXED.has(to.container) || timeMs < LONGEST_MS) return false;
    return keyframe && (isVideo(track) || !this.#tracks?.some(isVideo));
  }

  async #open(tracks: readonly Track[]): Promise<MediaOutput> {
    const { to } = this.#spec;
    const { signal } = this.#abort;
    if (!('url' in to)) return this.#within(openFileOutput(to, tracks, signal));
    const url = to.guard ? await this.#within(guardedTarget(to.url)) : to.url;
    return this.#within(MediaOutput.open({ kind: 'network', url: withDefaults(url) }, tracks, signal));
  }

  /** Bounds a call of FFmpeg. One that does not even let itself be interrupted takes the process with it. */
  async #within<T>(call: Promise<T>): Promise<T> {
    let stalled: NamedError | undefined;
    let last: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      const sentence = `${this.#shown} took nothing for ${CALL_MS / 1000} s.`;
      stalled = new NamedError('FORWARD_STALLED', sentence, 504);
      this.#abort.abort(stalled);
      last = setTimeout(() => {
        this.#context.log('error', `${sentence} FFmpeg hangs in it, so this worker ends.`);
        process.kill(process.pid, 'SIGKILL');
      }, INTERRUPT_MS);
    }, CALL_MS);
    try {
      return await call;
    } catch (error) {
      throw stalled ?? error;
    } finally {
      clearTimeout(timer);
      clearTimeout(last);
    }
  }

  #report(bytesSent: number, { timeMs }: Writer): void {
    const { link, task } = this.#context;
    const { id, epoch } = task;
    const statistics: SinkStatistics = { bytesSent, timeMs, dropped: this.#queue?.dropped ?? 0 };
    link.send({ type: 'task.statistics', task: id, epoch, statistics });
  }

  #finish(reason: string): void {
    this.#end ??= reason;
    this.#signal();
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** Puts units on the one clock of a container. */
class Writer {
  written = 0;
  /** From the first unit to the last. */
  timeMs = 0;
  #first: number | undefined;
  readonly #tracks: readonly Track[];
  readonly #timeline: Timeline;
  /** Taken off all times, seconds; undefined until the first unit of a file. */
  #origin: number | undefined;

  /** @param options `fromZero`: the first unit is at zero */
  constructor(tracks: readonly Track[], { fromZero }: { readonly fromZero: boolean }) {
    this.#tracks = tracks;
    this.#timeline = new Timeline(tracks);
    if (!fromZero) this.#origin = 0;
  }

  /** Undefined for what lies before the beginning, or while the picture has not shown where the clock stands. */
  packet(unit: AccessUnit) {
    const { track, keyframe } = unit;
    const stream = this.#tracks.findIndex(({ id }) => id === track.id);
    const placed = stream < 0 ? undefined : this.#timeline.place(unit);
    if (!placed) return undefined;
    this.#origin ??= placed.dts / track.clockRate;
    const shift = Math.round(this.#origin * track.clockRate);
    const dts = placed.dts - shift;
    if (shift !== 0 && dts < 0) return undefined;
    this.written++;
    const time = (placed.dts / track.clockRate) * 1000;
    this.#first ??= time;
    this.timeMs = Math.max(this.timeMs, Math.round(time - this.#first));
    return { stream, pts: placed.pts - shift, dts, keyframe, data: dataOf(unit) };
  }
}

function sizeOf(tracks: readonly Track[]): string {
  return tracks
    .map(({ format }) => (format.kind === 'video' ? `${format.width}x${format.height}` : ''))
    .join();
}

/** The bytes of a unit as FFmpeg takes them. */
export function dataOf({ track, payload }: Pick<AccessUnit, 'track' | 'payload'>): Buffer {
  if (track.format.codec === 'h264' || track.format.codec === 'h265') return joinAnnexB(payload);
  return payload.length === 1 ? (payload[0] ?? Buffer.alloc(0)) : Buffer.concat(payload);
}

/**
 * The address with what FFmpeg does not do by itself, unless it says otherwise: datagrams of whole packets of the
 * transport stream, as receivers expect them (7 × 188 bytes); and over SRT an end of the patience with who takes nothing.
 */
function withDefaults(url: string): string {
  const [name, value] = /^udp:/i.test(url) ? ['pkt_size', 1316] : ['timeout', CALL_MS * 1000];
  if (new RegExp(`[?&]${name}=`, 'i').test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${name}=${value}`;
}
