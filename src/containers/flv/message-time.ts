import { TimestampUnwrapper } from '#media/timestamps.ts';

/** Where the timestamps of encoders begin anew that know nothing of the byte above the three low ones: 4 h 40 min. */
const SHORT_WRAP = 2 ** 24;
/** So far, ms, the timestamps of picture and sound may lie apart around such a wrap. */
const AROUND = 10_000;

/**
 * Unwraps the milliseconds of RTMP messages and FLV tags, picture and sound together, since they have one clock. They
 * wrap at 2^32, those of some encoders at 2^24.
 */
export class MessageTime {
  readonly #unwrapper = new TimestampUnwrapper();
  /** What short wraps have added so far. */
  #added = 0;
  #last: number | undefined;

  /** @param timestamp ms modulo 2^32 */
  unwrap(timestamp: number): number {
    const plain = this.#unwrapper.unwrap(timestamp);
    const last = this.#last ?? plain;
    const isNear = (ms: number) => Math.abs(ms - last) < AROUND;
    const places = [0, SHORT_WRAP, -SHORT_WRAP].map((more) => plain + this.#added + more);
    const near = places.find(isNear);
    const place = near ?? plain + this.#added;
    // One that comes late, from before the wrap, does not take it back.
    if (near === undefined || place >= last) {
      this.#added = place - plain;
      this.#last = place;
    }
    return place;
  }
}
