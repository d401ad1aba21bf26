import { ArrivalWatch, type EarlyArrival } from './arrival-watch.ts';

/** Lag consumed, in ms per ms of media; with the skew limit below together 10 ms per second. */
const SLEW = 0.0095;
/** Largest skew believed without further ado: ten times what a bad crystal has. */
const MAX_SKEW = 0.0005;
/** An error of this many ms is a step: the source has set its clock, and slewing would take minutes. */
export const STEP = 2000;
/**
 * Errors below this many ms, or below one tick (a report is rounded to a tick), are what exact reports differ by;
 * following them would only move the mapping to and fro.
 */
const HOLD = 0.05;
/** The same for arrivals, ms: the earliest of ten seconds are not earlier by the same each time. */
const ARRIVAL_HOLD = 0.5;
/** Memory of the filter, in reports: a minute at the usual interval of 5 s. */
const MEMORY = 12;
/** Reports before the skew is believed: from fewer, jitter of 1 ms looks like hundreds of ppm. */
const SKEW_FROM = 4;
/** Ms of media between two reports from which they say something about the skew. */
const SKEW_INTERVAL = 1000;
/** A report that is off by this many ms says something new, which has to be confirmed. */
const NEWS = 20;
/** Where reports jitter, so many times their jitter; larger errors than this are no jitter, ms. */
const NEWS_JITTER = 1.5;
const MAX_JITTER = 200;
/** Share of the jitter that is remembered from one report to the next. */
const JITTER_MEMORY = 0.95;
/** The same for the first report of a track, against what the reports of the others showed. */
const FIRST_NEWS = 1000;
/** Reports that say something new and disagree with each other, until the last is taken as it is. */
const PATIENCE = 4;
/** Errors that differ by no more than this many ms, or this share, are the same. */
const SAME = 20;
const SAME_SHARE = 0.2;
/** Speeds that differ by less are left to the filter. */
const GROSS_SPEED = 0.03;
/** Timestamps that get ahead of arrival by this many ms from one unit to the next have jumped. */
const JUMP = 500;

/**
 * A report speaks of about the moment at which it is sent. One whose RTP time is further than this many seconds from
 * where the units stand is of a source that fills it with anything (some cameras send 0), and would tear the tracks
 * apart.
 */
const PLAUSIBLE = 10;

export type ClockSource = 'sender-report' | 'arrival';

/** What a track's clock is known to be, for people to look at. */
export interface ClockState {
  readonly source: ClockSource;
  /** Millionths by which the track's clock is slow (negative: fast) against its reports, else against arrival. */
  readonly skewPpm: number;
  /** Ms by which what is handed out still differs from what is known. */
  readonly lagMs: number;
}

/** What a track's clock asks of its stream's, and tells it. */
export interface StreamOffset {
  offset(): number | undefined;
  others(self: TrackClock): readonly TrackClock[];
  /** A report was believed: by it the source's clock is so many ms ahead of ours. `isOnly`: no other track has any. */
  reported(offset: number, isOnly: boolean): void;
  shift(error: number): void;
  stepped(): number;
}

/** A report that says something new. */
interface Doubt {
  readonly ticks: number;
  readonly now: number;
  readonly error: number;
  /** How many in a row, this one included. */
  readonly count: number;
}

/** The clock of one track; made by `StreamClock.track`. */
export class TrackClock {
  readonly clockRate: number;
  readonly #stream: StreamOffset;
  readonly #watch: ArrivalWatch;
  /** The estimate: wall clock `#ntp` at `#ticks`, running `1 + #skew` times as fast as its rate says. */
  #ticks = 0;
  #ntp: number | undefined;
  #skew = 0;
  /** The part of the skew that is no crystal's: pictures that are not as many as their timestamps say. */
  #gross = 0;
  /** What is handed out is the estimate plus the lag; it was `#lag` at `#lagTicks`. */
  #lag = 0;
  #lagTicks = 0;
  /** Latest position handed out. */
  #latest: number | undefined;
  /** When it arrived. */
  #latestNow = 0;
  #reports = 0;
  /** Reports or, without them, windows of arrival that the estimate was made from. */
  #observations = 0;
  /** The last report, and the last observation that the estimate was made from. */
  #lastReport = { ticks: 0, now: 0 };
  #lastTicks = 0;
  #doubt: Doubt | undefined;
  /** Largest error of a single report lately, ms. */
  #jitter = 0;
  /** Speed that arrival showed last, and when. */
  #arriving: { speed: number; now: number } | undefined;
  /** Offset of the stream in the provisional mapping. */
  #followed = 0;
  /** What arrivals are later than the provisional mapping says, by the network and not by the clock. */
  #delay = 0;
  #steps = 0;
  #ignored = 0;

