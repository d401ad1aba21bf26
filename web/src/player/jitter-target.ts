/** Longest that `jitterBufferTarget` takes (WebRTC extensions §5.1). */
export const LONGEST_MS = 4_000;
/** The browser moves its delay by about 100 ms in a second: what is asked for shows only after a while. */
const RESPONSE_MS = 2_000;
/** A distance that moved by more than this meanwhile, in seconds, is still on its way. */
const STEADY_S = 0.04;
/** Too near is put right at once, too far only where it is worth it, seconds. */
const TOO_NEAR_S = 0.02;
const TOO_FAR_S = 0.1;
const CORRECTION_MS = 1_000;

/**
 * What to ask of the jitter buffer so that pictures are shown at a distance from the live edge. Browsers take
 * `jitterBufferTarget` as a wish: Chromium stays up to 130 ms below it when everything since a keyframe came in a burst,
 * and above it where the network jitters. So the distance is measured and the wish corrected.
 */
export class JitterTarget {
  #correction = 0;
  #wanted: number | undefined;
  #looked: { readonly at: number; readonly latency: number } | undefined;

  /**
   * @param now any monotonic clock, ms. @param wanted seconds; undefined: as near as can be. @param latency as measured, s
   * @returns ms; undefined: what the browser chooses
   */
  update(now: number, wanted: number | undefined, latency: number | undefined): number | undefined {
    if (wanted !== this.#wanted) {
      // By how much the browser is off does not depend on how much is wanted.
      if (wanted === undefined) this.#correction = 0;
      this.#wanted = wanted;
      this.#looked = undefined;
    }
    if (wanted === undefined) return undefined;
    if (latency !== undefined) this.#correct(now, wanted, latency);
    return Math.round(Math.min(LONGEST_MS, Math.max(0, wanted * 1000 + this.#correction)));
  }

  #correct(now: number, wanted: number, latency: number): void {
    const before = this.#looked;
    if (before && now - before.at < RESPONSE_MS) return;
    this.#looked = { at: now, latency };
    if (!before || Math.abs(latency - before.latency) > STEADY_S) return;
    const missing = wanted - latency;
    if (missing < TOO_NEAR_S && missing > -TOO_FAR_S) return;
    const corrected = this.#correction + missing * 1000;
    this.#correction = Math.min(CORRECTION_MS, Math.max(-CORRECTION_MS, corrected));
  }
}
