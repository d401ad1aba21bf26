import type { AccessUnit } from '#media/access-unit.ts';
import { Timeline } from '#media/timeline.ts';
import { rescale } from '#media/timestamps.ts';
import { isAudio, isVideo, type Track, type VideoTrack } from '#media/track.ts';
import { AudioLane } from './audio-lane.ts';
import { initSegment } from './init-segment.ts';
import { mediaFragment, type Sample, sampleSize, type TrackRun } from './media-fragment.ts';
import { isDescribable } from './sample-entry.ts';
import { isLengthPrefixed, isSampleData, LONGEST_REORDERING, sameFormat } from './track-format.ts';

/** A keyframe so many seconds after the picture before it, and three times later than usual, begins a new timeline. */
const GAP_SECONDS = 2;
/** No sample lasts longer, in seconds. */
const LONGEST_SAMPLE_SECONDS = 10;
/** A segment may end this much earlier than asked, in seconds: clocks of cameras are not exact. */
const SLACK_SECONDS = 0.05;
/** Pictures per second until two have come. */
const USUAL_FPS = 25;

/** An initialisation segment and the tracks that it describes. */
export interface Init {
  readonly bytes: Buffer;
  readonly tracks: readonly Track[];
}

export interface Part {
  /** One `moof` and one `mdat`. */
  readonly bytes: Buffer;
  /** Seconds, of the picture where there is one. */
  readonly duration: number;
  /** Decoding can start here. */
  readonly independent: boolean;
  /** How many pictures are in it. */
  readonly pictures: number;
}

/** Where segments go, in this order: `begin`, parts, `end`. The parts of a segment, one after the other, are its bytes. */
export interface SegmentSink {
  /**
   * A segment begins, with a keyframe where there is a picture.
   * @param start `ntp`: capture time of its first unit, ms since 1970; `discontinuity`: its format or its timestamps do
   *   not follow those of the segment before
   */
  begin(start: { readonly ntp: number; readonly init: Init; readonly discontinuity: boolean }): void;
  part(part: Part): void;
  end(): void;
}

export interface SegmentLimits {
  /** A part is as many whole pictures as come nearest to this, in seconds. */
  readonly partSeconds: number;
  /** A segment ends with the first keyframe after so many seconds. */
  readonly segmentSeconds: number;
  /** A segment that would be larger ends without a keyframe, and what follows is left out up to the next one. */
  readonly segmentMaxBytes: number;
}

interface Lane {
  readonly trackId: number;
  /** The track as its latest unit showed it, and as the initialisation segment describes it. */
  track: Track;
  described: Track | undefined;
}

/** A picture whose duration the next one will tell. */
interface Pending {
  readonly time: number;
  readonly sample: Omit<Sample, 'duration'>;
}

/**
 * Writes access units as segments of fragmented MP4 made of short parts (HLS). Other than fragments of one picture
 * (`Fmp4Writer`) parts have several samples in a row, so that every duration has to be exact: a picture is written when
 * the next one has come. The first video track keeps its timestamps, sound is put beside it by its capture clock.
 */
export class SegmentWriter {
  readonly #video: Lane | undefined;
  readonly #audio: Lane | undefined;
  readonly #timeline: Timeline;
  readonly #limits: SegmentLimits;
  readonly #sink: SegmentSink;
  #sound: AudioLane | undefined;
  #init: Init | undefined;
  #sequence = 0;
  #open = false;
  #waitsForKeyframe = true;
  /** What comes next does not follow what was written. */
  #broken = false;
  #pending: Pending | undefined;
  /** Ticks from one picture to the next, lately. */
  #usual: number;
  #segmentTicks = 0;
  #segmentBytes = 0;
  /** The part that is being filled. */
  #pictures: TrackRun | undefined;
  #sounds: TrackRun[] = [];
  #partTicks = 0;
  #partBytes = 0;
  #independent = false;

  /** @param tracks at most one of video and one of audio, of formats that `unsupportedReason` lets pass; at least one */
  constructor(tracks: readonly Track[], limits: SegmentLimits, sink: SegmentSink) {
    this.#timeline = new Timeline(tracks);
    this.#limits = limits;
    this.#sink = sink;
    const lanes = tracks.map((track, i): Lane => ({ trackId: i + 1, track, described: undefined }));
    this.#video = lanes.find(({ track }) => isVideo(track));
    this.#audio = lanes.find(({ track }) => isAudio(track));
    this.#usual = this.#rate / USUAL_FPS;
  }