  constructor(clockRate: number, stream: StreamOffset) {
    this.clockRate = clockRate;
    this.#stream = stream;
    this.#watch = new ArrivalWatch(clockRate);
  }

  get source(): ClockSource {
    return this.#reports > 0 ? 'sender-report' : 'arrival';
  }

  get state(): ClockState {
    return { source: this.source, skewPpm: this.#skew * 1e6, lagMs: this.lag };
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

  /** Skew of the source's clock against its own reports (without them: our clock), e.g. 0.0002 for 200 ppm slow. */
  get skew(): number {
    return this.#skew;
  }

  /**
   * Wall clock of capture, ms since 1970, of a unit at `ticks` that arrived at `now` (our clock, ms since 1970).
   * The first call begins the provisional mapping where no report came before.
   */
  ntpAt(ticks: number, now: number): number {
    const first = this.#latest === undefined;
    if (first && this.#reports > 0) {
      if (this.#isNear(ticks, now, this.#lastReport)) this.#tellOffset(ticks, now);
      else {
        this.#ntp = undefined;
        this.#reports = 0;
        this.#ignored++;
      }
    }
    if (this.#ntp === undefined) {
      this.#followed = this.#stream.offset() ?? 0;
      this.#ticks = ticks;
      this.#lastTicks = ticks;
      this.#ntp = now + this.#followed;
    }
    if (first) {
      this.#lag = this.#stream.others(this).find((other) => other.hasBegun)?.lag ?? 0;
      this.#lagTicks = ticks;
    }
    if (this.#latest === undefined || ticks > this.#latest) this.#arrived(ticks, now);
    return this.#estimate(ticks) + this.#lagAt(ticks);
  }

  /**
   * As `ntpAt`, without its steps: what readers are given. They would see a step of one track before that of another. A
   * source that sets its clock, or shows it late, keeps for them the one it began with.
   */
  captureAt(ticks: number, now: number): number {
    return this.ntpAt(ticks, now) - this.#stream.stepped();
  }

  /** Whether a unit of the track came yet. */
  get hasBegun(): boolean {
    return this.#latest !== undefined;
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
    this.#lastReport = { ticks, now };
    if (this.#isNews(ticks, ntp)) {
      this.#consider(ticks, ntp, now);
      return;
    }
    if (this.#doubt) {
      this.#ignored += this.#doubt.count;
      this.#jittered(this.#doubt.error);
    }
    this.#doubt = undefined;
    if (this.#ntp !== undefined && this.#reports > 0) this.#jittered(ntp - this.#estimate(ticks));
    if (this.#ntp === undefined || this.#reports === 0) this.#begin(ticks, ntp);
    else this.#refine(ticks, ntp);
    this.#believed(ticks);
  }

  /** The stream's offset is now `offset`: a provisional mapping moves along. For StreamClock only. */
  follow(offset: number): void {
    if (this.#reports > 0 || this.#ntp === undefined) return;
    this.#move(this.#ticks, this.#ntp + offset - this.#followed, this.#skew);
    this.#followed = offset;
  }

  /** The source has set its clock by `error` ms. For StreamClock only. */
  shift(error: number): void {
    this.#followed += error;
    if (this.#doubt) this.#lastTicks = this.#doubt.ticks;
    this.#doubt = undefined;
    if (this.#ntp !== undefined) this.#move(this.#ticks, this.#ntp + error, this.#skew);
  }

  /** Whether a moment lies where the clock must be by then, counted from an earlier moment. */
  #isNear(ticks: number, now: number, from: { readonly ticks: number; readonly now: number }): boolean {
    const expected = from.ticks + ((now - from.now) * this.clockRate) / 1000;
    return Math.abs(ticks - expected) <= PLAUSIBLE * this.clockRate;
  }

  /** The estimate follows the report just taken. */
  #believed(ticks: number): void {
    this.#lastTicks = ticks;
    if (this.#latest !== undefined) this.#tellOffset(this.#latest, this.#latestNow);
  }

  #tellOffset(ticks: number, now: number): void {
    const isOnly = this.#stream.others(this).every((other) => other.#reports === 0);
    this.#stream.reported(this.#estimate(ticks) - now, isOnly);
  }

  /** A unit came, later than all before it by its timestamp. */
  #arrived(ticks: number, now: number): void {
    const latest = this.#latest;
    if (latest !== undefined) {
      const ahead = this.#ms(ticks - latest) - (now - this.#latestNow);
      if (ahead > JUMP && this.#watch.isEarlier(ticks, now, JUMP)) this.#jumped(ahead);
    }
    this.#latest = ticks;
    this.#latestNow = now;
    const { early, speed } = this.#watch.observe(ticks, now);
    if (speed !== undefined) this.#arrivesAt(speed, ticks, now);
    if (early && this.#reports === 0) this.#arrivedEarly(early);
  }

  /** Timestamps jumped forward by `ms` while the capture went on. */
  #jumped(ms: number): void {
    const ticks = (ms * this.clockRate) / 1000;
    this.#ticks += ticks;
    this.#lagTicks += ticks;
    this.#lastTicks += ticks;
    this.#lastReport = { ...this.#lastReport, ticks: this.#lastReport.ticks + ticks };
    this.#watch.restart();
  }

  /** Takes over a speed that only this track shows; where all show it, the network is slow or a buffer empties. */
  #arrivesAt(speed: number, ticks: number, now: number): void {
    this.#arriving = { speed, now };
    if (this.#reports > 1 || Math.abs(speed - this.#skew) < GROSS_SPEED || this.#ntp === undefined) return;
    const others = this.#stream.others(this);
    const isAlone = others.every(({ arriving }) => {
      return arriving && now - arriving.now < 2000 && Math.abs(arriving.speed - speed) >= GROSS_SPEED;
    });
    if (!isAlone) return;
    const pivot = Math.max(this.#ticks, ticks - 4 * this.clockRate);
    this.#gross = speed;
    this.#observations = 0;
    this.#lastTicks = ticks;
    this.#move(pivot, this.#estimate(pivot), speed);
  }

  /** Speed that arrival showed last. For the other tracks of the stream only. */
  get arriving(): { readonly speed: number; readonly now: number } | undefined {
    return this.#arriving;
  }

  /** The report that is waiting to be confirmed. For the other tracks of the stream only. */
  get doubt(): Doubt | undefined {
    return this.#doubt;
  }

  /** Without reports, the units that arrive earliest say how the clock runs. */
  #arrivedEarly({ ticks, now }: EarlyArrival): void {
    const ntp = now + this.#followed - this.#delay;
    const error = ntp - this.#estimate(ticks);
    // No clock is that wrong in ten seconds: the way has become longer or shorter, or the source has paused.
    if (Math.abs(error) > NEWS * 2) this.#delay += error;
    else this.#refine(ticks, ntp, ARRIVAL_HOLD);
    this.#lastTicks = ticks;
  }

  /** Whether a report contradicts what is known, in a stream where that would part the tracks. */
  #isNews(ticks: number, ntp: number): boolean {
    if (this.#ntp === undefined || this.#stream.others(this).length === 0) return false;
    const error = Math.abs(ntp - this.#estimate(ticks));
    if (this.#reports > 0) return error >= Math.max(NEWS, NEWS_JITTER * this.#jitter);
    return this.#stream.offset() !== undefined && error >= FIRST_NEWS;
  }

  /** A report was off by so much, and the next one was not. */
  #jittered(error: number): void {
    const size = Math.abs(error);
    if (size <= MAX_JITTER) this.#jitter = Math.max(this.#jitter * JITTER_MEMORY, size);
  }

  /** Waits until a report that says something new is confirmed, and by it finds out what has happened. */
  #consider(ticks: number, ntp: number, now: number): void {
    const error = ntp - this.#estimate(ticks);
    const doubt = this.#doubt;
    const reporting = this.#stream.others(this).filter((other) => other.#reports > 0 || other.#doubt);
    const agree = reporting.every((other) => other.#doubt && isSame(other.#doubt.error, error));
    const again = doubt !== undefined && isSame(doubt.error, error);
    if (this.#isSpeed(doubt, ticks, error)) {
      const skew = this.#skew + error / this.#ms(ticks - this.#lastTicks);
      this.#gross = skew;
      this.#move(ticks, ntp, skew);
    } else if (agree && (reporting.length > 0 || again)) {
      this.#stream.shift(error);
    } else if (again || (doubt?.count ?? 0) + 1 >= PATIENCE) {
      this.#move(ticks, ntp, this.#skew);
    } else {
      this.#doubt = { ticks, now, error, count: (doubt?.count ?? 0) + 1 };
      return;
    }
    this.#doubt = undefined;
    this.#reports = Math.max(this.#reports, 1);
    this.#observations = 1;
    this.#believed(ticks);
  }

  /** Two reports in a row are off by as much as time has passed since the last that was not. */
  #isSpeed(doubt: Doubt | undefined, ticks: number, error: number): boolean {
    if (doubt?.count !== 1 || this.#reports === 0) return false;
    const [before, after] = [this.#ms(doubt.ticks - this.#lastTicks), this.#ms(ticks - this.#lastTicks)];
    if (before < SKEW_INTERVAL || after - before < SKEW_INTERVAL) return false;
    const [first, second] = [doubt.error / before, error / after];
    if (Math.abs(first - second) > SAME_SHARE * Math.abs(second)) return false;
    // A speed that is so wrong shows in the arrivals as well; two lies in a row do not.
    const arriving = this.#arriving?.speed ?? 0;
    return (
      Math.abs(second) < GROSS_SPEED ||
      Math.abs(arriving - this.#skew - second) <= SAME_SHARE * Math.abs(second)
    );
  }

  #begin(ticks: number, ntp: number): void {
    if (this.#ntp === undefined) {
      this.#ticks = ticks;
      this.#ntp = ntp;
    } else this.#move(ticks, ntp, this.#gross);
    this.#reports = 1;
    this.#observations = 1;
  }

  #refine(ticks: number, ntp: number, hold = HOLD): void {
    const predicted = this.#estimate(ticks);
    const error = ntp - predicted;
    if (this.#reports > 0) this.#reports++;
    if (Math.abs(error) >= STEP) {
      this.#move(ticks, ntp, this.#skew);
      this.#observations = 1;
      return;
    }
    const k = Math.min(++this.#observations, MEMORY);
    if (Math.abs(error) < Math.max(hold, 1000 / this.clockRate)) return;
    const elapsed = this.#ms(ticks - this.#lastTicks);
    const alpha = (2 * (2 * k - 1)) / (k * (k + 1));
    const beta = k < SKEW_FROM || elapsed < SKEW_INTERVAL ? 0 : 6 / (k * (k + 1));
    const skew = this.#skew + (beta === 0 ? 0 : (beta * error) / elapsed);
    const limit = MAX_SKEW + Math.abs(this.#gross) * SAME_SHARE;
    const within = Math.max(this.#gross - limit, Math.min(skew, this.#gross + limit));
    this.#move(ticks, predicted + alpha * error, within);
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

  #ms(ticks: number): number {
    return (ticks * 1000) / this.clockRate;
  }

  #estimate(ticks: number): number {
    return (this.#ntp ?? 0) + this.#ms(ticks - this.#ticks) * (1 + this.#skew);
  }

  #lagAt(ticks: number): number {
    if (this.#lag === 0) return 0;
    const media = Math.max(this.#ms(ticks - this.#lagTicks), 0);
    // Where the speed itself is so wrong, sound is cut or stretched by that anyhow.
    const left = Math.max(Math.abs(this.#lag) - media * (SLEW + Math.abs(this.#gross) / 2), 0);
    return this.#lag < 0 ? -left : left;
  }
}

function isSame(a: number, b: number): boolean {
  return Math.abs(a - b) <= SAME;
}
