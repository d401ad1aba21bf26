import type { AccessUnit } from '#media/access-unit.ts';
import { Timeline } from '#media/timeline.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import { writeCaptureTime } from './capture-time.ts';
import { FlvTagType, isKnown, metadataBody, sequenceHeader, type TagBody, unitBody } from './write.ts';

/** Writes one tag in a wire format. */
export type TagFraming = (type: number, timestamp: number, body: TagBody) => Buffer;

/** What the writer gives out: what a reader must have first (`config`), one unit, or when it was captured (`data`). */
export interface FlvChunk {
  readonly bytes: Buffer;
  /** `Track.id`; -1 for `config`. */
  readonly track: number;
  readonly kind: 'config' | 'video' | 'audio' | 'data';
  readonly keyframe: boolean;
}

/** Largest composition time that 24 bits with a sign can say, ms. */
const LONGEST_COMPOSITION = 0x7fffff;
/** The capture time is said anew after so many ms, or where it is so many ms from what was said. */
const SAY_EVERY = 5000;
const SAY_ERROR = 5;

/** How it is said when units were captured, for another Sluice. */
export interface SaidClock {
  /** Name of the clock, asked each time. */
  readonly name: () => string;
  readonly frame: TagFraming;
}

/** A timestamp, and the capture at it, both ms. */
interface Position {
  readonly timestamp: number;
  readonly ntp: number;
}

/**
 * Writes access units as FLV tags, in the framing of FLV or of RTMP: `onMetaData` and sequence headers before the first
 * keyframe and again where a format has changed, then one tag a unit.
 *
 * FLV has one clock of milliseconds for everything. It is that of the first video track, counted from the first
 * keyframe that was written; sound is put beside it by the capture clocks (`Timeline`). Sound begins with the picture.
 */
export class FlvWriter {
  readonly #timeline: Timeline;
  readonly #frame: TagFraming;
  readonly #tracks: Map<number, Track>;
  readonly #hasVideo: boolean;
  readonly #described = new Map<number, Track['format']>();
  /** Where the clock of the lead track stood at 0 ms. */
  #origin: number | undefined;
  #last = 0;
  readonly #clock: SaidClock | undefined;
  #position: Position | undefined;
  #said: Position | undefined;

  /**
   * @param tracks at least one, of formats that `unsupportedInFlv` lets pass
   * @param clock without it nothing is said of when units were captured
   */
  constructor(tracks: readonly Track[], frame: TagFraming, clock?: SaidClock) {
    this.#timeline = new Timeline(tracks);
    this.#frame = frame;
    this.#clock = clock;
    this.#tracks = new Map(tracks.map((track) => [track.id, track]));
    this.#hasVideo = tracks.some(isVideo);
  }

  /** Gives out no, one or two chunks. Units of other tracks are ignored. */
  write(unit: AccessUnit, emit: (chunk: FlvChunk) => void): void {
    const { track } = unit;
    if (!this.#tracks.has(track.id)) return;
    this.#tracks.set(track.id, track);
    const place = this.#timeline.place(unit);
    if (!place) return;
    const startsHere = isVideo(track) ? unit.keyframe : !this.#hasVideo;
    const seconds = place.dts / track.clockRate;
    if (startsHere && this.#isStale() && !this.#describe(seconds, emit)) return;
    if (this.#origin === undefined || this.#described.get(track.id) !== track.format) return;
    const timestamp = Math.round((seconds - this.#origin) * 1000);
    const composition = Math.round((place.pts / track.clockRate - this.#origin) * 1000) - timestamp;
    if (timestamp < 0 || composition > LONGEST_COMPOSITION) return;
    const body = unitBody(unit, Math.max(composition, 0));
    if (!body) return;
    this.#last = timestamp;
    if (track.id === this.#timeline.lead.id) this.#say({ timestamp, ntp: unit.ntp - composition }, emit);
    const kind = isAudio(track) ? 'audio' : 'video';
    const bytes = this.#frame(FlvTagType[kind], timestamp, body);
    emit({ bytes, track: track.id, kind, keyframe: unit.keyframe });
  }

  /** Whoever begins to read is told at once. */
  greeting(): readonly Buffer[] {
    const bytes = this.#position && this.#captureTime(this.#position);
    return bytes ? [bytes] : [];
  }

  #say(position: Position, emit: (chunk: FlvChunk) => void): void {
    this.#position = position;
    const said = this.#said;
    const passed = said && position.timestamp - said.timestamp;
    const isTrue = said && Math.abs(position.ntp - said.ntp - (passed ?? 0)) < SAY_ERROR;
    if (passed !== undefined && passed < SAY_EVERY && isTrue) return;
    this.#said = position;
    const bytes = this.#captureTime(position);
    if (bytes) emit({ bytes, track: this.#timeline.lead.id, kind: 'data', keyframe: true });
  }

  #captureTime({ timestamp, ntp }: Position): Buffer | undefined {
    const clock = this.#clock;
    return clock?.frame(FlvTagType.script, timestamp, [writeCaptureTime(clock.name(), ntp)]);
  }

  #isStale(): boolean {
    return [...this.#tracks.values()].some(({ id, format }) => this.#described.get(id) !== format);
  }

  /** Says what comes; false while a track has not shown its parameters. */
  #describe(seconds: number, emit: (chunk: FlvChunk) => void): boolean {
    const tracks = [...this.#tracks.values()];
    if (!tracks.every(isKnown)) return false;
    this.#origin ??= seconds;
    const time = Math.max(0, Math.round((seconds - this.#origin) * 1000), this.#last);
    const parts = [this.#frame(FlvTagType.script, time, metadataBody(tracks))];
    for (const track of tracks) {
      const header = sequenceHeader(track);
      const type = isVideo(track) ? FlvTagType.video : FlvTagType.audio;
      if (header) parts.push(this.#frame(type, time, header));
      this.#described.set(track.id, track.format);
    }
    emit({ bytes: Buffer.concat(parts), track: -1, kind: 'config', keyframe: true });
    return true;
  }
}
