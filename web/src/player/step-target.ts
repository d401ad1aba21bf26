import { HeldMaximum } from '#util/held-maximum.ts';

/** Before the first results show what is needed, seconds. */
const INITIAL_S = 0.5;
/** Beyond the delay of the results: three frames at 25 fps, and what the page itself needs. */
const MARGIN_S = 0.15;
/** An algorithm that takes longer than this is not waited for. */
const LONGEST_S = 12;

/** The distance from the live edge at which every analysed frame finds its result. */
export class StepTarget {
  #held: HeldMaximum | undefined;
  #guess = INITIAL_S;

  /** Seconds. */
  get value(): number {
    return this.#held?.value ?? this.#guess;
  }

  /** What the server says about the age of the results, ms: good enough until the first one is here. */
  expect(ageMs: number): void {
    this.#guess = Math.min(LONGEST_S, ageMs / 1000 + 2 * MARGIN_S);
  }

  /** @param now ms. @param holdMs what the results need, see `ResultDelay`. @returns the target in seconds. */
  update(now: number, holdMs: number | undefined): number {
    if (holdMs === undefined) return this.value;
    const needed = Math.min(LONGEST_S, holdMs / 1000 + MARGIN_S);
    // The first delay that is known replaces the guess.
    this.#held ??= new HeldMaximum(needed);
    return this.#held.update(now, needed);
  }
}
