import type { ProbeReport, TaskSpec } from '#link/client.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { Input, InputPacket, InputStream } from './av/input.ts';
import { AvError } from './av/library.ts';
import { openFile, unreadable } from './open-file.ts';
import { packetReader } from './source-format.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

type ProbeSpec = Extract<TaskSpec, { kind: 'probe' }>;

/** How long a probe may take in all. */
const LIMIT_MS = 10_000;
/** So much media is read to see how far keyframes are apart and how many bits flow. */
const SAMPLE_SECONDS = 10;
const SAMPLE_PACKETS = 2000;

/**
 * Opens a file and reports what is in it.
 *
 * @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE, or INPUT_TIMEOUT when reading it takes too long
 */
export async function runProbe(spec: ProbeSpec, context: TaskContext): Promise<TaskOutcome> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  try {
    await using input = await openFile(spec.input, AbortSignal.any([context.signal, limit]));
    context.state('running');
    const sample = new Sample(input.streams);
    while (!sample.isEnough) {
      const packet = await input.read();
      if (!packet) break;
      sample.add(packet);
    }
    return { report: report(input, sample) };
  } catch (error) {
    if (limit.aborted) {
      const message = `"${spec.input}" could not be read within ${LIMIT_MS / 1000} s. Check the disk it is on.`;
      throw new NamedError('INPUT_TIMEOUT', message, 504, { cause: error });
    }
    throw error instanceof AvError ? unreadable(spec.input, error.message.replace(/\.$/, ''), error) : error;
  }
}

/** The first seconds of an input. */
class Sample {
  readonly #streams: readonly InputStream[];
  readonly #lanes = new Map<number, { bytes: number; first: number; last: number; keyframes: number[] }>();
  #packets = 0;
  #seconds = 0;

  constructor(streams: readonly InputStream[]) {
    this.#streams = streams;
  }

  get isEnough(): boolean {
    return this.#packets >= SAMPLE_PACKETS || this.#seconds >= SAMPLE_SECONDS;
  }

  add(packet: InputPacket): void {
    const stream = this.#streams.find(({ index }) => index === packet.stream);
    if (!stream) return;
    const time = (Number(packet.dts) * Number(stream.timeBase.num)) / Number(stream.timeBase.den);
    const lane = this.#lanes.get(packet.stream) ?? { bytes: 0, first: time, last: time, keyframes: [] };
    this.#lanes.set(packet.stream, lane);
    lane.bytes += packet.data.length;
    lane.last = time;
    if (packet.keyframe) lane.keyframes.push(time);
    this.#packets++;
    this.#seconds = Math.max(this.#seconds, time - lane.first);
  }

  /** Bits per second; undefined where too little was seen. */
  bitRate(index: number): number | undefined {
    const lane = this.#lanes.get(index);
    const seconds = lane ? lane.last - lane.first : 0;
    return lane && seconds >= 0.5 ? Math.round((lane.bytes * 8) / seconds) : undefined;
  }

  /** Seconds from keyframe to keyframe on average; undefined where not two were seen. */
  keyframeInterval(index: number): number | undefined {
    const times = this.#lanes.get(index)?.keyframes ?? [];
    const first = times[0];
    const last = times.at(-1);
    if (first === undefined || last === undefined || times.length < 2) return undefined;
    return round((last - first) / (times.length - 1));
  }
}

function report(input: Input, sample: Sample): ProbeReport {
  return {
    container: input.container,
    ...(input.duration === undefined ? {} : { duration: round(input.duration) }),
    tracks: input.streams.map((stream) => {
      const track = packetReader(stream, 0)?.track;
      const bitrate = stream.bitRate || sample.bitRate(stream.index);
      const common = {
        kind: stream.kind,
        codec: stream.codec ?? stream.codecName,
        ...(track && codecString(track) ? { codecString: codecString(track) } : {}),
        ...(bitrate ? { bitrate } : {}),
      };
      if (stream.kind === 'audio') {
        return { ...common, sampleRate: stream.sampleRate, channels: stream.channels };
      }
      if (stream.kind !== 'video') return common;
      const keyframeInterval = sample.keyframeInterval(stream.index);
      return {
        ...common,
        width: stream.width,
        height: stream.height,
        ...(stream.fps > 0 ? { fps: round(stream.fps) } : {}),
        ...(keyframeInterval ? { keyframeInterval } : {}),
      };
    }),
  };
}

function codecString({ format }: Track): string {
  return format.kind === 'data' ? '' : format.codecString;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
