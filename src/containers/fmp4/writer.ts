import { parseH264Sps } from '#codecs/h264.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { Timeline } from '#media/timeline.ts';
import { rescale } from '#media/timestamps.ts';
import { isAudio, isVideo, type Track, type VideoTrack } from '#media/track.ts';
import { AudioLane, type EmitRun } from './audio-lane.ts';
import { initSegment } from './init-segment.ts';
import { type Envelope, mediaFragment, noEnvelope, sampleSize, type TrackRun } from './media-fragment.ts';
import { isDescribable } from './sample-entry.ts';
import { isLengthPrefixed, isSampleData, LONGEST_REORDERING, sameFormat } from './track-format.ts';
import { VideoTiming } from './video-timing.ts';

/** What the writer gives out: an initialisation segment (`config`) or one fragment. */
export interface Fmp4Chunk {
  readonly bytes: Buffer;
  /** `Track.id` of the source track; -1 for `config`. */
  readonly track: number;
  readonly kind: 'config' | 'video' | 'audio';
  readonly keyframe: boolean;
}

export interface Fmp4WriterOptions {
  /** Header in front of every fragment; default none. */
  readonly envelope?: Envelope;
  /** Makes the bytes of a `config` chunk; default the initialisation segment alone. */
  readonly config?: (init: Buffer, tracks: readonly Track[]) => Buffer;
  /** Audio frames are gathered into fragments of at most so many milliseconds; default 40. */
  readonly audioGroupMs?: number;
}

/** What the writer knows of one track. */
interface Lane {
  /** Its number in the initialisation segment. */
  readonly trackId: number;
  /** The track as its latest unit showed it. */
  track: Track;
  /** The track as the initialisation segment describes it. */
  described: Track | undefined;
  video: VideoTiming | undefined;
  audio: AudioLane | undefined;
}

/**
 * Writes access units as fragmented MP4 for live playback: an initialisation segment, then one fragment per picture
 * and short fragments of sound. Nothing is held back but sound for at most `audioGroupMs`.
 *
 * The presentation times of the first video track are those of its access units, so a player's media time is
 * `pts / 90000`; other tracks are put beside it by their capture clocks. An initialisation segment is only ever
 * written directly before a keyframe, because a browser drops pictures after one until the next keyframe; until then
 * units of a changed format are left out. Sound begins with the first picture.
 */
export class Fmp4Writer {
  readonly #lanes = new Map<number, Lane>();
  readonly #timeline: Timeline;
  readonly #envelope: Envelope;
  readonly #config: (init: Buffer, tracks: readonly Track[]) => Buffer;
  readonly #audioGroupMs: number;
  readonly #hasVideo: boolean;
  #emit: (chunk: Fmp4Chunk) => void = () => {};
  #sequence = 0;
  #waitsForKeyframe = true;

  /** @param tracks at least one; video and audio of formats that `unsupportedReason` lets pass */
  constructor(tracks: readonly Track[], options: Fmp4WriterOptions = {}) {
    this.#timeline = new Timeline(tracks);
    this.#envelope = options.envelope ?? noEnvelope;
    this.#config = options.config ?? ((init) => init);
    this.#audioGroupMs = options.audioGroupMs ?? 40;
    this.#hasVideo = tracks.some(isVideo);
    for (const track of tracks) {
      const trackId = this.#lanes.size + 1;
      this.#lanes.set(track.id, { trackId, track, described: undefined, video: undefined, audio: undefined });
    }
  }

