import type { Init, Part, SegmentSink } from '#containers/fmp4/segment-writer.ts';
import type { PlaylistPart, PlaylistSegment, PlaylistView } from './playlist.ts';

/** What is kept of a stream in bytes, as a multiple of the largest segment. */
const BUDGET_SEGMENTS = 4;
/** Complete segments that are never given up early, so that a player can go on. */
const FEWEST_SEGMENTS = 2;
/** PART-TARGET is so much more than the longest part, so that a picture that is a little late does not change it. */
const PART_MARGIN = 1.1;

interface StoredPart extends PlaylistPart {
  readonly bytes: Buffer;
}

interface StoredSegment extends PlaylistSegment {
  readonly parts: StoredPart[];
  duration: number;
  size: number;
  pictures: number;
  complete: boolean;
  discontinuity: boolean;
}

interface StoredInit {
  readonly name: string;
  readonly init: Init;
}

export interface SegmentListOptions {
  /** Makes names unique: another list has another one. */
  readonly id: string;
  /** Media sequence number of the first segment, and the discontinuity sequence number it begins with. */
  readonly firstSequence: number;
  readonly firstDiscontinuity: number;
  /** Segments in the playlist. */
  readonly segmentCount: number;
  /** Shortest segment, in seconds, and the largest, in bytes. */
  readonly segmentSeconds: number;
  readonly segmentMaxBytes: number;
  /** Something new can be fetched. */
  readonly onChange: () => void;
}

/**
 * The segments of one stream in memory: those that the playlist has, and for as long as RFC 8216 §6.2.2 wants it those
 * that it had. A segment has no bytes of its own: it is its parts, one after the other.
 */
export class SegmentList implements SegmentSink {
  readonly #options: SegmentListOptions;
  #segments: StoredSegment[] = [];
  #inits: StoredInit[] = [];
  #next: number;
  #discontinuities: number;
  #bytes = 0;
  #targetDuration: number;
  #partTarget = 0;
  /** Index in `#segments` of the first one in the playlist. */
  #firstListed = 0;

  constructor(options: SegmentListOptions) {
    this.#options = options;
    this.#next = options.firstSequence;
    this.#discontinuities = options.firstDiscontinuity;
    this.#targetDuration = Math.ceil(options.segmentSeconds);
  }

