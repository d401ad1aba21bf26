import type { TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { Input, type InputPacket, type InputStream } from './av/input.ts';
import { AvError, HTTP_ERRORS } from './av/library.ts';
import { MotionJpeg } from './motion-jpeg.ts';
import { guardedWay, openWay } from './network-way.ts';
import { publishing } from './publish.ts';
import { toTicks } from './rational.ts';
import { type PacketReader, type Piece, packetReader, USABLE_AUDIO, USABLE_VIDEO } from './source-format.ts';
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
 * until it ends; then the task fails, and is begun anew after a back-off. A camera that sends JPEGs one behind the other
 * over HTTP is published as H.264 (`motion-jpeg.ts`).
 *
 * @throws {NamedError} INPUT_UNREACHABLE, INPUT_UNAUTHORIZED, INPUT_MISSING, INPUT_NO_TRACK, INPUT_TIMEOUT, INPUT_ENDED,
 *   INPUT_CERTIFICATE_REFUSED, SOURCE_FORBIDDEN, or PUBLICATION_ENDED when the hub ended it
 */
export async function runNetworkSource(spec: NetworkSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const shown = maskAddress(spec.url);
  using silence = new Silence(shown);
  const signal = AbortSignal.any([context.signal, silence.signal]);
  const { url, trust = {} } = spec;
  await using way = spec.guard ? await guardedWay(url, { trust }) : await openWay(url, trust);
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
    const jpeg = input.streams.find(({ codecName }) => codecName === 'mjpeg');
    if (lanes.length > 0) await publishPackets(input, lanes, spec.stream, silence, context);
    else if (jpeg) await publishMotionJpeg(input, jpeg.index, spec.stream, silence, context);
    else throw noTrack(shown, input);
    return { reason: 'Stopped.' };
  } catch (error) {
    if (way.refusal) throw way.refusal;
    if (silence.error && !context.signal.aborted) throw silence.error;
    throw error instanceof AvError ? refusal(shown, error) : error;
  }
}

const ENDED = 'The server ended the stream.';

/** Publishes the media as they come. */
async function publishPackets(
  input: Input,
  lanes: readonly Lane[],
  stream: string,
  silence: Silence,
  context: TaskContext,
): Promise<void> {
  input.select(lanes.map((lane) => lane.stream.index));
  const tracks = lanes.map(({ reader }) => reader.track);
  await publishing(context, stream, tracks, ENDED, async (publication, stop) => {
    const live = new LiveUnits(lanes);
    while (!stop.aborted) {
      silence.expect(SILENCE_MS);
      const packet = await input.read();
      if (!packet) throw silence.ended();
      for (const unit of live.take(packet, Date.now())) publication.write(unit);
      silence.expect(undefined);
      const ahead = live.aheadMs(Date.now()) - AHEAD_MS;
      if (ahead > 0) await sleep(ahead, stop);
      await context.link.drained();
    }
  });
}

/** Publishes the pictures of a camera that sends JPEGs as H.264. */
async function publishMotionJpeg(
  input: Input,
  index: number,
  stream: string,
  silence: Silence,
  context: TaskContext,
): Promise<void> {
  await using pictures = await input.pictures(index);
  const motion = await MotionJpeg.open(pictures);
  if (!motion) throw silence.ended();
  try {
    await publishing(context, stream, [motion.track], ENDED, async (publication, stop) => {
      do {
        await context.link.drained();
        if (stop.aborted) return;
        silence.expect(SILENCE_MS);
      } while (await motion.write(publication));
      if (!stop.aborted) throw silence.ended();
    });
  } finally {
    motion.close();
  }
}

/** What FFmpeg met, in words that say what to do. */
function refusal(shown: string, error: AvError): NamedError {
  const cause = { cause: error };
  switch (error.code) {
    case HTTP_ERRORS.unauthorized:
    case HTTP_ERRORS.forbidden: {
      const message = `${shown} wants a user and a password, or not those it was given. Write them as http://user:password@host; in them, / and @ are %2F and %40.`;
      return new NamedError('INPUT_UNAUTHORIZED', message, 401, cause);
    }
    case HTTP_ERRORS.notFound: {
      const message = `${shown}: the server says that there is nothing at this address (404). Check the path.`;
      return new NamedError('INPUT_MISSING', message, 404, cause);
    }
    default: {
      const reason = error.message.replace(/\.$/, '');
      const message = `${shown} cannot be taken in: ${reason}. Check the address, and that the server sends ${USABLE_VIDEO} video, or JPEGs.`;
      return new NamedError('INPUT_UNREACHABLE', message, 502, cause);
    }
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

  /** The error of a server that sends no more. */
  ended(): NamedError {
    return new NamedError('INPUT_ENDED', `${this.#shown} ended the stream.`, 502);
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
  const message = `${shown} has no track that can be streamed: it holds ${found}. Usable are ${USABLE_VIDEO} video, JPEGs, and ${USABLE_AUDIO} audio.`;
  return new NamedError('INPUT_NO_TRACK', message, 422);
}
