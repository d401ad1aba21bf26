import { ResultDelay } from '#algorithms/overlay/result-delay.ts';
import { HeldMaximum } from '#util/held-maximum.ts';

/** The delay goes in steps of a picture at 25 per second: results that take a little longer now and then change nothing. */
const STEP_MS = 40;
/** Beyond what results take: the picture has to be decoded and drawn when they are there. */
const MARGIN_MS = 60;
/** Where no result has come by then pictures go without, ms after the first one. */
const BEGIN_MS = 5000;
/** Of one whose results are not known yet, ms. */
const GUESS_MS = 500;
/** Between two results boxes are interpolated where the second one is known, and predicted for so long where it is not. */
const PREDICTED_MS = 500;
/** The delay shrinks by so many ms in a second: less would last, and more would be seen. */
const SHRINK_PER_SECOND = 100;

/**
 * How long pictures wait for their results: as long as nearly all of the last ones took, as the page does it *in step*. It
 * grows at once when they take longer, and shrinks slowly when they have been faster for a while, so that it stands still
 * where the algorithm does. All times are ms of one steady clock.
 */
export class ResultWait {
  readonly #maxMs: number;
  readonly #results = new ResultDelay();
  #needed: HeldMaximum | undefined;
  #beganAt: number | undefined;
  #delayMs: number | undefined;
  #lookedAt = 0;

  /** @param maxMs pictures never wait longer */
  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  /**
   * A result is there.
   * @param now when it came. @param arrival when its picture did, or would have on the shortest way
   * @param intervalMs between its picture and that of the result before; 0: unknown
   */
  add(now: number, arrival: number, intervalMs: number): void {
    // The picture after the result before has to wait for this one as well, to have a box between two.
    const between = Math.min(intervalMs, PREDICTED_MS);
    this.#results.add(now, Math.min(this.#maxMs, now - arrival + between));
    const hold = this.#results.hold ?? 0;
    const steps = Math.ceil((hold + MARGIN_MS) / STEP_MS);
    const needed = Math.min(this.#maxMs, steps * STEP_MS) / 1000;
    this.#needed ??= new HeldMaximum(needed);
    this.#needed.update(now, needed);
  }

  /**
   * Undefined while the first result may still come, and nothing is to go.
   * @param now not before that of the last call
   */
  delayMs(now: number): number | undefined {
    this.#beganAt ??= now;
    const begins = this.#needed !== undefined || now - this.#beganAt >= Math.min(BEGIN_MS, this.#maxMs);
    if (!begins) return undefined;
    const wanted = Math.min(this.#maxMs, (this.#needed?.value ?? GUESS_MS / 1000) * 1000);
    const shrunk = (this.#delayMs ?? wanted) - (SHRINK_PER_SECOND * (now - this.#lookedAt)) / 1000;
    this.#lookedAt = now;
    this.#delayMs = Math.max(wanted, shrunk);
    return this.#delayMs;
  }
}
