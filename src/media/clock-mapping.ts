/**
 * Maps the RTP clocks of a stream's tracks to the wall clock of the capture (DESIGN rule R1).
 *
 * A track starts with a provisional mapping by the arrival of its first unit and gets the true one from sender reports.
 * Two things are kept apart: the *estimate*, the line that the reports describe, and the *lag*, by which what is handed
 * out still differs from it. A report moves the estimate and sets the lag so that the outcome is continuous; the lag
 * then shrinks by at most 10 ms for each second of media (1 %, below what is heard as a change of pitch).
 *
 * The estimate is a least-squares line over the reports (alpha-beta filter with growing, then fading memory), so jitter
 * of single reports is averaged and a constant skew of the clock, which no source is free of, leaves no error behind.
 */

/** Lag consumed, in ms per ms of media; with the skew limit below together 10 ms per second. */
const SLEW = 0.0095;
/** Largest skew believed: ten times what a bad crystal has. */
const MAX_SKEW = 0.0005;
/** An error of this many ms is a step: the source has set its clock, and slewing would take minutes. */
const STEP = 2000;
/**
 * Errors below this many ms, or below one tick (a report is rounded to a tick), are what exact reports differ by;
 * following them would only move the mapping to and fro.
 */
const HOLD = 0.05;
/** Memory of the filter, in reports: a minute at the usual interval of 5 s. */
const MEMORY = 12;
/** Reports before the skew is believed: from fewer, jitter of 1 ms looks like hundreds of ppm. */
const SKEW_FROM = 4;
/** Ms of media between two reports from which they say something about the skew. */
const SKEW_INTERVAL = 1000;

/**
 * A report speaks of about the moment at which it is sent. One whose RTP time is further than this many seconds from
 * where the units stand is of a source that fills it with anything (some cameras send 0), and would tear the tracks
 * apart.
 */
const PLAUSIBLE = 10;

export type ClockSource = 'sender-report' | 'arrival';

/** The clocks of one stream; tracks without sender reports follow the offset that the other tracks' reports show. */
export class StreamClock {
  readonly #tracks = new Map<number, TrackClock>();
  #offsets: number[] = [];
  #offset: number | undefined;

