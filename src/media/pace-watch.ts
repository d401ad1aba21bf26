import type { Arrival } from './arrival-watch.ts';

/** Ms of our clock from which one unit of each track is taken, the earliest. */
const BIN = 150;
/** Bins that are looked at: at least, and at most (4 s). */
const FEWEST = 5;
const MOST = 27;
/** Ms without a unit after which the line begins anew: a pause, or too few pictures to tell anything. */
const GAP = 2 * BIN;
/** Growth in ms from which a delay that grows evenly is no delay: a tenth of a second is more than encoders wobble by. */
const LEAST_GROWTH = 100;
/**
 * The same where there is less to hold against it: nothing else arrives that would show whether the way has become
 * longer, or the delay shrinks as it does while a buffer empties.
 */
const DOUBTFUL = { growth: 500, forMs: 3000 } as const;
/** Share of the growth by which no bin may lie off the line: a delay that has grown in one or two steps is no pace. */
const STRAIGHT = 0.1;
/** The other track gets later or earlier by no more than this share of it. */
const STEADY = 0.25;
/** The growth is at least so many times what the bins jitter by. */
const OVER_NOISE = 10;
/** Slopes below this are a crystal's, or slow enough for the windows of `ArrivalWatch`; above the other, nonsense. */
const LEAST_SLOPE = 0.03;
const LARGEST_SLOPE = 0.7;

/** The earliest unit of a track in one bin. */
export interface Bin extends Arrival {
  readonly index: number;
  /** Arrival minus media time, ms. */
  readonly delay: number;
}

/** Clocks that run at quite another speed than their timestamps say. */
export interface Pace {
  /** Ms by which the track gets later in each ms of our clock. */
  readonly slope: number;
  /** From where on it does, and by how much the unit there is later than the line says. */
  readonly from: Bin;
  readonly fromReference: Bin | undefined;
  readonly off: number;
  /** Bins that show it. */
  readonly bins: number;
}

interface Point {
  readonly bin: Bin;
  readonly reference: Bin | undefined;
  /** Of the bin, less that of the reference. */
  readonly delay: number;
}

/**
 * Notices a publisher whose timestamps are not the time: 25 pictures a second by their stamps, of which 21 come. Its
 * units get later and later, evenly, while those of another track on the same way do not. What delays both, as a network
 * does, cancels out of the difference; what is a step, a burst or a saw tooth is not even.
 */
export class PaceWatch {
  readonly #rate: number;
  #bin: Bin | undefined;
  #last: Bin | undefined;
  #points: Point[] = [];

  /** @param rate ticks per second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** A unit arrived; gives the bin before it when one is over. */
  observe({ ticks, now }: Arrival): Bin | undefined {
    const index = Math.floor(now / BIN);
    const bin = { index, ticks, now, delay: now - (ticks * 1000) / this.#rate };
    const before = this.#bin;
    if (before?.index === index) {
      if (bin.delay < before.delay) this.#bin = bin;
      return undefined;
    }
    this.#last = before;
    this.#bin = bin;
    return before;
  }

  /** What arrived in a bin of our clock that is not over for long. */
  at(index: number): Bin | undefined {
    return [this.#bin, this.#last].find((bin) => bin?.index === index);
  }

  /** Whether units still come at `now`. */
  isAlive(now: number): boolean {
    return this.#bin !== undefined && now - this.#bin.now < 4 * GAP;
  }

  /** Takes the next bin, beside that of another track unless none arrives; tells a pace that is not the stamps'. */
  compare(bin: Bin, reference: Bin | undefined): Pace | undefined {
    const last = this.#points.at(-1);
    if (
      last &&
      (bin.now - last.bin.now > GAP || (last.reference === undefined) !== (reference === undefined))
    )
      this.#points = [];
    this.#points.push({ bin, reference, delay: bin.delay - (reference?.delay ?? 0) });
    if (this.#points.length > MOST) this.#points.shift();
    const noise = noiseOf(this.#points);
    for (let count = this.#points.length; count >= FEWEST; count--) {
      const pace = paceOf(this.#points.slice(-count), noise);
      if (pace) return pace;
    }
    return undefined;
  }

  /** Timestamps or mappings have jumped: what came before says nothing any more. */
  restart(): void {
    this.#bin = undefined;
    this.#last = undefined;
    this.#points = [];
  }
}

/** The pace that points show which lie on one line. */
function paceOf(points: readonly Point[], noise: number): Pace | undefined {
  const [from, to] = [points[0], points.at(-1)];
  if (!from || !to) return undefined;
  const line = fit(points, (point) => point.delay);
  const span = to.bin.now - from.bin.now;
  const growth = Math.abs(line.slope) * span;
  const isDoubtful = line.slope < 0 || from.reference === undefined;
  if (isDoubtful && span < DOUBTFUL.forMs) return undefined;
  if (growth < Math.max(isDoubtful ? DOUBTFUL.growth : LEAST_GROWTH, OVER_NOISE * noise)) return undefined;
  if (Math.abs(line.slope) < LEAST_SLOPE || Math.abs(line.slope) > LARGEST_SLOPE) return undefined;
  if (line.worst > STRAIGHT * growth) return undefined;
  // It is this track that gets later and not the other that gets earlier, nor a swell that both see, one after the other.
  const other = from.reference ? fit(points, (point) => point.reference?.delay ?? 0).slope : 0;
  if (Math.abs(other) > Math.abs(line.slope) * STEADY) return undefined;
  const off = from.delay - line.start;
  return { slope: line.slope, from: from.bin, fromReference: from.reference, off, bins: points.length };
}

/** Least squares over our clock: slope, value at the first point, and largest distance of a point. */
function fit(
  points: readonly Point[],
  valueOf: (point: Point) => number,
): { slope: number; start: number; worst: number } {
  const start = points[0]?.bin.now ?? 0;
  let [x, y, xx, xy] = [0, 0, 0, 0];
  for (const point of points) {
    const [at, value] = [point.bin.now - start, valueOf(point)];
    x += at;
    y += value;
    xx += at * at;
    xy += at * value;
  }
  const n = points.length;
  const spread = n * xx - x * x;
  const slope = spread > 0 ? (n * xy - x * y) / spread : 0;
  const base = (y - slope * x) / n;
  const distances = points.map((point) => Math.abs(valueOf(point) - base - slope * (point.bin.now - start)));
  return { slope, start: base, worst: Math.max(...distances) };
}

/** What neighbouring points differ by, ms, whatever the line on which they lie. */
function noiseOf(points: readonly Point[]): number {
  let sum = 0;
  for (let i = 2; i < points.length; i++) {
    const [a, b, c] = [points[i - 2]!, points[i - 1]!, points[i]!];
    sum += Math.abs(c.delay - 2 * b.delay + a.delay);
  }
  return points.length > 2 ? sum / (points.length - 2) / 2 : 0;
}