  /** Takes one access unit; units of other tracks are ignored. */
  write(unit: AccessUnit): void {
    const lane = this.#lanes.find(({ track }) => track.id === unit.track.id);
    if (!lane) return;
    this.#take(lane, unit.track);
    const place = this.#timeline.place(unit);
    if (!place) return;
    if (lane === this.#video) this.#writeVideo(unit, place);
    else if (this.#video) this.#writeSound(unit, place.pts);
    else this.#writeSoundAlone(unit, place.pts);
  }

  /** Nothing more will follow what came so far, which is given out now; what comes later begins anew. */
  interrupt(): void {
    if (this.#pending) this.#finishPicture(Math.round(this.#usual));
    this.#pending = undefined;
    this.#endSegment();
    this.#waitsForKeyframe = true;
    this.#broken = true;
  }

  get #lanes(): readonly Lane[] {
    return [this.#video, this.#audio].filter((lane) => lane !== undefined);
  }

  /** Ticks per second of the track that says how long things are. */
  get #rate(): number {
    return this.#timeline.lead.clockRate;
  }

  /** Notices another publisher with the same format, who need not begin where the last one ended. */
  #take(lane: Lane, track: Track): void {
    lane.track = track;
    const { described } = lane;
    if (!described || described.format === track.format || !sameFormat(described, track)) return;
    lane.described = track;
    if (isVideo(track)) this.#waitsForKeyframe = true;
  }

  #writeVideo(unit: AccessUnit, place: { pts: number; dts: number }): void {
    const payload = unit.payload.filter(isSampleData(unit.track as VideoTrack));
    if (payload.length === 0) return;
    const impossible = place.pts < 0 || place.pts - place.dts > LONGEST_REORDERING;
    const unknown = this.#video !== undefined && isStale(this.#video) && !unit.keyframe;
    if (impossible || unknown) {
      if (this.#open) this.interrupt();
      return;
    }
    if (!unit.keyframe && this.#waitsForKeyframe) return;
    if (this.#open && this.#lanes.some(isStale) && unit.keyframe) this.interrupt();
    const time = Math.max(place.dts, this.#pending ? this.#pending.time + 1 : 0);
    if (this.#pending) this.#follow(this.#pending, time, unit.keyframe);
    if (!this.#open && !(unit.keyframe && this.#begin(unit))) return;
    this.#waitsForKeyframe = false;
    const size = sampleSize(payload, isLengthPrefixed(unit.track));
    const sample = { payload, size, sync: unit.keyframe, compositionOffset: place.pts - time };
    this.#pending = { time, sample };
    if (this.#pictures === undefined) this.#independent = unit.keyframe;
    this.#partBytes += size;
    if (this.#sound && this.#audio) {
      this.#sound.keepUp(rescale(place.pts, unit.track.clockRate, this.#audio.track.clockRate));
    }
    this.#keepSize();
  }

  /** Another picture came: the one before has its duration, and perhaps part and segment end with it. */
  #follow(pending: Pending, time: number, keyframe: boolean): void {
    const distance = time - pending.time;
    const gap = keyframe && distance > Math.max(GAP_SECONDS * this.#rate, 3 * this.#usual);
    if (gap || distance > LONGEST_SAMPLE_SECONDS * this.#rate) {
      this.interrupt();
      return;
    }
    this.#usual = distance;
    this.#finishPicture(distance);
    this.#pending = undefined;
    const whole = this.#limits.segmentSeconds - SLACK_SECONDS;
    if (keyframe && this.#segmentTicks + this.#partTicks >= whole * this.#rate) this.#endSegment();
    else if (this.#isPartFull(distance)) this.#endPart();
  }

  /** As near to the length of a part as whole units come. */
  #isPartFull(step: number): boolean {
    return this.#partTicks + step / 2 >= this.#limits.partSeconds * this.#rate;
  }

  #finishPicture(duration: number): void {
    const { time, sample } = this.#pending!;
    const whole = { ...sample, duration };
    if (this.#pictures) (this.#pictures.samples as Sample[]).push(whole);
    else {
      const { trackId, described } = this.#video!;
      const lengthPrefixed = isLengthPrefixed(described!);
      this.#pictures = { trackId, baseTime: time, lengthPrefixed, samples: [whole] };
    }
    this.#partTicks += duration;
  }

  #writeSound(unit: AccessUnit, time: number): void {
    if (!this.#open || !this.#audio || isStale(this.#audio)) return;
    this.#sound?.write(unit.payload, time);
    this.#keepSize();
  }

  #writeSoundAlone(unit: AccessUnit, time: number): void {
    const end = this.#sound?.end;
    const jumps = end !== undefined && Math.abs(time - end) > GAP_SECONDS * this.#rate;
    if (jumps || this.#lanes.some(isStale)) this.interrupt();
    if (!this.#open && !this.#begin(unit)) return;
    this.#independent = true;
    const before = this.#partTicks;
    this.#sound?.write(unit.payload, time);
    const whole = this.#limits.segmentSeconds - SLACK_SECONDS;
    if (this.#segmentTicks + this.#partTicks >= whole * this.#rate) this.#endSegment();
    else if (this.#isPartFull(this.#partTicks - before)) this.#endPart();
    this.#keepSize();
  }

  /** Begins a segment with this unit; false where a track has not shown its parameters yet. */
  #begin(unit: AccessUnit): boolean {
    const lanes = this.#lanes;
    const tracks = lanes.map(({ track }) => track);
    if (!tracks.every(isDescribable)) return false;
    if (!this.#init || lanes.some(isStale)) {
      this.#broken ||= this.#init !== undefined;
      this.#init = { bytes: initSegment(tracks), tracks };
      for (const lane of lanes) lane.described = lane.track;
      this.#sound = undefined;
    }
    // Sound of before must not be bridged to that of now: between the two is a break.
    if (this.#broken || !this.#sound) this.#sound = this.#newSound();
    this.#open = true;
    this.#sink.begin({ ntp: unit.ntp, init: this.#init, discontinuity: this.#broken });
    this.#broken = false;
    return true;
  }

  #newSound(): AudioLane | undefined {
    const track = this.#audio?.track;
    if (!track || !isAudio(track)) return undefined;
    return new AudioLane(track, 0, (time, samples) => this.#addSound(time, samples));
  }

  #addSound(baseTime: number, samples: readonly Sample[]): void {
    const last = this.#sounds.at(-1);
    if (last && endOf(last) === baseTime) (last.samples as Sample[]).push(...samples);
    else {
      const { trackId } = this.#audio!;
      this.#sounds.push({ trackId, baseTime, lengthPrefixed: false, samples: [...samples] });
    }
    for (const { size, duration } of samples) {
      this.#partBytes += size;
      if (!this.#video) this.#partTicks += duration;
    }
  }

  #endPart(): void {
    const runs = this.#pictures ? [this.#pictures, ...this.#sounds] : this.#sounds;
    if (runs.length === 0) return;
    const bytes = mediaFragment(++this.#sequence, runs);
    const part = {
      bytes,
      duration: this.#partTicks / this.#rate,
      independent: this.#independent,
      pictures: this.#pictures?.samples.length ?? 0,
    };
    this.#segmentTicks += this.#partTicks;
    this.#segmentBytes += bytes.length;
    this.#pictures = undefined;
    this.#sounds = [];
    this.#partTicks = 0;
    this.#partBytes = 0;
    this.#sink.part(part);
  }

  #endSegment(): void {
    if (!this.#open) return;
    this.#endPart();
    this.#open = false;
    this.#segmentTicks = 0;
    this.#segmentBytes = 0;
    this.#sink.end();
  }

  #keepSize(): void {
    if (this.#segmentBytes + this.#partBytes > this.#limits.segmentMaxBytes) this.interrupt();
  }
}

function isStale(lane: Lane): boolean {
  return lane.described?.format !== lane.track.format;
}

function endOf(run: TrackRun): number {
  return run.samples.reduce((end, { duration }) => end + duration, run.baseTime);
}