  begin(start: { readonly ntp: number; readonly init: Init; readonly discontinuity: boolean }): void {
    const known = this.#inits.at(-1);
    const same = known?.init === start.init;
    const name = same ? known.name : `${this.#options.id}-init${this.#next}.mp4`;
    if (!same) {
      this.#inits.push({ name, init: start.init });
      this.#bytes += start.init.bytes.length;
    }
    const sequence = this.#next++;
    this.#segments.push({
      sequence,
      name: `${this.#options.id}-${sequence}.m4s`,
      init: name,
      ntp: start.ntp,
      discontinuity: this.#segments.length > 0 && (start.discontinuity || !same),
      parts: [],
      duration: 0,
      size: 0,
      pictures: 0,
      complete: false,
    });
    if (this.#segments.at(-1)!.discontinuity) this.#discontinuities++;
  }

  part({ bytes, duration, independent, pictures }: Part): void {
    const segment = this.#segments.at(-1)!;
    const name = `${this.#options.id}-${segment.sequence}.${segment.parts.length}.m4s`;
    segment.parts.push({ name, bytes, duration, independent });
    segment.duration += duration;
    segment.size += bytes.length;
    segment.pictures += pictures;
    this.#bytes += bytes.length;
    // A segment that is longer than any before shows only now: this number grows, and never shrinks.
    this.#targetDuration = Math.max(this.#targetDuration, Math.round(segment.duration));
    if (duration > this.#partTarget) this.#partTarget = roundUp(duration * PART_MARGIN);
    this.#keepBudget();
    this.#options.onChange();
  }

  end(): void {
    const segment = this.#segments.at(-1)!;
    segment.complete = true;
    this.#expire();
    this.#fitPartTarget();
    this.#options.onChange();
  }

  /** What the playlist shows; undefined while there is no complete segment. */
  get view(): PlaylistView | undefined {
    const segments = this.#segments.slice(this.#firstListed);
    if (!segments[0]?.complete) return undefined;
    const after = segments.filter(({ discontinuity }) => discontinuity).length;
    return {
      segments,
      next: this.#next,
      targetDuration: this.#targetDuration,
      partTarget: this.#partTarget,
      // Of the first one listed: its own discontinuity is in the playlist.
      discontinuitySequence: this.#discontinuities - after,
    };
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The number that follows all discontinuities of this list. */
  get nextDiscontinuity(): number {
    return this.#discontinuities + 1;
  }

  get init(): Init | undefined {
    return this.#inits.at(-1)?.init;
  }

  /** The bytes of a file, in pieces; undefined where there is none of that name, `coming` where there will be soon. */
  file(name: string): readonly Buffer[] | 'coming' | undefined {
    if (name === this.hint) return 'coming';
    const init = this.#inits.find((one) => one.name === name);
    if (init) return [init.init.bytes];
    for (const segment of this.#segments) {
      if (segment.name === name)
        return segment.complete ? segment.parts.map(({ bytes }) => bytes) : undefined;
      const part = segment.parts.find((one) => one.name === name);
      if (part) return [part.bytes];
    }
    return undefined;
  }

  /** Name of the part that comes next. */
  get hint(): string {
    const last = this.#segments.at(-1);
    const open = last && !last.complete;
    return `${this.#options.id}-${open ? last.sequence : this.#next}.${open ? last.parts.length : 0}.m4s`;
  }

  /** Whether the playlist has that part, or, without one, that segment (RFC 8216bis §6.2.5.2). */
  has(sequence: number, part: number | undefined): boolean {
    const last = this.#segments.at(-1);
    if (!last || sequence > last.sequence) return false;
    if (sequence < last.sequence || last.complete) {
      const segment = this.#segments.find((one) => one.sequence === sequence);
      // A part behind the last one of a segment is the first of the next.
      if (part === undefined || !segment || part < segment.parts.length) return true;
      return this.#segments.some((one) => one.sequence === sequence + 1 && one.parts.length > 0);
    }
    return part !== undefined && part < last.parts.length;
  }

  /** Takes segments out of the playlist, and out of memory once nobody may still ask for them. */
  #expire(): void {
    const complete = this.#segments.filter((segment) => segment.complete).length;
    this.#firstListed = Math.max(this.#firstListed, complete - this.#options.segmentCount);
    // As many again: the length of a playlist and of a segment.
    const kept = this.#options.segmentCount + 1;
    while (this.#firstListed > kept) this.#dropFirst();
  }

  #keepBudget(): void {
    const budget = BUDGET_SEGMENTS * this.#options.segmentMaxBytes;
    while (this.#bytes > budget && this.#segments.length > FEWEST_SEGMENTS + 1) this.#dropFirst();
  }

  #dropFirst(): void {
    const segment = this.#segments.shift()!;
    this.#bytes -= segment.size;
    this.#firstListed = Math.max(0, this.#firstListed - 1);
    const used = new Set(this.#segments.map(({ init }) => init));
    const [gone, left] = [
      this.#inits.filter(({ name }) => !used.has(name)),
      this.#inits.filter(({ name }) => used.has(name)),
    ];
    this.#inits = left;
    for (const { init } of gone) this.#bytes -= init.bytes.length;
  }

  /** Parts that are all much shorter than they may be break the rule of 85 %: the longest is not there any more. */
  #fitPartTarget(): void {
    const parts = this.#segments.slice(this.#firstListed).flatMap((segment) => segment.parts);
    const longest = Math.max(...parts.map(({ duration }) => duration));
    if (longest * PART_MARGIN < this.#partTarget * 0.95) this.#partTarget = roundUp(longest * PART_MARGIN);
  }
}

/** To milliseconds. */
function roundUp(seconds: number): number {
  return Math.ceil(seconds * 1000) / 1000;
}
