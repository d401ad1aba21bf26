import { StreamClock } from '#media/clock-mapping.ts';

/** What a device tells as the time of a capture is believed when it is so near to when that came, ms. */
const WALL_MS = 10_000;
/** A device whose time goes on so much otherwise than the time itself was set, or has begun anew, ms. */
const JUMP_MS = 1000;

/**
 * When what a device gives was captured, by the wall clock. Most tell that themselves (x11grab, V4L2, ALSA); those that
 * count from somewhere else (gdigrab, DirectShow, AVFoundation) are mapped by what comes soonest. A clock that is set
 * meanwhile moves nothing.
 */
export class DeviceClock {
  readonly #mapping = new StreamClock().track(0, 90_000);
  #tellsWall: boolean | undefined;
  /** Added to what the device says. */
  #shift = 0;
  #last: { readonly ms: number; readonly now: number } | undefined;

  /**
   * @param ms as the device tells it
   * @param now wall clock at which it came, ms since 1970, of a clock that is never set
   */
  captured(ms: number, now: number): number {
    const last = this.#last;
    if (last) {
      const off = ms - last.ms - (now - last.now);
      if (Math.abs(off) > JUMP_MS) this.#shift -= off;
    }
    this.#last = { ms, now };
    const at = ms + this.#shift;
    this.#tellsWall ??= Math.abs(at - now) < WALL_MS;
    return this.#tellsWall ? at : this.#mapping.captureAt(Math.round(at * 90), now);
  }
}
