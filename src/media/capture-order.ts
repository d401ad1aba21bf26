import { LagWatch } from './lag-watch.ts';

/** Ms that a unit waits longer than the slower lane took lately: that one mostly comes just in time. */
const MARGIN = 50;
/** A lane that is there and has brought nothing for so many ms is not waited for. */
const SILENT = 2000;

export interface OrderLimits {
  /** How long a unit waits at most, ms. */
  readonly holdMs: number;
  /** How many bytes wait at most, in all lanes together. */
  readonly holdBytes: number;
}

/** Something that waits for its turn. */
interface Waiting<T> {
  readonly item: T;
  /** Capture, ms, in the order of decoding. */
  readonly at: number;
  readonly since: number;
  readonly bytes: number;
}

/** What one part brings, in its own order. */
export class OrderLane<T> {
  /** Only for the order. */
  readonly queue: Waiting<T>[] = [];
  readonly lags = new LagWatch();
  /** Latest capture that it brought, and that left. */
  newest = Number.NEGATIVE_INFINITY;
  left = Number.NEGATIVE_INFINITY;
  /** Since when it is there without having brought anything; undefined: nobody waits for it. */
  awaitedSince: number | undefined;
  /** What came when later units of others had left. */
  late = 0;

  /** It is there, or there again: what it brings is waited for. */
  begin(now: number): void {
    this.lags.restart();
    this.awaitedSince = now;
  }
}

/**
 * Puts the units of several sources that come with different delays in the order of their capture (DESIGN R1: each
 * keeps its timestamps). A unit leaves as soon as every other lane has brought something that was captured later; at
 * the latest when the slowest lane, as it was lately, would have brought it. So all leave with the delay of the slowest,
 * which stays the same while that one is away, pauses, or has only a picture a second.
 *
 * Bounded (R4): what has waited for `holdMs`, or is more than `holdBytes`, leaves out of order. Nothing is dropped.
 */
export class CaptureOrder<T> {
  readonly #limits: OrderLimits;
  readonly #lanes: OrderLane<T>[] = [];
  #bytes = 0;
  #dueAt: number | undefined;

  constructor(limits: OrderLimits) {
    this.#limits = limits;
  }

  lane(): OrderLane<T> {
    const lane = new OrderLane<T>();
    this.#lanes.push(lane);
    return lane;
  }

  /** What waits: bytes, and how long the oldest does, ms. */
  waiting(now: number): { readonly bytes: number; readonly ms: number } {
    const oldest = Math.min(now, ...this.#lanes.flatMap(({ queue }) => queue[0]?.since ?? []));
    return { bytes: this.#bytes, ms: now - oldest };
  }

  /** When `take` has to be called again even if nothing comes; undefined: not before something does. */
  get dueAt(): number | undefined {
    return this.#dueAt;
  }

  /**
   * @param at when it was captured, ms, in the order of decoding
   * @param came when it came, ms; undefined: it was kept by somebody, and shows nothing of how long such units take
   */
  push(
    lane: OrderLane<T>,
    item: T,
    unit: { at: number; came: number | undefined; bytes: number },
    now: number,
  ) {
    const { at, came, bytes } = unit;
    if (came !== undefined) {
      if (lane.lags.observe(at, came)) lane.newest = lane.left = Number.NEGATIVE_INFINITY;
      lane.awaitedSince = undefined;
    }
    lane.newest = Math.max(lane.newest, at);
    if (this.#lanes.some((other) => other !== lane && other.left > at)) lane.late++;
    lane.queue.push({ item, at, since: now, bytes });
    this.#bytes += bytes;
  }

  /** The next one that may leave by now. Call it until there is none. */
  take(now: number): T | undefined {
    this.#dueAt = undefined;
    let next: OrderLane<T> | undefined;
    let oldest: OrderLane<T> | undefined;
    for (const lane of this.#lanes) {
      const head = lane.queue[0];
      if (!head) continue;
      if (!next || head.at < next.queue[0]!.at) next = lane;
      if (!oldest || head.since < oldest.queue[0]!.since) oldest = lane;
    }
    if (!next || !oldest) return undefined;
    if (this.#bytes > this.#limits.holdBytes) return this.#leave(oldest);
    const due = this.#dueTime(next, next.queue[0]!);
    if (due <= now) return this.#leave(next);
    const most = oldest.queue[0]!.since + this.#limits.holdMs;
    if (most <= now) return this.#leave(oldest);
    this.#dueAt = Math.min(due, most);
    return undefined;
  }

  /** Forgets all that waits. */
  clear(): void {
    for (const { queue } of this.#lanes) queue.length = 0;
    this.#bytes = 0;
    this.#dueAt = undefined;
  }

  /** When everything that was captured before has come from the other lanes. */
  #dueTime(lane: OrderLane<T>, { at }: Waiting<T>): number {
    let due = Number.NEGATIVE_INFINITY;
    for (const other of this.#lanes) {
      if (other === lane || other.queue.length > 0 || other.newest >= at) continue;
      const { lag } = other.lags;
      if (lag !== undefined) due = Math.max(due, at + lag + MARGIN);
      else if (other.awaitedSince !== undefined) due = Math.max(due, other.awaitedSince + SILENT);
    }
    return due;
  }

  #leave(lane: OrderLane<T>): T {
    const { item, at, bytes } = lane.queue.shift()!;
    this.#bytes -= bytes;
    lane.left = Math.max(lane.left, at);
    return item;
  }
}
