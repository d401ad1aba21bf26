import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import type { Input, InputPacket, InputStream } from './av/input.ts';
import { LoopClock } from './loop.ts';
import { type Rational, toTicks } from './rational.ts';
import { type PacketReader, type Piece, packetReader } from './source-format.ts';

/** An access unit that has no capture time yet. */
export type FileUnit = Omit<AccessUnit, 'ntp'>;

interface Lane {
  readonly stream: InputStream;
  readonly reader: PacketReader;
  readonly isLead: boolean;
  /** Decoding time of the last unit, in its ticks: the next one has to be later. */
  lastDts: number;
  /** The same in seconds: how far this track has been read. */
  horizon: number;
}

interface Waiting {
  readonly unit: FileUnit;
  readonly lane: Lane;
  readonly pass: number;
  /** Decoding time, seconds. */
  readonly time: number;
  /** Where the unit ends within its pass, in ticks of its track. */
  readonly end: number;
  readonly size: number;
}

/** How far ahead of the unit that goes out next the file is read, so that units of all tracks come in order. */
const AHEAD_SECONDS = 1;
/** A second track that lies so far behind the first one has a hole: it is not waited for. */
const HOLE_SECONDS = 3;
const MAX_AHEAD_BYTES = 32 << 20;

/**
 * Reads access units from an input in the order of their decoding times, over and over when looped. Nothing is paced
 * here. Timestamps are the file's own; where a file begins before zero (pictures that are decoded before they are
 * shown), all of them are moved by the same whole number of seconds.
 */
export class FileReader {
  readonly #input: Input;
  readonly #loop: boolean;
  readonly #lanes: readonly Lane[];
  readonly #clock: LoopClock;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #shift: number | undefined;
  #ended = false;

  private constructor(input: Input, lanes: readonly Lane[], lead: Lane, loop: boolean) {
    this.#input = input;
    this.#loop = loop;
    this.#lanes = lanes;
    this.#clock = new LoopClock(lead.stream.timeBase);
  }

  /** Takes the first usable video and the first usable audio stream; undefined when there is neither. */
  static create(input: Input, loop: boolean): FileReader | undefined {
    const lanes: Lane[] = [];
    for (const kind of ['video', 'audio'] as const) {
      for (const stream of input.streams) {
        const reader = stream.kind === kind ? packetReader(stream, lanes.length) : undefined;
        if (!reader) continue;
        const isLead = lanes.length === 0;
        lanes.push({
          stream,
          reader,
          isLead,
          lastDts: Number.NEGATIVE_INFINITY,
          horizon: Number.NEGATIVE_INFINITY,
        });
        break;
      }
    }
    const lead = lanes[0];
    if (!lead) return undefined;
    input.select(lanes.map(({ stream }) => stream.index));
    return new FileReader(input, lanes, lead, loop);
  }

  /** The tracks; complete once the first unit was read, which may tell more of them than the input did. */
  get tracks(): readonly Track[] {
    return this.#lanes.map(({ reader }) => reader.track);
  }

  /** Streams of the input that are not used: a second one of a kind, or a codec that cannot be streamed. */
  get unused(): readonly InputStream[] {
    const used = this.#lanes.map(({ stream }) => stream);
    return this.#input.streams.filter((stream) => stream.kind !== 'data' && !used.includes(stream));
  }

  /** Seconds from zero to the first picture, as the units tell the time; known with the first unit. */
  get startSeconds(): number {
    return this.#clock.start(90_000) / 90_000 + (this.#shift ?? 0);
  }

