import { HeldMaximum } from '#util/held-maximum.ts';
import { EdgeEnvelope } from './edge-envelope.ts';

/** A stretch of buffered media, in seconds of the media timeline. */
export type Range = readonly [start: number, end: number];

/** What the controller looks at: the media element at one moment. */
export interface PlaybackSample {
  /** Any monotonic clock, milliseconds. */
  readonly now: number;
  /** In ascending order, as `buffered` gives them. */
  readonly ranges: readonly Range[];
  readonly currentTime: number;
}

/** What is to be done to the media element; nothing where a field is absent. */
export interface PlaybackAction {
  readonly rate?: number;
  readonly seek?: number;
}

const SLOWEST = 0.95;
const FASTEST = 1.1;
/** Farther behind than this is jumped over, seconds. */
const JUMP_BEHIND_S = 3;
/** Nearer to the edge than the target by more than this: a jump back, because slowing down would take too long. */
const JUMP_AHEAD_S = 0.8;
/**
 * Errors within this band do not change a rate of 1: a little too far away is no reason to bend the sound. Where media
 * comes unevenly the edge itself is known no better than to half of that.
 */
const CALM_BEHIND_S = 0.04;
const CALM_BEHIND_LIMIT_S = 0.12;
const CALM_AHEAD_S = 0.05;
/** Catching up leaves so much in the buffer. */
const CATCH_UP_RESERVE_S = 0.05;
/** A rate once changed is kept until the error is this small. */
const REACHED_S = 0.01;
/** How long the playhead may stand outside of what is buffered before it is moved. */
const PATIENCE_MS = 250;
/** Longest wait for the target's worth of media before playback starts with what is there. */
const START_WAIT_MS = 1_500;
const START_MINIMUM_S = 0.08;
/** In store beyond what unevenness asks for, so that decoders never wait. */
const RESERVE_S = 0.12;
/** Unevenness beyond this is not played around: it would be no live picture. */
const UNEVEN_LIMIT_S = 1.5;
const STALL_STEP_S = 0.08;
const STALL_LIMIT_S = 0.8;
const STALL_REST_MS = 20_000;

/**
 * Keeps playback at a chosen distance from the live edge: by a gentle change of the playback rate, and by a jump only
 * where that would take too long or where the playhead fell out of the buffer. It never chooses less than what the
 * unevenness of arrival needs. Pure: samples in, actions out; the media element is somebody else's.
 */
export class LiveEdge {
  readonly #envelope = new EdgeEnvelope();
  /** What the owner wants, seconds from the live edge. */
  wanted: number;
  /** What arrival needs, seconds. */
  readonly #needed = new HeldMaximum(RESERVE_S);
  #latency: number | undefined;
  #rate = 1;
  #started = false;
  #firstMedia: number | undefined;
  #outsideSince: number | undefined;
  #allowance = 0;
  #lastStall = Number.NEGATIVE_INFINITY;

  /** @param wanted seconds from the live edge. */
  constructor(wanted: number) {
    this.wanted = wanted;
  }

