const LONGEST_DURATION_SECONDS = 1;
/** A step of more than this, in seconds, is not bridged: the stream began anew. */
const LONGEST_GAP_SECONDS = 10;
/** Sample durations from one decode time to the next: below 2, because browsers round times. */
const LONGEST_STEP = 1.75;

/**
 * Decode times and durations of video samples that are written one by one, before the next is known.
 *
 * A browser takes a decode time more than two sample durations after the last one for a break, and then throws away
 * every picture up to the next keyframe (Media Source Extensions, coded frame processing, step 6). So durations follow
 * the longest distance seen lately, and over a longer gap the decode time goes on in steps that are not taken for a
 * break until it has caught up. Presentation times are never touched.
 */
export class VideoTiming {
  readonly #longest: number;
  #last: number | undefined;
  #duration: number;

  /** @param fps pictures per second by the parameter sets, the first guess */
  constructor(clockRate: number, fps: number | undefined) {
    this.#longest = clockRate * LONGEST_DURATION_SECONDS;
    this.#duration = Math.min(
      Math.round(clockRate / (fps && fps >= 1 && fps <= 300 ? fps : 25)),
      this.#longest,
    );
  }

  /** Decode time and duration to write for the next picture. */
  next(dts: number): { time: number; duration: number } {
    const target = Math.max(dts, 0);
    const last = this.#last;
    let time = target;
    if (last !== undefined && target > last && target - last < this.#longest * LONGEST_GAP_SECONDS) {
      time = Math.min(target, last + Math.floor(LONGEST_STEP * this.#duration));
      const distance = time - last;
      // Up at once, down slowly: a camera that stutters must not look broken after each short distance.
      const eased = this.#duration - Math.ceil((this.#duration - distance) / 16);
      this.#duration = Math.min(Math.max(distance, eased), this.#longest);
    }
    this.#last = time;
    return { time, duration: this.#duration };
  }
}