  /** The clock of a track, made at first use. `clockRate` in ticks per second. */
  track(id: number, clockRate: number): TrackClock {
    let track = this.#tracks.get(id);
    if (!track) {
      track = new TrackClock(clockRate, {
        offset: () => this.#offset,
        reported: (ntp, now) => this.#reported(ntp, now),
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

  #reported(ntp: number, now: number): void {
    this.#offsets.push(ntp - now);
    if (this.#offsets.length > 8) this.#offsets.shift();
    // The report that travelled fastest shows the offset best; steps of the source's clock show at once.
    const last = ntp - now;
    const best =
      this.#offset !== undefined && Math.abs(last - this.#offset) >= STEP ? last : Math.max(...this.#offsets);
    if (best === last && this.#offset !== undefined && Math.abs(last - this.#offset) >= STEP)
      this.#offsets = [last];
    if (this.#offset !== undefined && Math.abs(best - this.#offset) < 5) return;
    this.#offset = best;
    for (const track of this.#tracks.values()) track.follow(best);
  }
}

interface StreamOffset {
  offset(): number | undefined;
  reported(ntp: number, now: number): void;
}

/** The clock of one track; made by `StreamClock.track`. */
export class TrackClock {
  readonly clockRate: number;
  readonly #stream: StreamOffset;
  /** The estimate: wall clock `#ntp` at `#ticks`, running `1 + #skew` times as fast as its rate says. */
  #ticks = 0;
  #ntp: number | undefined;
  #skew = 0;
  /** What is handed out is the estimate plus the lag; it was `#lag` at `#lagTicks`. */
  #lag = 0;
  #lagTicks = 0;
  /** Latest position handed out. */
  #latest: number | undefined;
  /** When it arrived. */
  #latestNow = 0;
  #reports = 0;
  #lastReport = { ticks: 0, now: 0 };
  /** Offset of the stream in the provisional mapping. */
  #followed = 0;
  #steps = 0;
  #ignored = 0;

  constructor(clockRate: number, stream: StreamOffset) {
    this.clockRate = clockRate;
    this.#stream = stream;
  }

  get source(): ClockSource {
    return this.#reports > 0 ? 'sender-report' : 'arrival';
  }

  /** Jumps of the mapping so far: errors of 2 s or more. */
  get steps(): number {
    return this.#steps;
  }

  /** Reports that were not believed. */
  get ignored(): number {
    return this.#ignored;
  }

  /** Error of the mapping in ms still to be slewed away at the latest position. */
  get lag(): number {
    return this.#latest === undefined ? 0 : this.#lagAt(this.#latest);
  }

  /** Skew of the source's clock against its own reports, e.g. 0.0002 for 200 ppm slow. */
  get skew(): number {
    return this.#skew;
  }

  /**
   * Wall clock of capture, ms since 1970, of a unit at `ticks` that arrived at `now` (our clock, ms since 1970).
   * The first call begins the provisional mapping where no report came before.
   */
  ntpAt(ticks: number, now: number): number {
    if (this.#latest === undefined && this.#reports > 0 && !this.#isNear(ticks, now, this.#lastReport)) {
      this.#ntp = undefined;
      this.#reports = 0;
      this.#ignored++;
    }
    if (this.#ntp === undefined) {
      this.#followed = this.#stream.offset() ?? 0;
      this.#ticks = ticks;
      this.#ntp = now + this.#followed;
    }
    if (this.#latest === undefined || ticks > this.#latest) {
      this.#latest = ticks;
      this.#latestNow = now;
    }
    return this.#estimate(ticks) + this.#lagAt(ticks);
  }

  /** A sender report: at `ticks` the source's wall clock was `ntp` (ms since 1970); it arrived at `now`. */
  report(ticks: number, ntp: number, now: number): void {
    const latest = this.#latest;
    const isNear = latest === undefined || this.#isNear(ticks, now, { ticks: latest, now: this.#latestNow });
    if (!Number.isFinite(ntp) || !isNear) {
      this.#ignored++;
      return;
    }
    if (this.#reports > 0 && ticks <= this.#lastReport.ticks) {
      // A report from before the last one says nothing new; much earlier means that the source began anew.
      if (this.#lastReport.ticks - ticks < 10 * this.clockRate) return;
      this.#reports = 0;
    }
    if (this.#ntp === undefined || this.#reports === 0) this.#begin(ticks, ntp);
    else this.#refine(ticks, ntp);
    this.#lastReport = { ticks, now };
    this.#stream.reported(ntp, now);
  }

  /** The stream's offset is now `offset`: a provisional mapping moves along. For StreamClock only. */
  follow(offset: number): void {
    if (this.#reports > 0 || this.#ntp === undefined) return;
    this.#move(this.#ticks, this.#ntp + offset - this.#followed, this.#skew);
    this.#followed = offset;
  }

  /** Whether a moment lies where the clock must be by then, counted from an earlier moment. */
  #isNear(ticks: number, now: number, from: { readonly ticks: number; readonly now: number }): boolean {
    const expected = from.ticks + ((now - from.now) * this.clockRate) / 1000;
    return Math.abs(ticks - expected) <= PLAUSIBLE * this.clockRate;
  }

  #begin(ticks: number, ntp: number): void {
    if (this.#ntp === undefined) {
      this.#ticks = ticks;
      this.#ntp = ntp;
    } else this.#move(ticks, ntp, 0);
    this.#reports = 1;
  }

  #refine(ticks: number, ntp: number): void {
    const predicted = this.#estimate(ticks);
    const error = ntp - predicted;
    if (Math.abs(error) >= STEP) {
      this.#move(ticks, ntp, this.#skew);
      this.#reports = 1;
      return;
    }
    const k = Math.min(++this.#reports, MEMORY);
    if (Math.abs(error) < Math.max(HOLD, 1000 / this.clockRate)) return;
    const elapsed = ((ticks - this.#lastReport.ticks) * 1000) / this.clockRate;
    const alpha = (2 * (2 * k - 1)) / (k * (k + 1));
    const beta = k < SKEW_FROM || elapsed < SKEW_INTERVAL ? 0 : 6 / (k * (k + 1));
    const skew = this.#skew + (beta * error) / elapsed;
    this.#move(ticks, predicted + alpha * error, Math.max(-MAX_SKEW, Math.min(skew, MAX_SKEW)));
  }

  /** Sets the estimate; what is handed out stays continuous, unless the error is a step. */
  #move(ticks: number, ntp: number, skew: number): void {
    const at = this.#latest;
    const before = at === undefined ? undefined : this.#estimate(at) + this.#lagAt(at);
    this.#ticks = ticks;
    this.#ntp = ntp;
    this.#skew = skew;
    this.#lag = 0;
    if (at === undefined || before === undefined) return;
    const lag = before - this.#estimate(at);
    if (Math.abs(lag) >= STEP) {
      this.#steps++;
      return;
    }
    this.#lag = lag;
    this.#lagTicks = at;
  }

  #estimate(ticks: number): number {
    return (this.#ntp ?? 0) + (((ticks - this.#ticks) * 1000) / this.clockRate) * (1 + this.#skew);
  }

  #lagAt(ticks: number): number {
    if (this.#lag === 0) return 0;
    const media = Math.max(((ticks - this.#lagTicks) * 1000) / this.clockRate, 0);
    const left = Math.max(Math.abs(this.#lag) - media * SLEW, 0);
    return this.#lag < 0 ? -left : left;
  }
}
