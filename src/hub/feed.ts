import type { AccessUnit } from '#media/access-unit.ts';
import type { Clock } from '#util/clock.ts';
import type { Chunk } from './chunk.ts';
import type { Reader } from './reader.ts';

export type { Chunk } from './chunk.ts';

/** Writes access units in one wire format. It belongs to one feed and sees every unit of the feed's tracks, in order. */
export interface FeedWriter {
  /** Gives out the unit's bytes by `emit`, in zero, one or several chunks. */
  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void;
  /**
   * Bytes that a new reader gets after the latest `config` and before any media, made for the moment of joining
   * (sender reports).
   */
  greeting?(): readonly Buffer[];
  /** The last reader is gone. */
  close?(): void;
}

export interface FeedLimits {
  /** Bytes of pictures kept since the last keyframe; over it a new reader waits for the next keyframe. */
  readonly gopBytes: number;
  /** The same as a number of pictures. */
  readonly gopUnits: number;
}

export const defaultFeedLimits: FeedLimits = { gopBytes: 16 << 20, gopUnits: 1000 };

/**
 * From so many readers on, sound waits for the picture that follows it, so that both leave in one write: nine tenths
 * of what a reader costs is the system call, and of three calls two are for sound.
 */
const COALESCE_READERS = 64;
/** Longest time that sound waits for a picture, ms: as long as it takes from one to the next at 25 per second. */
const COALESCE_MS = 40;

/** One stream in one wire format, and its readers. It lives from its first reader to its last. */
export class Feed {
  readonly key: string;
  /** Ids of the tracks whose units the writer gets. */
  readonly tracks: ReadonlySet<number>;
  readonly writer: FeedWriter;
  readonly readers = new Set<Reader>();
  readonly #limits: FeedLimits;
  readonly #clock: Clock;
  readonly #onEmpty: () => void;
  readonly #onSkip: () => void;
  readonly #onReader: (reader: Reader, joined: boolean) => void;
  #config: Chunk | undefined;
  /** Video chunks since the last keyframe; empty until one came, and when they grew over the limits. */
  #gop: Chunk[] = [];
  #gopBytes = 0;
  /** Sound that waits for a picture, see {@link COALESCE_READERS}. */
  #waiting: Chunk[] = [];
  #cancelWait: (() => void) | undefined;
  #closed = false;

  constructor(options: {
    key: string;
    tracks: Iterable<number>;
    writer: FeedWriter;
    limits: FeedLimits;
    clock: Clock;
    onEmpty: () => void;
    onSkip: () => void;
    /** A reader came (`joined`), or left. */
    onReader: (reader: Reader, joined: boolean) => void;
  }) {
    this.key = options.key;
    this.tracks = new Set(options.tracks);
    this.writer = options.writer;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#onEmpty = options.onEmpty;
    this.#onSkip = options.onSkip;
    this.#onReader = options.onReader;
  }

  write(unit: AccessUnit): void {
    this.writer.write(unit, this.#emit);
  }

  /**
   * Adds a reader: it gets the configuration, the greeting and the pictures since the last keyframe at once, then
   * everything that comes. Sound starts at the live edge.
   */
  attach(reader: Reader): void {
    if (this.readers.has(reader)) return;
    // What waits is for those who were here before.
    this.#flush();
    reader.onSkip = this.#onSkip;
    if (this.#config) reader.offer(this.#config);
    for (const bytes of this.writer.greeting?.() ?? []) {
      reader.offer({ bytes, track: -1, kind: 'config', keyframe: true });
    }
    for (const chunk of this.#gop) reader.offer(chunk);
    this.readers.add(reader);
    this.#onReader(reader, true);
  }

  /** Gives a reader that lost its way the pictures since the last keyframe again; false where none are kept. */
  replay(reader: Reader): boolean {
    if (!this.readers.has(reader) || this.#gop.length === 0) return false;
    this.#flush();
    for (const chunk of this.#gop) reader.offer(chunk);
    return true;
  }

  /** Removes a reader; the feed ends with its last one. */
  detach(reader: Reader): void {
    if (!this.readers.delete(reader)) return;
    this.#onReader(reader, false);
    if (this.readers.size === 0) this.#onEmpty();
  }

  /** Gives all readers bytes that belong to no access unit (sender reports, notices). */
  broadcast(bytes: Buffer): void {
    this.#flush();
    const chunk: Chunk = { bytes, track: -1, kind: 'config', keyframe: true };
    for (const reader of this.readers) reader.offer(chunk);
  }

  /** Closes every reader with the reason. Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelWait?.();
    this.#waiting = [];
    for (const reader of [...this.readers]) {
      reader.close(reason);
      if (this.readers.delete(reader)) this.#onReader(reader, false);
    }
    this.#gop = [];
    this.writer.close?.();
  }

  readonly #emit = (chunk: Chunk): void => {
    this.#remember(chunk);
    const waits = chunk.kind === 'audio' && this.#gop.length > 0 && this.readers.size >= COALESCE_READERS;
    if (waits) {
      this.#waiting.push(chunk);
      this.#cancelWait ??= this.#clock.after(COALESCE_MS, () => this.#flush());
    } else if (this.#waiting.length > 0) {
      this.#waiting.push(chunk);
      this.#flush();
    } else {
      for (const reader of this.readers) reader.offer(chunk);
    }
  };

  /** Gives out what waits, to each reader in one write. */
  #flush(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    const chunks = this.#waiting;
    if (chunks.length === 0) return;
    this.#waiting = [];
    const bytes = Buffer.concat(chunks.map((chunk) => chunk.bytes));
    for (const reader of this.readers) reader.offerTogether(chunks, bytes);
  }

  #remember(chunk: Chunk): void {
    if (chunk.kind === 'config') {
      this.#config = chunk;
      this.#forget();
    } else if (chunk.kind === 'video') {
      if (chunk.keyframe) this.#forget();
      else if (this.#gop.length === 0) return;
      this.#gop.push(chunk);
      this.#gopBytes += chunk.bytes.length;
      if (this.#gopBytes > this.#limits.gopBytes || this.#gop.length > this.#limits.gopUnits) this.#forget();
    }
  }

  #forget(): void {
    this.#gop = [];
    this.#gopBytes = 0;
  }
}