  /** Seconds between the playhead and the live edge that are steered for. */
  get target(): number {
    return Math.max(this.wanted, this.#needed.value + this.#allowance);
  }

  /** Distance from the live edge in seconds; undefined before playback started. */
  get latency(): number | undefined {
    return this.#latency;
  }

  get started(): boolean {
    return this.#started;
  }

  /** The live edge now, seconds of the media timeline. */
  edge(now: number): number | undefined {
    return this.#envelope.edge(now);
  }

  /** New media was buffered up to `end`. To be called after every append. */
  appended(now: number, end: number): void {
    this.#envelope.observe(now, end);
  }

  /** The publisher is gone: the wait for the next one is no pattern of arrival. */
  interrupted(): void {
    this.#envelope.interrupted();
  }

  /** Forgets everything about the media (a new source), but not what stalls taught. */
  reset(): void {
    this.#envelope.reset();
    this.#latency = undefined;
    this.#started = false;
    this.#firstMedia = undefined;
    this.#outsideSince = undefined;
    this.#rate = 1;
  }

  /** Playback ran dry: a little more distance from now on. */
  stalled(now: number): void {
    if (!this.#started || now - this.#lastStall < 500) return;
    this.#lastStall = now;
    this.#allowance = Math.min(STALL_LIMIT_S, this.#allowance + STALL_STEP_S);
  }

  update(sample: PlaybackSample): PlaybackAction {
    const { now, ranges, currentTime } = sample;
    this.#learn(now);
    const last = ranges.at(-1);
    if (!last) return {};
    if (!this.#started) return this.#start(now, last);
    const within = ranges.some(([start, end]) => currentTime >= start - 0.001 && currentTime <= end);
    if (!within) return this.#outside(now, ranges, currentTime);
    this.#outsideSince = undefined;
    return this.#steer(now, last, currentTime);
  }

  /** The viewer changed the mode: go to the new target at once instead of drifting there. */
  settle(sample: PlaybackSample): PlaybackAction {
    const last = sample.ranges.at(-1);
    const edge = this.#envelope.edge(sample.now);
    if (!last || !this.#started || edge === undefined) return {};
    return Math.abs(edge - sample.currentTime - this.target) > 0.3 ? this.#jump(sample.now, last) : {};
  }

  #learn(now: number): void {
    this.#needed.update(now, Math.min(UNEVEN_LIMIT_S, this.#envelope.unevenness) + RESERVE_S);
    if (this.#allowance > 0 && now - this.#lastStall > STALL_REST_MS) {
      this.#lastStall = now;
      this.#allowance = Math.max(0, this.#allowance - STALL_STEP_S);
    }
  }

  #start(now: number, last: Range): PlaybackAction {
    this.#firstMedia ??= now;
    const length = last[1] - last[0];
    const waited = now - this.#firstMedia;
    if (length < START_MINIMUM_S || (length < this.target && waited < START_WAIT_MS)) return {};
    this.#started = true;
    return this.#jump(now, last);
  }

  /** The playhead stands in a gap, behind all media, or beyond its end. */
  #outside(now: number, ranges: readonly Range[], currentTime: number): PlaybackAction {
    this.#outsideSince ??= now;
    const waited = now - this.#outsideSince;
    const last = ranges.at(-1) as Range;
    const next = ranges.find(([start]) => start > currentTime);
    // Beyond the end by a little: the edge was reached, and more is on its way.
    if (!next && currentTime - last[1] < 1) return this.#setRate(1);
    if (waited < PATIENCE_MS) return {};
    this.#outsideSince = undefined;
    if (next && next !== last && last[1] - next[0] < JUMP_BEHIND_S) return this.#moveTo(next[0] + 0.001);
    return this.#jump(now, last);
  }

  #steer(now: number, last: Range, currentTime: number): PlaybackAction {
    this.#latency = (this.#envelope.edge(now) ?? last[1]) - currentTime;
    // While media does not come the edge runs away: only what is in the buffer can be caught up with.
    const error = Math.min(this.#latency - this.target, last[1] - currentTime - CATCH_UP_RESERVE_S);
    if (error > JUMP_BEHIND_S) return this.#jump(now, last);
    // Back only where the media for it is still there.
    if (error < -JUMP_AHEAD_S && currentTime + error >= last[0]) return this.#jump(now, last);
    const behind = Math.min(CALM_BEHIND_LIMIT_S, Math.max(CALM_BEHIND_S, this.#envelope.unevenness / 2));
    const calm = this.#rate !== 1 ? REACHED_S : error > 0 ? behind : CALM_AHEAD_S;
    if (Math.abs(error) < calm || (this.#rate > 1 && error < 0) || (this.#rate < 1 && error > 0)) {
      return this.#setRate(1);
    }
    if (error > 0) return this.#setRate(error > 0.6 ? FASTEST : error > 0.25 ? 1.06 : 1.03);
    return this.#setRate(error < -0.15 ? SLOWEST : 0.97);
  }

  #jump(now: number, last: Range): PlaybackAction {
    const edge = this.#envelope.edge(now) ?? last[1];
    return this.#moveTo(Math.min(Math.max(last[0] + 0.001, edge - this.target), last[1]));
  }

  #moveTo(seek: number): PlaybackAction {
    this.#latency = undefined;
    this.#rate = 1;
    return { seek, rate: 1 };
  }

  #setRate(rate: number): PlaybackAction {
    if (rate === this.#rate) return {};
    this.#rate = rate;
    return { rate };
  }
}
