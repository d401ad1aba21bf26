import { joinAnnexB } from '#codecs/nal.ts';
import type { TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { Timeline } from '#media/timeline.ts';
import { isVideo, type Track } from '#media/track.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { AvError } from './av/library.ts';
import { fitsTransportStream, TransportStreamOutput, TS_CLOCK } from './av/transport-stream-output.ts';
import { guardedTarget } from './network-way.ts';
import { SinkQueue } from './sink-queue.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

type MpegTsSinkSpec = Extract<TaskSpec, { kind: 'mpegts-sink' }>;

/** So long one call of FFmpeg may take: connecting, or writing one picture. */
const CALL_MS = 10_000;
/** So long FFmpeg may take to notice that it was interrupted; then only the end of the process helps. */
const INTERRUPT_MS = 2000;
const REPORT_MS = 1000;

/**
 * Sends a stream as MPEG-TS to an address, copied and with the timestamps of its picture; the sound lies where its
 * capture time puts it. Ends when the stream ends, has other tracks, or the other side is lost.
 *
 * @throws {NamedError} CODEC_UNSUPPORTED, FORWARD_UNREACHABLE, FORWARD_STALLED, SOURCE_FORBIDDEN
 */
export async function runMpegTsSink(spec: MpegTsSinkSpec, context: TaskContext): Promise<TaskOutcome> {
  return new MpegTsSink(spec, context).run();
}

class MpegTsSink {
  readonly #spec: MpegTsSinkSpec;
  readonly #context: TaskContext;
  readonly #shown: string;
  /** Aborts the call of FFmpeg that is under way. */
  readonly #abort = new AbortController();
  #tracks: readonly Track[] | undefined;
  #queue: SinkQueue | undefined;
  #wake = Promise.withResolvers<void>();
  #end: string | undefined;

  constructor(spec: MpegTsSinkSpec, context: TaskContext) {
    this.#spec = spec;
    this.#context = context;
    this.#shown = maskAddress(spec.url);
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
      while (!this.#tracks && this.#end === undefined) await this.#wake.promise;
      if (this.#tracks) await this.#send(this.#tracks);
      return { reason: this.#end ?? 'Stopped.' };
    } catch (error) {
      if (!(error instanceof AvError)) throw error;
      const why = error.message.replace(/\.$/, '');
      const sentence = `${this.#shown} does not take the stream: ${why}. Check address and port, and that somebody listens there.`;
      throw new NamedError('FORWARD_UNREACHABLE', sentence, 502, { cause: error });
    } finally {
      signal.removeEventListener('abort', stop);
      subscription.close();
    }
  }

  /** The tracks, at the beginning and whenever a format changed. */
  #described(all: readonly Track[]): void {
    const tracks = all.filter(fitsTransportStream);
    const ids = (some: readonly Track[]) => some.map(({ id }) => id).join();
    if (!this.#tracks) {
      this.#tracks = tracks;
      this.#queue = new SinkQueue(tracks.some(isVideo));
      this.#signal();
    } else if (ids(tracks) !== ids(this.#tracks)) {
      // The header of the transport stream has named the others.
      this.#finish('The stream has other tracks now.');
    }
  }

  async #send(tracks: readonly Track[]): Promise<void> {
    if (tracks.length === 0) {
      const sentence = `The stream "${this.#spec.stream}" has no track that MPEG-TS can carry.`;
      throw new NamedError('CODEC_UNSUPPORTED', sentence, 415);
    }
    const timeline = new Timeline(tracks);
    const { url, guard } = this.#spec;
    const target = guard ? await this.#within(guardedTarget(url)) : url;
    const output = await this.#within(
      TransportStreamOutput.open(withDefaults(target), tracks, this.#abort.signal),
    );
    const last = new Map<number, number>();
    let reported = 0;
    try {
      this.#context.state('running');
      for (;;) {
        if (this.#end !== undefined) return;
        const unit = this.#queue?.shift();
        if (!unit) {
          await this.#wake.promise;
          continue;
        }
        const stream = tracks.findIndex(({ id }) => id === unit.track.id);
        const times = stream < 0 ? undefined : place(unit, timeline, last.get(stream));
        if (!times) continue;
        last.set(stream, times.dts);
        await this.#within(output.write({ stream, ...times, keyframe: unit.keyframe, data: dataOf(unit) }));
        const now = performance.now();
        if (now - reported < REPORT_MS) continue;
        reported = now;
        this.#report(output.bytes);
      }
    } finally {
      this.#report(output.bytes);
      await this.#within(output.close());
    }
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

  #report(bytesSent: number): void {
    const { link, task } = this.#context;
    const { id, epoch } = task;
    link.send({ type: 'task.statistics', task: id, epoch, statistics: { bytesSent } });
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

/** 90 kHz times on the one clock of the container; undefined while the picture has not shown where that stands. */
function place(
  unit: AccessUnit,
  timeline: Timeline,
  last: number | undefined,
): { pts: number; dts: number } | undefined {
  const placed = timeline.place(unit);
  if (!placed) return undefined;
  const ticks = (time: number) => Math.round((time * TS_CLOCK) / unit.track.clockRate);
  // Where the sound is moved onto the picture's clock, rounding may put two frames on one tick.
  const dts = Math.max(ticks(placed.dts), (last ?? Number.NEGATIVE_INFINITY) + 1);
  return { pts: Math.max(ticks(placed.pts), dts), dts };
}

function dataOf({ track, payload }: AccessUnit): Buffer {
  if (isVideo(track)) return joinAnnexB(payload);
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
