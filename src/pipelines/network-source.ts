import type { TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { Input, type InputPacket, type InputStream } from './av/input.ts';
import { AvError } from './av/library.ts';
import { guardedWay, openWay } from './network-way.ts';
import { publishing } from './publish.ts';
import { toTicks } from './rational.ts';
import { type PacketReader, type Piece, packetReader } from './source-format.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';
import { WrappedTicks } from './wrapped-ticks.ts';

type NetworkSourceSpec = Extract<TaskSpec, { kind: 'network-source' }>;

/** FFmpeg waits for ever by itself. So long it may take to say what is in the stream … */
const OPEN_MS = 15_000;
/** … and so long nothing may come; segments of HLS are up to ten seconds long. */
const SILENCE_MS = 20_000;
/**
 * So far ahead of time media may come: servers send what they have since a keyframe, and HLS comes in whole segments;
 * what is further ahead is not live but a file, and has to wait.
 */
const AHEAD_MS = 12_000;

/**
 * Publishes a live stream that FFmpeg takes in (HLS, HTTP-FLV, MPEG-TS over HTTP, SRT or UDP) with its own timestamps,
 * until it ends; then the task fails, and is begun anew after a back-off.
 *
 * @throws {NamedError} INPUT_UNREACHABLE, INPUT_NO_TRACK, INPUT_TIMEOUT, INPUT_ENDED, SOURCE_FORBIDDEN, or
 *   PUBLICATION_ENDED when the hub ended it
 */
export async function runNetworkSource(spec: NetworkSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const shown = maskAddress(spec.url);
  using silence = new Silence(shown);
  const signal = AbortSignal.any([context.signal, silence.signal]);
  await using way = spec.guard ? await guardedWay(spec.url, spec.guard) : openWay(spec.url);
  try {
    silence.expect(OPEN_MS);
    await using input = await Input.open(way.url, {
      signal,
      options: {
        ...way.options,
        // Two seconds of a stream show what is in it; every second more is one that viewers wait.
        analyzeduration: 2_000_000,
      },
    });
    const lanes = lanesOf(input.streams);
    if (lanes.length === 0) throw noTrack(shown, input);
    input.select(lanes.map(({ stream }) => stream.index));
    const ended = 'The server ended the stream.';
    const tracks = lanes.map(({ reader }) => reader.track);
    await publishing(context, spec.stream, tracks, ended, async (publication, stop) => {
      const live = new LiveUnits(lanes);
      while (!stop.aborted) {
        silence.expect(SILENCE_MS);
        const packet = await input.read();
        if (!packet) throw new NamedError('INPUT_ENDED', `${shown} ended the stream.`, 502);
        for (const unit of live.take(packet, Date.now())) publication.write(unit);
        silence.expect(undefined);
        const ahead = live.aheadMs(Date.now()) - AHEAD_MS;
        if (ahead > 0) await sleep(ahead, stop);
        await context.link.drained();
      }
    });
    return { reason: 'Stopped.' };
  } catch (error) {
    if (way.refusal) throw way.refusal;
    if (silence.error && !context.signal.aborted) throw silence.error;
    if (!(error instanceof AvError)) throw error;
    const reason = error.message.replace(/\.$/, '');
    const message = `${shown} cannot be taken in: ${reason}. Check the address, and that the server sends H.264 or H.265.`;
    throw new NamedError('INPUT_UNREACHABLE', message, 502, { cause: error });
  }
}

interface Lane {
  readonly stream: InputStream;
  readonly reader: PacketReader;
  readonly ticks: WrappedTicks;
}

/** The first video and the first audio that can be streamed. */
function lanesOf(streams: readonly InputStream[]): Lane[] {
  const lanes: Lane[] = [];
  for (const kind of ['video', 'audio'] as const) {
    for (const stream of streams) {
      const reader = stream.kind === kind ? packetReader(stream, lanes.length) : undefined;
      if (!reader) continue;
      lanes.push({ stream, reader, ticks: new WrappedTicks(stream.timeBase) });
      break;
    }
  }
  return lanes;
}

/**
 * Turns packets into access units. All tracks of a connection have one clock, that of the container, so one mapping
 * gives all of them their capture time: they stay as far apart as their timestamps say.
 */
class LiveUnits {
  readonly #lanes: readonly Lane[];
  readonly #clock = new StreamClock().track(0, 90_000);
  #first: { readonly at: number; readonly ticks: number } | undefined;
  #latest = 0;

  constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes;
  }

  /** @param now wall clock, ms since 1970 */
  take(packet: InputPacket, now: number): AccessUnit[] {
    const lane = this.#lanes.find(({ stream }) => stream.index === packet.stream);
    if (!lane) return [];
    const base = lane.stream.timeBase;
    const dts = lane.ticks.unwrap(packet.dts);
    const pts = lane.ticks.beside(packet.pts);
    const ticks = Number(toTicks(pts, base, 90_000));
    this.#first ??= { at: now, ticks };
    this.#latest = ticks;
    const ntp = this.#clock.captureAt(ticks, now);
    const keyframe = packet.keyframe || lane.stream.kind === 'audio';
    return lane.reader.read(packet.data, packet.keyframe).map((piece: Piece) => {
      const { track, offset, payload } = piece;
      const at = Number(toTicks(pts, base, track.clockRate)) + offset;
      const decoded = Math.min(at, Number(toTicks(dts, base, track.clockRate)) + offset);
      return {
        track,
        pts: at,
        dts: decoded,
        keyframe,
        ntp: ntp + (offset / track.clockRate) * 1000,
        payload,
      };
    });
  }

  /** How far the media are ahead of the time that passed since the first of them came. */
  aheadMs(now: number): number {
    const { at, ticks } = this.#first ?? { at: now, ticks: this.#latest };
    return (this.#latest - ticks) / 90 - (now - at);
  }
}

/** Ends what waits too long for the network. */
class Silence implements Disposable {
  readonly #abort = new AbortController();
  readonly #shown: string;
  #timer: NodeJS.Timeout | undefined;
  error: NamedError | undefined;

  /** @param shown the address, for the error */
  constructor(shown: string) {
    this.#shown = shown;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Something has to come within so many ms; undefined: nothing is waited for. */
  expect(ms: number | undefined): void {
    clearTimeout(this.#timer);
    if (ms === undefined) return;
    this.#timer = setTimeout(() => {
      const message = `Nothing came from ${this.#shown} for ${ms / 1000} s. Check that it sends, and that the network lets it through.`;
      this.error = new NamedError('INPUT_TIMEOUT', message, 504);
      this.#abort.abort(this.error);
    }, ms);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

function noTrack(shown: string, input: Input): NamedError {
  const found = input.streams.map(({ codecName, kind }) => `${codecName} (${kind})`).join(', ') || 'nothing';
  const message = `${shown} has no track that can be streamed: it holds ${found}. Usable are H.264 and H.265 video, and AAC, Opus, MP3, PCMA and PCMU audio.`;
  return new NamedError('INPUT_NO_TRACK', message, 422);
}
