import type { Result } from '#algorithms/contract.ts';
import { boxesFor, type DrawnBox, type PlayMode } from '#algorithms/overlay/boxes.ts';
import { ResultDelays } from '#algorithms/overlay/result-delay.ts';
import { ResultStore } from '#algorithms/overlay/results.ts';
import type { RunInfo } from './protocol.ts';
import { Rate } from './rate.ts';
import type { PlayerSnapshot } from './snapshot.ts';
import { StepTarget } from './step-target.ts';

/** What belongs on one frame. */
export interface FrameContent {
  /** The frame's timestamp as results have it, 90 kHz ticks. */
  readonly pts: number;
  readonly boxes: readonly DrawnBox[];
  /** The result that was computed from this very frame; the first where several algorithms looked at it. */
  readonly measured: Result | undefined;
}

/** The results of one stream: which belong on which frame, how late they come, and how long to wait for them. */
export class StreamResults {
  readonly #store = new ResultStore();
  readonly #delays = new ResultDelays();
  readonly #rate = new Rate(5_000);
  #stepTarget = new StepTarget();
  #runs: readonly RunInfo[] = [];
  #due = { due: 0, shown: 0 };
  /** Timestamp of the last frame. */
  #last: number | undefined;

  get runs(): readonly RunInfo[] {
    return this.#runs;
  }

  set runs(runs: readonly RunInfo[]) {
    this.#runs = runs;
    const running = new Set(runs.map((run) => run.algorithm));
    this.#store.keepOnly(running);
    this.#delays.keepOnly(running);
    if (runs.length === 0) this.#stepTarget = new StepTarget();
    const ages = runs.map(({ statistics }) => (statistics.inferred > 0 ? statistics.resultAgeMs.p95 : 0));
    const oldest = Math.max(0, ...ages);
    if (oldest > 0) this.#stepTarget.expect(oldest);
  }

  /** @param now `performance.now()`. @param edge the live edge now, seconds, where it is known */
  add(result: Result, now: number, edge: number | undefined): void {
    this.#store.add(result);
    this.#rate.add(now);
    if (edge === undefined) return;
    const delay = edge * 1000 - result.pts / 90;
    if (Math.abs(delay) < 30_000) this.#delays.add(result.algorithm, now, delay);
    if (this.#last !== undefined && result.pts <= this.#last) this.#due.due++;
  }

  /** What is to be drawn on a frame now. */
  on(framePts: number, mode: PlayMode): FrameContent {
    const pts = this.#store.exact(framePts);
    this.#last = pts;
    const boxes: DrawnBox[] = [];
    let measured: Result | undefined;
    for (const track of this.#store.tracks) {
      boxes.push(...boxesFor(track, pts, mode));
      const result = track.at(pts);
      if (!result) continue;
      this.#due.due++;
      this.#due.shown++;
      measured ??= result;
    }
    return { pts, boxes, measured };
  }

  /** Seconds by which to stay behind the live edge so that results are there before their frame; undefined without runs. */
  hold(now: number): number | undefined {
    return this.#runs.length > 0 ? this.#stepTarget.update(now, this.#delays.hold) : undefined;
  }

  /** From now on is counted anew which results were shown. */
  recount(): void {
    this.#due = { due: 0, shown: 0 };
  }

  /** The live edge is seen by another source now. */
  forgetDelays(): void {
    this.#delays.clear();
  }

  /** Another timeline begins, which may use the same numbers for other pictures. */
  clear(): void {
    this.#store.clear();
    this.#delays.clear();
    this.recount();
    this.#last = undefined;
  }

  /** For the panel. */
  figures(now: number): PlayerSnapshot['results'] {
    return {
      rate: this.#rate.at(now),
      p50Ms: this.#delays.quantile(0.5),
      p95Ms: this.#delays.quantile(0.95),
      ...this.#due,
    };
  }
}
