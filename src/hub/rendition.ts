import type { AccessUnit } from '#media/access-unit.ts';
import {
  makesPictures,
  type RenditionCodec,
  type RenditionRequest,
  requestKey,
} from '#media/rendition-request.ts';
import type { Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { FIRST_MADE_ID, MADE_IDS } from './track-table.ts';

export type { RenditionCodec, RenditionRequest } from '#media/rendition-request.ts';

/** How people call it, behind "cannot be turned into". */
const NAMES: Readonly<Record<RenditionCodec, string>> = {
  aac: 'AAC',
  opus: 'Opus',
  mp3: 'MP3',
  pcma: 'G.711 (A-law)',
  pcmu: 'G.711 (µ-law)',
  h264: 'H.264 without B-frames',
  h265: 'H.265',
  mpeg4: 'MPEG-4 part 2',
};

/** So many renditions are known again, by their ids, after nobody held them for a while. */
const REMEMBERED = 256;

/** At most one keyframe request per this many milliseconds goes to the maker of a rendition. */
const KEYFRAME_REQUEST_MS = 500;

/**
 * Starts what makes the rendition (a worker's task) and keeps it going until the returned function ends it. Each attempt
 * that fails is told; `retried` is false where there will be no other. Injected: the hub knows no workers.
 */
export type RenditionStarter = (
  wanted: {
    readonly stream: string;
    readonly track: number;
    /** Of the track that is made. */
    readonly id: number;
    readonly request: RenditionRequest;
  },
  onFailure: (reason: string, more: { readonly retried: boolean }) => void,
) => () => void;

/** One holder's claim on a rendition. */
export interface Rendition {
  /** Of its track, known before that is there. */
  readonly id: number;
  /**
   * The rendition's track, once its maker announced it, be it after attempts that failed; rejected when nothing will
   * come of it any more. Its units then come through the stream's fan-out.
   */
  readonly track: Promise<Track>;
  /** Why the first attempt failed; settles only if it does. */
  readonly trouble: Promise<string>;
  /** Why its maker has given it up, be it after it was there; settles only if it does. */
  readonly failed: Promise<string>;
  /** Gives the claim back; the last one ends the rendition. Idempotent. */
  release(): void;
}

interface Entry {
  readonly of: number;
  readonly id: number;
  readonly request: RenditionRequest;
  holders: number;
  readonly stop: () => void;
  readonly ready: PromiseWithResolvers<Track>;
  readonly trouble: PromiseWithResolvers<string>;
  readonly failed: PromiseWithResolvers<string>;
  /** The track as it was announced last. */
  made: Track | undefined;
  requestKeyframe: (() => void) | undefined;
  lastKeyframeRequest: number;
}

/** The renditions of one stream: made once however many hold them, and only while somebody does (R2). */
export class RenditionSet {
  readonly #stream: string;
  readonly #fanOut: (unit: AccessUnit) => void;
  readonly #start: RenditionStarter | undefined;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** Ids of tracks by what is made from what: one that comes again is the same track to readers. */
  readonly #ids = new Map<string, number>();
  #lastId = MADE_IDS - 1;
  /** By the id of a rendition's track: where its units stand, and whether only a keyframe can go on from there. */
  readonly #positions = new Map<number, { dts: number; needsKeyframe: boolean }>();

  /** @param fanOut where the renditions' units go */
  constructor(
    stream: string,
    fanOut: (unit: AccessUnit) => void,
    start: RenditionStarter | undefined,
    clock: Clock,
  ) {
    this.#stream = stream;
    this.#fanOut = fanOut;
    this.#start = start;
    this.#clock = clock;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Those that are made by now. */
  get tracks(): Track[] {
    return [...this.#entries.values()].flatMap(({ made }) => made ?? []);
  }

  /** Equal requests share one rendition. */
  acquire(trackId: number, wanted: RenditionCodec | RenditionRequest): Rendition {
    const request = typeof wanted === 'string' ? { codec: wanted } : wanted;
    const key = `${trackId}:${requestKey(request)}`;
    const entry = this.#entries.get(key) ?? this.#begin(key, trackId, request);
    entry.holders++;
    let held = true;
    return {
      id: entry.id,
      track: entry.ready.promise,
      trouble: entry.trouble.promise,
      failed: entry.failed.promise,
      release: () => {
        if (!held) return;
        held = false;
        if (--entry.holders === 0) this.#end(key, entry, 'Nobody reads it any more.');
      },
    };
  }

  /** True where one of these tracks is a rendition whose maker can be asked for a keyframe. */
  makes(tracks: Iterable<number>): boolean {
    return this.#askable(tracks).length > 0;
  }

  /**
   * Asks the maker of the rendition that one of these tracks is for a keyframe; throttled. False where none of them is a
   * rendition that can be asked.
   */
  requestKeyframe(tracks: Iterable<number>): boolean {
    const entries = this.#askable(tracks);
    const now = this.#clock.now();
    for (const entry of entries) {
      if (now - entry.lastKeyframeRequest < KEYFRAME_REQUEST_MS) continue;
      entry.lastKeyframeRequest = now;
      entry.requestKeyframe?.();
    }
    return entries.length > 0;
  }

  /**
   * Only for who brings the maker's units in: announces the track of a rendition, and again when its format changed.
   * @param requestKeyframe asks the maker for a keyframe, where it makes pictures
   */
  announce(of: number, track: Track, requestKeyframe?: () => void): void {
    for (const entry of this.#entries.values()) {
      const { id, request } = entry;
      if (entry.of !== of || id !== track.id || request.codec !== track.format.codec) continue;
      entry.made = track;
      entry.requestKeyframe = track.format.kind === 'video' ? requestKeyframe : undefined;
      entry.ready.resolve(track);
    }
  }

  /**
   * Only for who brings the maker's units in. A maker that begins anew begins with the source's last keyframe: what was
   * there already is left out, and the pictures built on it too.
   */
  write(unit: AccessUnit): void {
    if (!this.tracks.some(({ id }) => id === unit.track.id)) return;
    const position = this.#positions.get(unit.track.id);
    if (!position) {
      this.#positions.set(unit.track.id, { dts: unit.dts, needsKeyframe: false });
      return this.#fanOut(unit);
    }
    if (unit.dts <= position.dts || (position.needsKeyframe && !unit.keyframe)) {
      position.needsKeyframe = true;
      this.requestKeyframe([unit.track.id]);
      return;
    }
    position.dts = unit.dts;
    position.needsKeyframe = false;
    this.#fanOut(unit);
  }

  /** Ends the renditions of tracks that are no longer there. */
  keepOnly(tracks: ReadonlySet<number>): void {
    for (const [key, entry] of [...this.#entries]) {
      if (!tracks.has(entry.of)) this.#end(key, entry, 'Its track is gone.');
    }
  }

  close(): void {
    for (const [key, entry] of [...this.#entries]) this.#end(key, entry, 'The stream has ended.');
  }

  #askable(tracks: Iterable<number>): Entry[] {
    const ids = new Set(tracks);
    return [...this.#entries.values()].filter(
      ({ made, requestKeyframe }) => made !== undefined && ids.has(made.id) && requestKeyframe,
    );
  }

  #begin(key: string, of: number, request: RenditionRequest): Entry {
    const id = this.#idOf(key);
    const { codec } = request;
    const ready = Promise.withResolvers<Track>();
    // Whoever holds it looks at the promise; nobody may be there yet when it fails.
    ready.promise.catch(() => {});
    const trouble = Promise.withResolvers<string>();
    const failed = Promise.withResolvers<string>();
    let stop = () => {};
    const fail = (cause: string, { retried }: { readonly retried: boolean }) => {
      const what = makesPictures(codec) ? 'picture' : 'sound';
      const reason = `The ${what} cannot be turned into ${NAMES[codec]}: ${cause}`;
      trouble.resolve(reason);
      if (retried) return;
      failed.resolve(reason);
      ready.reject(new NamedError('RENDITION_FAILED', reason, 503));
      stop();
      stop = () => {};
    };
    if (this.#start) stop = this.#start({ stream: this.#stream, track: of, id, request }, fail);
    else fail('this server has no worker for it.', { retried: false });
    const entry: Entry = {
      ...{ of, id, request, holders: 0, stop: () => stop(), ready, trouble, failed },
      ...{ made: undefined, requestKeyframe: undefined, lastKeyframeRequest: Number.NEGATIVE_INFINITY },
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #idOf(key: string): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const taken = new Set(this.#ids.values());
    do this.#lastId = (this.#lastId + 1) % MADE_IDS;
    while (taken.has(FIRST_MADE_ID + this.#lastId));
    for (const old of this.#ids.keys()) {
      if (this.#ids.size < REMEMBERED) break;
      if (!this.#entries.has(old)) this.#ids.delete(old);
    }
    const id = FIRST_MADE_ID + this.#lastId;
    this.#ids.set(key, id);
    return id;
  }

  #end(key: string, entry: Entry, reason: string): void {
    if (!this.#entries.delete(key)) return;
    if (entry.made !== undefined) this.#positions.delete(entry.made.id);
    entry.ready.reject(new NamedError('RENDITION_FAILED', reason, 503));
    entry.stop();
  }
}