  /** The next unit; undefined when the file is at its end. */
  async next(): Promise<FileUnit | undefined> {
    for (;;) {
      while (this.#wantsMore()) await this.#readPacket();
      // All that is read ahead at the beginning decides how far before zero the file begins.
      this.#shift ??= Math.ceil(Math.max(0, -Math.min(0, ...this.#queue.map(({ time }) => time))));
      const first = this.#queue.shift();
      if (!first) return undefined;
      this.#queuedBytes -= first.size;
      if (this.#isOutside(first)) continue;
      return finish(first, this.#shift);
    }
  }

  #wantsMore(): boolean {
    if (this.#ended || this.#queuedBytes > MAX_AHEAD_BYTES) return false;
    const head = this.#queue[0];
    if (!head) return true;
    const wanted = head.time + AHEAD_SECONDS;
    const newest = Math.max(...this.#lanes.map(({ horizon }) => horizon));
    return this.#lanes.some(
      (lane) => lane.horizon < wanted && (lane.isLead || newest < head.time + HOLE_SECONDS),
    );
  }

  async #readPacket(): Promise<void> {
    const packet = await this.#input.read();
    if (packet) return this.#take(packet);
    if (this.#loop && this.#clock.next()) return this.#input.rewind();
    this.#ended = true;
  }

  #take(packet: InputPacket): void {
    const lane = this.#lanes.find(({ stream }) => stream.index === packet.stream);
    // Priming of an audio encoder is not to be heard; pictures outside an edit list are shown all the same.
    if (!lane || (packet.discard && lane.stream.kind === 'audio')) return;
    const pieces = lane.reader.read(packet.data, packet.keyframe);
    if (lane.isLead) this.#clock.observe(packet.pts, durationOf(packet, lane.stream, pieces));
    for (const piece of pieces) this.#enqueue(lane, packet, piece);
  }

  #enqueue(lane: Lane, packet: InputPacket, piece: Piece): void {
    const { clockRate } = piece.track;
    const base = lane.stream.timeBase;
    const offset = this.#clock.offset(clockRate);
    const local = Number(toTicks(packet.pts, base, clockRate)) + piece.offset;
    const dts = Number(toTicks(packet.dts, base, clockRate)) + piece.offset + offset;
    const duration = piece.duration || Number(toTicks(packet.duration, base, clockRate));
    const size = piece.payload.reduce((sum, part) => sum + part.length, 0);
    lane.horizon = dts / clockRate;
    const keyframe = packet.keyframe || lane.stream.kind === 'audio';
    const unit = { track: piece.track, pts: local + offset, dts, keyframe, payload: piece.payload };
    const waiting = {
      unit,
      lane,
      pass: this.#clock.pass,
      time: dts / clockRate,
      end: local + duration,
      size,
    };
    let at = this.#queue.length;
    while (at > 0 && this.#queue[at - 1]!.time > waiting.time) at--;
    this.#queue.splice(at, 0, waiting);
    this.#queuedBytes += size;
  }

  /** Sound before the first picture or beyond the seam would overlap with the neighbouring pass. */
  #isOutside({ unit, lane, pass, end }: Waiting): boolean {
    if (!this.#loop || lane.isLead) return false;
    const { clockRate } = unit.track;
    const local = unit.pts - this.#clock.offset(clockRate, pass);
    return local < this.#clock.start(clockRate) || end > this.#clock.end(clockRate);
  }
}

/** The unit with its final times. */
function finish({ unit, lane }: Waiting, shiftSeconds: number): FileUnit {
  const shift = shiftSeconds * unit.track.clockRate;
  // Rounding of coarse time bases and careless muxers may make two units simultaneous: time has to go on.
  const dts = Math.max(unit.dts + shift, lane.lastDts + 1);
  lane.lastDts = dts;
  return { ...unit, dts, pts: Math.max(unit.pts + shift, dts) };
}

function durationOf(packet: InputPacket, stream: InputStream, pieces: readonly Piece[]): bigint {
  if (packet.duration > 0n) return packet.duration;
  const { timeBase, fps } = stream;
  const rate: Rational = { num: timeBase.den, den: timeBase.num };
  if (stream.kind === 'video')
    return fps > 0 ? BigInt(Math.round(Number(rate.num) / Number(rate.den) / fps)) : 1n;
  const samples = pieces.reduce((sum, { duration }) => sum + duration, 0);
  const clockRate = pieces[0]?.track.clockRate ?? 1;
  return BigInt(Math.round((samples / clockRate) * (Number(rate.num) / Number(rate.den))));
}
