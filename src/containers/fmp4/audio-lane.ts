import { aacFrameDuration } from '#codecs/aac.ts';
import { AC3_FRAME_SAMPLES } from '#codecs/ac3.ts';
import { opusPacketDuration } from '#codecs/opus.ts';
import { silentFrame } from '#codecs/silence.ts';
import type { AudioTrack } from '#media/track.ts';
import type { Sample } from './media-fragment.ts';

/** Distance from its place, in seconds, at which a frame counts as exactly there. */
const EXACT_SECONDS = 0.005;
/** Frames follow each other until they are half a frame off their place, but none is this late, in seconds. */
const LONGEST_GAP_SECONDS = 0.02;
/** While the picture went on for so many seconds and no frame came, sound is not late but missing. */
const MISSING_SECONDS = 1.5;
/** A clock that is so far off, in seconds, began anew: nothing is filled or left out. */
const NEW_CLOCK_SECONDS = 10;
/** Samples in the silent frames of Opus. */
const SILENT_OPUS = 960;
const NOTHING = Buffer.alloc(0);

export type EmitRun = (baseTime: number, samples: readonly Sample[]) => void;

/**
 * Lines up the audio frames of one track so that a browser plays them and the picture without a break.
 *
 * Browsers cut overlapping sound away; they take a gap of two frames for a break, after which they throw away every
 * *picture* up to the next keyframe; and without sound they do not play at all. So frames never overlap and follow each
 * other without a seam while they are within half a frame of their place. A longer gap is filled with silence, and sound
 * that does not come (a microphone that is off, a worker that was killed) is silence too. A source whose clock runs fast
 * loses a frame whenever it is half a frame ahead, so sound cannot drift off the picture.
 */
export class AudioLane {
  readonly #rate: number;
  readonly #limit: number;
  /** Ticks of one frame; 0 for Opus, whose packets say it themselves. */
  readonly #frameDuration: number;
  readonly #silence: { payload: readonly Buffer[]; duration: number } | undefined;
  readonly #emit: EmitRun;
  #samples: Sample[] = [];
  #base = 0;
  /** Where the next frame follows without a gap. */
  #end: number | undefined;
  /** Where the picture is, and where it was when the last frame came. */
  #picture: number | undefined;
  #heard: number | undefined;
  #missing = false;
  /** No sound yet, or none for a while: the next frame is put exactly where it belongs. */
  #begins = true;

  /**
   * @param groupMs frames leave together when one more would make them longer than this
   * @param end where the sound of the format before ended, in ticks of the track: what lies between is filled as well
   */
  constructor(track: AudioTrack, groupMs: number, emit: EmitRun, end?: number) {
    this.#rate = track.clockRate;
    this.#limit = (groupMs / 1000) * track.clockRate;
    this.#frameDuration = frameDuration(track);
    const silent = silentFrame(track.format);
    this.#silence = silent && { payload: [silent], duration: this.#frameDuration || SILENT_OPUS };
    this.#emit = emit;
    this.#end = end;
  }

  /** Where the sound that was taken ends, in ticks of the track; undefined before any. */
  get end(): number | undefined {
    return this.#end;
  }

  /** Takes one frame whose place is `time`, in ticks of the track. */
  write(payload: readonly Buffer[], time: number): void {
    const duration = this.#frameDuration || opusPacketDuration(payload[0] ?? NOTHING);
    if (time < 0 || duration === 0) return;
    this.#heard = this.#picture;
    this.#missing = false;
    const exact = EXACT_SECONDS * this.#rate;
    const half = Math.max(duration / 2, exact);
    const ahead = this.#end === undefined ? 0 : this.#end - time;
    const sameClock = Math.abs(ahead) < NEW_CLOCK_SECONDS * this.#rate;
    if (sameClock && ahead > (this.#begins ? exact : half)) return;
    const slack = this.#begins ? exact : Math.min(half, LONGEST_GAP_SECONDS * this.#rate);
    this.#begins = false;
    if (sameClock && -ahead > slack) this.#fill(time + exact);
    const end = this.#end;
    const follows = end !== undefined && sameClock && time - end <= slack;
    this.#append(payload, follows ? end : time, duration);
    // Out as soon as one more frame of this length would be too many.
    if ((this.#end ?? 0) - this.#base + duration > this.#limit) this.flush();
  }

  /** The picture has come to `time`, in ticks of this track: sound that is missing becomes silence. */
  keepUp(time: number): void {
    this.#picture = time;
    this.#heard ??= time;
    this.#end ??= Math.max(time, 0);
    const missing = MISSING_SECONDS * this.#rate;
    // Neither has a frame come for long, nor does the sound that came reach near the picture (a picture every 2 s).
    this.#missing ||= time - this.#heard > missing && time - this.#end > missing;
    if (!this.#missing) return;
    this.#begins = true;
    if (time - this.#end >= NEW_CLOCK_SECONDS * this.#rate) this.#end = time;
    else this.#fill(time);
  }

  /** Gives out what waits. */
  flush(): void {
    if (this.#samples.length === 0) return;
    const samples = this.#samples;
    this.#samples = [];
    this.#emit(this.#base, samples);
  }

  /** Silence for as many whole frames as fit before `until`, in one fragment. */
  #fill(until: number): void {
    const silence = this.#silence;
    if (!silence || this.#end === undefined || this.#end + silence.duration > until) return;
    while (this.#end + silence.duration <= until) this.#append(silence.payload, this.#end, silence.duration);
    this.flush();
  }

  #append(payload: readonly Buffer[], start: number, duration: number): void {
    if (start !== this.#end) this.flush();
    if (this.#samples.length === 0) this.#base = start;
    const size = payload.reduce((sum, part) => sum + part.length, 0);
    this.#samples.push({ payload, size, duration, sync: true, compositionOffset: 0 });
    this.#end = start + duration;
  }
}

function frameDuration({ format, clockRate }: AudioTrack): number {
  if (format.codec === 'ac3') return AC3_FRAME_SAMPLES;
  return format.codec === 'aac' ? aacFrameDuration(format, clockRate) : 0;
}
