import { STEP } from './slewed-line.ts';
import { type ClockSource, TrackClock } from './track-clock.ts';

/**
 * Maps the RTP clocks of a stream's tracks to the wall clock of the capture (DESIGN rule R1).
 *
 * A track starts with a provisional mapping by the arrival of its earliest units and gets the true one from sender
 * reports, as far as these are believed (`report-judge.ts`). The mapping is a line that is moved without a jump that
 * could be heard (`slewed-line.ts`), by a filter over what is observed (`line-filter.ts`). A track without reports
 * follows the units that arrive earliest (`arrival-watch.ts`); one whose timestamps are not the time is kept in step by
 * its arrival beside the others (`pace-watch.ts`, `pace-lock.ts`).
 */

export type { ClockState, TrackClock } from './track-clock.ts';

/** The clocks of one stream; tracks without sender reports follow the offset that the other tracks' reports show. */
export class StreamClock {
  readonly #tracks = new Map<number, TrackClock>();
  #offsets: number[] = [];
  #offset: number | undefined;
  #stepped = 0;
  #began: number | undefined;

  /** The clock of a track, made at first use. `clockRate` in ticks per second. */
  track(id: number, clockRate: number): TrackClock {
    let track = this.#tracks.get(id);
    if (!track) {
      track = new TrackClock(clockRate, {
        offset: () => this.#offset,
        others: (self) => [...this.#tracks.values()].filter((other) => other !== self),
        began: (now) => (this.#began ??= now),
        reported: (offset, isOnly) => this.#reported(offset, isOnly),
        shift: (error) => this.#shift(error),
        stepped: () => this.#stepped,
      });
      this.#tracks.set(id, track);
    }
    return track;
  }

  /** 'sender-report' as soon as one track has reports. */
  get source(): ClockSource {
    return this.#offset === undefined ? 'arrival' : 'sender-report';
  }

  /** How far the source's clock is ahead of ours in ms, network delay included; undefined before the first report. */
  get offset(): number | undefined {
    return this.#offset;
  }

  #reported(last: number, isOnly: boolean): void {
    const before = this.#offset;
    const isStep = Math.abs(last - (before ?? 0)) >= STEP;
    if (isStep) this.#offsets = [];
    this.#offsets.push(last);
    if (this.#offsets.length > 8) this.#offsets.shift();
    // The unit that travelled fastest shows the offset best; steps of the source's clock show at once.
    const best = Math.max(...this.#offsets);
    if (before !== undefined && Math.abs(best - before) < 5) return;
    this.#offset = best;
    const tracks = [...this.#tracks.values()];
    if (isStep && isOnly && tracks.some((track) => track.hasBegun)) this.#stepped += best - (before ?? 0);
    for (const track of tracks) track.follow(best);
  }

  /** The source has set its clock by `error` ms: all tracks move together. */
  #shift(error: number): void {
    this.#offsets = this.#offsets.map((offset) => offset + error);
    if (this.#offset !== undefined) this.#offset += error;
    if (Math.abs(error) >= STEP) this.#stepped += error;
    for (const track of this.#tracks.values()) track.shift(error);
  }
}
