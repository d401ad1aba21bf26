/** The newest media counts for so long, ms: after that, media that comes later than it once did is the new normal. */
const HIGH_WINDOW_MS = 3_000;
/** The emptiest moments count for so long, ms. */
const LOW_WINDOW_MS = 10_000;
/** At the start media comes in a burst (everything since the last keyframe); what that looks like is no pattern. */
const SETTLE_MS = 700;
/** One in so many milliseconds is remembered of equal kind. */
const STEP_MS = 50;

interface Level {
  at: number;
  /** End of the buffer minus the wall clock, seconds. */
  level: number;
}

/**
 * Where the live edge is, though media comes in portions. The end of the buffer is a staircase; its upper envelope is
 * a line that advances as the wall clock does, against which distances can be measured without sawtooth. The gap to
 * the lower envelope, the emptiest moments just before new media came, is what a player must have in store.
 */
export class EdgeEnvelope {
  #highs: Level[] = [];
  #lows: Level[] = [];
  #first: number | undefined;
  #end: number | undefined;
  #interrupted = false;

  /** The buffer ends at `end` seconds now. Called after every append. @param now any monotonic clock, ms. */
  observe(now: number, end: number): void {
    if (this.#interrupted) this.reset();
    this.#first ??= now;
    const before = this.#end;
    this.#end = end;
    if (before !== undefined && end < before) {
      // The end went back: another timeline.
      this.#highs = [];
      this.#lows = [];
    } else if (before !== undefined && now - this.#first > SETTLE_MS) {
      remember(this.#lows, { at: now, level: before - now / 1000 }, LOW_WINDOW_MS, (a, b) => a <= b);
    }
    remember(this.#highs, { at: now, level: end - now / 1000 }, HIGH_WINDOW_MS, (a, b) => a >= b);
  }

  /** The live edge at this moment, seconds of the media timeline; undefined before any media. */
  edge(now: number): number | undefined {
    const level = extreme(this.#highs, Math.max);
    return level === undefined ? undefined : level + now / 1000;
  }

  /** How far the buffer runs empty between portions, seconds. */
  get unevenness(): number {
    const high = extreme(this.#highs, Math.max);
    const low = extreme(this.#lows, Math.min);
    return high === undefined || low === undefined ? 0 : Math.max(0, high - low);
  }

  /** What comes next comes after a wait that says nothing about how it comes: from another publisher. */
  interrupted(): void {
    this.#interrupted = true;
  }

  reset(): void {
    this.#interrupted = false;
    this.#highs = [];
    this.#lows = [];
    this.#first = undefined;
    this.#end = undefined;
  }
}

/** Adds a level to a window; within one step only the more extreme one is kept. */
function remember(
  levels: Level[],
  level: Level,
  windowMs: number,
  beats: (a: number, b: number) => boolean,
): void {
  const last = levels.at(-1);
  if (last && level.at - last.at < STEP_MS) {
    if (beats(level.level, last.level)) last.level = level.level;
  } else levels.push(level);
  while (levels.length > 1 && level.at - (levels[0] as Level).at > windowMs) levels.shift();
}

function extreme(levels: readonly Level[], pick: (...values: number[]) => number): number | undefined {
  return levels.length > 0 ? pick(...levels.map(({ level }) => level)) : undefined;
}
