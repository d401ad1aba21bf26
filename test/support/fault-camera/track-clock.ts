import type { CameraTrack, ClockFaults, ClockJump } from './options.ts';

/** What a clock that jumps shows more than one that does not, at `ms` of true time. */
export function jumped(jumps: readonly ClockJump[] | undefined, ms: number, track: CameraTrack): number {
  let sum = 0;
  for (const jump of jumps ?? []) if (ms >= jump.atMs && (jump.track ?? track) === track) sum += jump.byMs;
  return sum;
}

/** The clock of one of a camera's tracks, with its faults. */
export class CameraTrackClock {
  readonly track: CameraTrack;
  /** Media time that passes in one of true time. */
  readonly #speed: number;
  readonly #faults: ClockFaults;

  /** @param fps of the clip's pictures, against which `deliveredFps` counts */
  constructor(track: CameraTrack, faults: ClockFaults, fps: number) {
    this.track = track;
    this.#faults = faults;
    const ppm = (track === 'audio' ? faults.audioPpm : faults.videoPpm) ?? 0;
    const share = track === 'video' && faults.deliveredFps !== undefined ? faults.deliveredFps / fps : 1;
    this.#speed = (1 + ppm / 1e6) * share;
  }

  /** True time, in ms, at which the media time `ms` is captured. */
  trueTime(ms: number): number {
    let time = ms / this.#speed;
    for (const pause of this.#faults.pauses ?? []) if (time >= pause.atMs) time += pause.forMs;
    return time;
  }

  /** Media time in ms, with its jumps, that the timestamps show at the true time `ms`. */
  stampTime(ms: number): number {
    let stopped = 0;
    for (const pause of this.#faults.pauses ?? []) {
      if (pause.timestamps === 'stop' && ms >= pause.atMs) stopped += Math.min(ms - pause.atMs, pause.forMs);
    }
    return (ms - stopped) * this.#speed + jumped(this.#faults.jumps, ms, this.track);
  }
}
