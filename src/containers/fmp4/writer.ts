import { aacFrameDuration } from '#codecs/aac.ts';
import { H264, h264NalType, parseH264Sps } from '#codecs/h264.ts';
import { H265, h265NalType } from '#codecs/h265.ts';
import { opusPacketDuration } from '#codecs/opus.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { Timeline } from '#media/timeline.ts';
import { isAudio, isVideo, type Track, type VideoTrack } from '#media/track.ts';
import { AudioTiming } from './audio-timing.ts';
import { initSegment } from './init-segment.ts';
import { type Envelope, mediaFragment, noEnvelope, type Sample } from './media-fragment.ts';
import { isDescribable } from './sample-entry.ts';
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

const NOTHING = Buffer.alloc(0);

/** What the writer knows of one track. */
interface Lane {
  /** Its number in the initialisation segment. */
  readonly trackId: number;
  /** The track as its latest unit showed it. */
  track: Track;
  /** The track as the initialisation segment describes it. */
  described: Track | undefined;
  video: VideoTiming | undefined;
  audio: AudioTiming | undefined;
  /** Ticks of one AAC frame, by the configuration. */
  aacDuration: number;
  /** Audio frames that wait to be written together. */
  samples: Sample[];
  baseTime: number;
  end: number;
}

/**
 * Writes access units as fragmented MP4 for live playback: an initialisation segment, then one fragment per picture
 * and short fragments of sound. Nothing is held back but sound for at most `audioGroupMs`.
 *
 * The decode and presentation times of the first video track are those of its access units, so a player's media time
 * is `pts / 90000`; other tracks are put beside it by their capture clocks. An initialisation segment is only ever
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
  #sequence = 0;
  #waitsForKeyframe = true;

  /** @param tracks at least one; video and audio of formats that `unsupportedReason` lets pass */
  constructor(tracks: readonly Track[], options: Fmp4WriterOptions = {}) {
    this.#timeline = new Timeline(tracks);
    this.#envelope = options.envelope ?? noEnvelope;
    this.#config = options.config ?? ((init) => init);
    this.#audioGroupMs = options.audioGroupMs ?? 40;
    this.#hasVideo = tracks.some(isVideo);
    tracks.forEach((track, index) => {
      this.#lanes.set(track.id, {
        trackId: index + 1,
        track,
        described: undefined,
        video: undefined,
        audio: undefined,
        aacDuration: 0,
        samples: [],
        baseTime: 0,
        end: 0,
      });
    });
  }

  /** Writes one access unit; gives out no, one or several chunks. Units of other tracks are ignored. */
  write(unit: AccessUnit, emit: (chunk: Fmp4Chunk) => void): void {
    const lane = this.#lanes.get(unit.track.id);
    if (!lane) return;
    lane.track = unit.track;
    const place = this.#timeline.place(unit);
    if (isVideo(unit.track)) {
      if (place) this.#writeVideo(lane, unit, place, emit);
      return;
    }
    if (!this.#hasVideo && isStale(lane)) this.#describe(emit);
    if (place && !isStale(lane)) this.#writeAudio(lane, unit, place.pts, emit);
  }

  #writeVideo(
    lane: Lane,
    unit: AccessUnit,
    place: { pts: number; dts: number },
    emit: (chunk: Fmp4Chunk) => void,
  ): void {
    if (unit.keyframe && [...this.#lanes.values()].some(isStale)) this.#describe(emit);
    const payload = unit.payload.filter(isSampleData(lane.track as VideoTrack));
    // A picture before time zero has no place in a file, and what refers to it is lost with it.
    if (isStale(lane) || place.pts < 0 || payload.length === 0) {
      if (place.pts < 0) this.#waitsForKeyframe = true;
      return;
    }
    if (this.#waitsForKeyframe && !unit.keyframe) return;
    this.#waitsForKeyframe = false;
    lane.video ??= new VideoTiming(unit.track.clockRate, framesPerSecond(unit.track as VideoTrack));
    const { time, duration } = lane.video.next(place.dts);
    const sample = {
      payload,
      size: payload.reduce((sum, nal) => sum + 4 + nal.length, 0),
      duration,
      sync: unit.keyframe,
      compositionOffset: place.pts - time,
    };
    const run = { trackId: lane.trackId, baseTime: time, lengthPrefixed: true, samples: [sample] };
    const bytes = mediaFragment(++this.#sequence, [run], this.#envelope);
    emit({ bytes, track: unit.track.id, kind: 'video', keyframe: unit.keyframe });
  }

  #writeAudio(lane: Lane, unit: AccessUnit, time: number, emit: (chunk: Fmp4Chunk) => void): void {
    const payload = unit.payload;
    const size = payload.reduce((sum, part) => sum + part.length, 0);
    const duration = lane.aacDuration || opusPacketDuration(payload[0] ?? NOTHING);
    if (size === 0 || duration === 0) return;
    lane.audio ??= new AudioTiming(unit.track.clockRate);
    const start = lane.audio.next(time, duration);
    if (start === undefined) return;
    if (start !== lane.end) this.#flush(lane, emit);
    if (lane.samples.length === 0) lane.baseTime = start;
    lane.samples.push({ payload, size, duration, sync: true, compositionOffset: 0 });
    lane.end = start + duration;
    // Out as soon as one more frame of this length would be too many.
    const limit = (this.#audioGroupMs / 1000) * unit.track.clockRate;
    if (lane.end - lane.baseTime + duration > limit) this.#flush(lane, emit);
  }

  #flush(lane: Lane, emit: (chunk: Fmp4Chunk) => void): void {
    if (lane.samples.length === 0) return;
    const run = {
      trackId: lane.trackId,
      baseTime: lane.baseTime,
      lengthPrefixed: false,
      samples: lane.samples,
    };
    lane.samples = [];
    const bytes = mediaFragment(++this.#sequence, [run], this.#envelope);
    emit({ bytes, track: lane.track.id, kind: 'audio', keyframe: true });
  }

  /** Gives out an initialisation segment for the tracks as they are now, unless one has not shown its parameters. */
  #describe(emit: (chunk: Fmp4Chunk) => void): void {
    const lanes = [...this.#lanes.values()];
    const tracks = lanes.map((lane) => lane.track);
    if (!tracks.every(isDescribable)) return;
    for (const lane of lanes) {
      if (isAudio(lane.track)) this.#flush(lane, emit);
      if (lane.described?.format !== lane.track.format) lane.video = lane.audio = undefined;
      lane.described = lane.track;
      lane.aacDuration = aacDuration(lane.track);
    }
    this.#waitsForKeyframe = true;
    emit({ bytes: this.#config(initSegment(tracks), tracks), track: -1, kind: 'config', keyframe: true });
  }
}

/** The initialisation segment does not describe the track as it is now. */
function isStale(lane: Lane): boolean {
  return lane.described?.format !== lane.track.format;
}

/** Leaves parameter sets, which the sample entry has, and access unit delimiters out of samples. */
function isSampleData(track: VideoTrack): (nal: Buffer) => boolean {
  if (track.format.codec === 'h264') {
    return (nal) => {
      const type = h264NalType(nal);
      return type !== H264.sps && type !== H264.pps && type !== H264.aud;
    };
  }
  return (nal) => {
    const type = h265NalType(nal);
    return type < H265.vps || type > H265.aud;
  };
}

function framesPerSecond(track: VideoTrack): number | undefined {
  const sps = track.format.codec === 'h264' ? track.format.parameterSets[0] : undefined;
  return sps && parseH264Sps(sps)?.fps;
}

/** Ticks of one frame of an AAC track; 0 for other codecs. */
function aacDuration({ format, clockRate }: Track): number {
  return format.kind === 'audio' && format.codec === 'aac' ? aacFrameDuration(format, clockRate) : 0;
}