  /** Writes one access unit; gives out no, one or several chunks. Units of other tracks are ignored. */
  write(unit: AccessUnit, emit: (chunk: Fmp4Chunk) => void): void {
    const lane = this.#lanes.get(unit.track.id);
    if (!lane) return;
    this.#emit = emit;
    this.#take(lane, unit.track);
    const place = this.#timeline.place(unit);
    if (isVideo(unit.track)) {
      if (place) this.#writeVideo(lane, unit, place);
      return;
    }
    if (!this.#hasVideo && isStale(lane)) this.#describe();
    if (place && !isStale(lane)) lane.audio?.write(unit.payload, place.pts);
  }

  /** Notices another format, and another publisher with the same one, who need not begin where the last one ended. */
  #take(lane: Lane, track: Track): void {
    lane.track = track;
    const { described } = lane;
    if (!described || described.format === track.format || !sameFormat(described, track)) return;
    lane.described = track;
    if (isVideo(track)) this.#waitsForKeyframe = true;
  }

  #writeVideo(lane: Lane, unit: AccessUnit, place: { pts: number; dts: number }): void {
    if (unit.keyframe && [...this.#lanes.values()].some(isStale)) this.#describe();
    if (isStale(lane) || !lane.video) return;
    // Such a picture has no place in a file, and what refers to it is lost with it.
    if (place.pts < 0 || place.pts - place.dts > LONGEST_REORDERING) this.#waitsForKeyframe = true;
    else if (unit.keyframe) this.#waitsForKeyframe = false;
    if (this.#waitsForKeyframe) return;
    const payload = unit.payload.filter(isSampleData(lane.track as VideoTrack));
    if (payload.length === 0) return;
    const { time, duration } = lane.video.next(place.dts);
    const lengthPrefixed = isLengthPrefixed(lane.track);
    const sample = {
      payload,
      size: sampleSize(payload, lengthPrefixed),
      duration,
      sync: unit.keyframe,
      compositionOffset: place.pts - time,
    };
    const run = { trackId: lane.trackId, baseTime: time, lengthPrefixed, samples: [sample] };
    this.#writeRun(run, unit.track.id, 'video', unit.keyframe);
    for (const { audio, track } of this.#lanes.values()) {
      audio?.keepUp(rescale(place.pts, unit.track.clockRate, track.clockRate));
    }
  }

  #writeRun(run: TrackRun, track: number, kind: 'video' | 'audio', keyframe: boolean): void {
    this.#emit({ bytes: mediaFragment(++this.#sequence, [run], this.#envelope), track, kind, keyframe });
  }

  /** Gives out an initialisation segment for the tracks as they are now, unless one has not shown its parameters. */
  #describe(): void {
    const lanes = [...this.#lanes.values()];
    const tracks = lanes.map((lane) => lane.track);
    if (!tracks.every(isDescribable)) return;
    for (const lane of lanes) {
      if (isStale(lane)) this.#begin(lane);
      else lane.audio?.flush();
    }
    this.#waitsForKeyframe = true;
    this.#emit({
      bytes: this.#config(initSegment(tracks), tracks),
      track: -1,
      kind: 'config',
      keyframe: true,
    });
  }

  /** Starts a lane anew with the format of its track; sound of the old one that still waits goes out first. */
  #begin(lane: Lane): void {
    const { track, trackId } = lane;
    lane.audio?.flush();
    const ended = lane.audio?.end;
    const end = lane.described && ended && rescale(ended, lane.described.clockRate, track.clockRate);
    lane.described = track;
    if (isVideo(track)) lane.video = new VideoTiming(track.clockRate, framesPerSecond(track));
    if (!isAudio(track)) return;
    const emit: EmitRun = (baseTime, samples) =>
      this.#writeRun({ trackId, baseTime, lengthPrefixed: false, samples }, track.id, 'audio', true);
    lane.audio = new AudioLane(track, this.#audioGroupMs, emit, end);
  }
}

/** The initialisation segment does not describe the track as it is now. */
function isStale(lane: Lane): boolean {
  return lane.described?.format !== lane.track.format;
}

function framesPerSecond(track: VideoTrack): number | undefined {
  const sps = track.format.codec === 'h264' ? track.format.parameterSets[0] : undefined;
  return sps && parseH264Sps(sps)?.fps;
}
