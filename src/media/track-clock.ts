import { type Arrival, ArrivalWatch } from './arrival-watch.ts';
import { LineFilter } from './line-filter.ts';
import { PaceLock } from './pace-lock.ts';
import { type Bin, PaceWatch } from './pace-watch.ts';
import { type Party, ReportJudge, type Statement, type Verdict } from './report-judge.ts';
import { SlewedLine } from './slewed-line.ts';

/** Memory of the filter, in reports: a minute at the usual interval of 5 s. */
const MEMORY = 12;
/** Errors of reports below this many ms, or below one tick to which they are rounded, are not followed. */
const HOLD = 0.05;
/** The same for arrivals, ms: the earliest of ten seconds are not earlier by the same each time. */
const ARRIVAL_HOLD = 0.5;
/** An error in the earliest arrivals of a window, ms, that no clock can have. */
const OTHER_WAY = 40;
/**
 * So many ms after its first unit a track may still be put at once to where its first report or an earlier arrival shows
 * it: players have hardly begun, and a slew would leave sound and picture apart for half a minute.
 */
const SETTLE = 500;
/** So many ms any earlier arrival is followed; after them, the windows show more than one unit does. */
const BEGINNING = 10_000;
/** Timestamps that get ahead of arrival by this many ms from one unit to the next have jumped. */
const JUMP = 500;
/** Ms for which a pace that arrivals have shown says something about the reports that follow. */
const PACE_MEMORY = 10_000;

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
  /** Of the clock that its reports are of, where they say so in a way that is believed (`clock-name.ts`). */
  readonly name?: string;
}

/** How a source's clock is known. */
export type KnownClock = Pick<ClockState, 'source' | 'name'>;

/** What a track's clock asks of its stream's, and tells it. */
export interface StreamOffset {
  offset(): number | undefined;
  others(self: TrackClock): readonly TrackClock[];
  /** When the stream's first unit came. */
  began(now: number): number;
  /** By its reports the source's clock is so many ms ahead of ours. `isStep`: they may show that it was set. */
  reported(offset: number, isStep: boolean): void;
  shift(error: number): void;
  stepped(): number;
}

/** The clock of one track; made by `StreamClock.track`. */
export class TrackClock implements Party {
  readonly clockRate: number;
  readonly #stream: StreamOffset;
  readonly #line: SlewedLine;
  readonly #filter: LineFilter;
  readonly #judge = new ReportJudge();
  readonly #watch: ArrivalWatch;
  readonly #pace: PaceWatch;
  #lock: PaceLock | undefined;
  /** Slope that arrivals showed last, and when. */
  #pacing = { slope: 0, now: Number.NEGATIVE_INFINITY };
  /** Our clock at the first unit. */
  #began: number | undefined;
  /** The latest unit by its timestamp. */
  #latest: Arrival | undefined;
  #lastReport: Arrival | undefined;
  /** A report that came before the first unit. */
  #waiting: { readonly ticks: number; readonly ntp: number; readonly now: number } | undefined;
  /** Offset of the stream in the provisional mapping. */
  #followed = 0;
  /** What arrivals are later than the provisional mapping says, by the network and not by the clock. */
  #delay = 0;

  constructor(clockRate: number, stream: StreamOffset) {
    this.clockRate = clockRate;
    this.#stream = stream;
    this.#line = new SlewedLine(clockRate);
    this.#filter = new LineFilter(this.#line);
    this.#watch = new ArrivalWatch(clockRate);
    this.#pace = new PaceWatch(clockRate);
  }

  get source(): ClockSource {
    return this.reports > 0 ? 'sender-report' : 'arrival';
  }

  get state(): ClockState {
    return { source: this.source, skewPpm: this.skew * 1e6, lagMs: this.lag };
  }

  /** Jumps of the mapping so far: errors of 2 s or more. */
  get steps(): number {
    return this.#line.steps;
  }

  /** Reports that were not believed. */
  get ignored(): number {
    return this.#judge.ignored;
  }

  /** Error of the mapping in ms still to be slewed away at the latest position. */
  get lag(): number {
    return this.#latest ? this.#line.lagAt(this.#latest.ticks) : 0;
  }

  /** Skew of the source's clock against its own reports (without them: our clock), e.g. 0.0002 for 200 ppm slow. */
  get skew(): number {
    return this.#line.skew;
  }

  /** Whether the time of a unit was handed out yet. */
  get hasBegun(): boolean {
    return this.#line.latest !== undefined;
  }

  /** Reports that were believed. */
  get reports(): number {
    return this.#judge.reports;
  }

  /** The report that waits to be confirmed. For the other tracks of the stream only. */
  get doubt(): Statement | undefined {
    return this.#judge.doubt;
  }

  /** Ms by which the capture clock is ahead of the earliest arrivals. For the other tracks of the stream only. */
  get lead(): number | undefined {
    const unit = this.#lock ? this.#latest : (this.#watch.earliest ?? this.#latest);
    return unit && this.#line.estimate(unit.ticks) - unit.now;
  }

  /**
   * Wall clock of capture, ms since 1970, of a unit at `ticks` that arrived at `now` (our clock, ms since 1970).
   * The first call begins the provisional mapping.
   */
  ntpAt(ticks: number, now: number): number {
    if (!this.#latest) this.#begin({ ticks, now });
    else if (ticks > this.#latest.ticks) this.#arrived({ ticks, now }, this.#latest);
    return this.#line.at(ticks);
  }

  /**
   * As `ntpAt`, without its steps: what readers are given. They would see a step of one track before that of another. A
   * source that sets its clock, or shows it late, keeps for them the one it began with.
   */
  captureAt(ticks: number, now: number): number {
    return this.ntpAt(ticks, now) - this.#stream.stepped();
  }

  /** A sender report: at `ticks` the source's wall clock was `ntp` (ms since 1970); it arrived at `now`. */
  report(ticks: number, ntp: number, now: number): void {
    const last = this.#waiting ?? this.#lastReport;
    if (!Number.isFinite(ntp) || (this.#latest && !this.#isNear(ticks, now, this.#latest))) {
      this.#judge.ignore();
      return;
    }
    if (last && ticks <= last.ticks) {
      // A report from before the last one says nothing new; much earlier means that the source began anew.
      if (last.ticks - ticks < 10 * this.clockRate) return;
      this.#judge.restart();
    }
    if (!this.#latest) {
      this.#waiting = { ticks, ntp, now };
      return;
    }
    this.#lastReport = { ticks, now };
    const report = { ticks, ntp, error: ntp - this.#line.estimate(ticks) };
    const verdict = this.#judge.judge(report, this.lead, this.#stream.others(this), {
      sinceLast: (at) => this.#line.ms(at - this.#filter.lastTicks),
      arriving: this.#arriving(now),
    });
    this.#follow(report, verdict, now);
  }

  /** The stream's offset is now `offset`: a provisional mapping moves along. For StreamClock only. */
  follow(offset: number): void {
    if (this.reports > 0 || !this.#latest) return;
    const error = offset - this.#followed;
    this.#line.shift(error, this.#isSettling(this.#latest.now));
    this.#lock?.moved(error);
    this.#followed = offset;
  }

  /** The source has set its clock by `error` ms. For StreamClock only. */
  shift(error: number): void {
    this.#followed += error;
    this.#line.shift(error);
    if (this.#lock?.isAlone) this.#lock.moved(error);
    const { doubt } = this.#judge;
    if (doubt && this.reports === 0) this.#takeFirst(doubt, this.#latest?.now ?? 0);
    else if (doubt) {
      this.#filter.skip(doubt.ticks);
      this.#judge.settle(false);
    }
  }

  /** Whether a moment lies where the clock must be by then, counted from an earlier moment. */
  #isNear(ticks: number, now: number, from: Arrival): boolean {
    const expected = from.ticks + ((now - from.now) * this.clockRate) / 1000;
    return Math.abs(ticks - expected) <= PLAUSIBLE * this.clockRate;
  }

  #isSettling(now: number): boolean {
    return now - (this.#began ?? now) < SETTLE;
  }

  /** The first unit came. */
  #begin(unit: Arrival): void {
    const { ticks, now } = unit;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#followed = this.#stream.offset() ?? 0;
    this.#line.move(ticks, now + this.#followed, 0);
    this.#line.begin(ticks, this.#stream.others(this).find((other) => other.hasBegun)?.lag ?? 0);
    this.#filter.restart(ticks, 0);
    this.#began = now;
    this.#take(unit);
    if (waiting && !this.#isNear(ticks, now, waiting)) this.#judge.ignore();
    else if (waiting) this.report(waiting.ticks, waiting.ntp, waiting.now);
    this.#line.latest = ticks;
  }

  /** A unit came, later than all before it by its timestamp. */
  #arrived(unit: Arrival, latest: Arrival): void {
    const ahead = this.#line.ms(unit.ticks - latest.ticks) - (unit.now - latest.now);
    if (ahead > JUMP && this.#watch.isEarlier(unit, JUMP)) this.#leapt(ahead);
    this.#line.latest = unit.ticks;
    this.#take(unit);
    this.#reconsider(unit.now);
  }

  #take(unit: Arrival): void {
    const { now } = unit;
    const isEarliest = now - (this.#began ?? now) < BEGINNING && this.#watch.isEarlier(unit, 0);
    this.#latest = unit;
    const early = this.#watch.observe(unit, this.#stream.began(now));
    const bin = this.#pace.observe(unit);
    if (bin) this.#binned(bin, now);
    if (isEarliest) this.#arrivedEarlier(unit);
    if (early && this.reports === 0 && !this.#lock) this.#arrivedEarly(early);
  }

  /** Timestamps jumped forward by `ms` while the capture went on. */
  #leapt(ms: number): void {
    const ticks = (ms * this.clockRate) / 1000;
    this.#line.leap(ticks);
    this.#filter.skip(this.#filter.lastTicks + ticks);
    if (this.#lastReport) this.#lastReport = { ...this.#lastReport, ticks: this.#lastReport.ticks + ticks };
    this.#watch.restart();
    this.#pace.restart();
  }

  /** In the beginning, a unit that took a shorter way than all before it shows where the track stands. */
  #arrivedEarlier({ ticks, now }: Arrival): void {
    if (this.reports > 0) {
      this.#stream.reported(this.#line.estimate(ticks) - now, false);
      return;
    }
    const ntp = now + this.#followed - this.#delay;
    if (this.#lock || ntp >= this.#line.estimate(ticks)) return;
    this.#line.move(ticks, ntp, this.skew, this.#isSettling(now));
  }

  /** Without reports, the units that arrive earliest say how the clock runs. */
  #arrivedEarly({ ticks, now }: Arrival): void {
    const ntp = now + this.#followed - this.#delay;
    const error = ntp - this.#line.estimate(ticks);
    if (Math.abs(error) > OTHER_WAY) {
      // The way has become longer or shorter, or the source has paused.
      this.#delay += error;
      this.#filter.skip(ticks);
    } else this.#filter.take(ticks, ntp, { memory: MEMORY, hold: this.#hold(ARRIVAL_HOLD) });
  }

  /** The earliest unit of a bin is known: is the track as late against another one as before? */
  #binned(bin: Bin, now: number): void {
    const others = this.#stream.others(this);
    const other = others.find((one) => one.#pace.at(bin.index));
    if (!other && others.some((one) => one.#pace.isAlive(now))) return;
    const reference = other && other.#pace.at(bin.index);
    const lateOf = ({ ticks, now: at }: Bin) => (other ? at - other.#line.estimate(ticks) : 0);
    if (this.#lock) {
      if (this.#lock.keep(bin, reference, lateOf)) return;
      this.#lock = undefined;
      this.#line.gross = 0;
      this.#pace.restart();
      return;
    }
    const pace = this.#pace.compare(bin, reference);
    if (!pace) return;
    this.#pacing = { slope: pace.slope, now };
    // Reports that agree with the timestamps show that these are the time, and that something holds the track up.
    if (this.reports <= 1) this.#lock = new PaceLock(this.#line, this.#filter, pace, lateOf);
  }

  /** Share by which arrivals show another speed than the line has. */
  #arriving(now: number): number {
    const { slope, now: at } = this.#pacing;
    return this.#lock || now - at > PACE_MEMORY ? 0 : 1 / (1 - slope) - 1 - this.skew;
  }

  /** Takes a first report over that waits, when by now it agrees with arrival; the other tracks' may, too. */
  #reconsider(now: number): void {
    for (const track of [this, ...this.#stream.others(this)]) {
      const { doubt } = track;
      if (!doubt || track.reports > 0) continue;
      const error = doubt.ntp - track.#line.estimate(doubt.ticks);
      if (track.#judge.isAcceptable(error, track.lead, track.#stream.others(track)))
        track.#takeFirst(doubt, now);
    }
  }

  #takeFirst({ ticks, ntp }: Statement, now: number): void {
    this.#moveBy(ntp - this.#line.estimate(ticks), ticks, this.#isSettling(now));
  }

  #follow(report: Statement, verdict: Verdict, now: number): void {
    const { ticks, ntp, error } = report;
    switch (verdict.kind) {
      case 'wait':
        return;
      case 'set':
        this.#judge.settle(this.reports === 0);
        this.#stream.shift(error);
        this.#filter.restart(ticks, 1);
        return this.#tellOffset();
      case 'move':
        return this.#moveBy(verdict.error, ticks);
      case 'pace':
        this.#line.gross = this.skew + verdict.skew;
        this.#line.move(ticks, ntp, this.#line.gross);
        this.#filter.restart(ticks, 1);
        this.#judge.settle();
        return this.#tellOffset();
      case 'believe':
        if (this.reports === 0) return this.#takeFirst(report, now);
        this.#judge.settle();
        if (this.#lock) {
          // Half of what the two differ by is taken for the jitter of arrivals.
          this.#line.shift(error);
          this.#lock.moved(error / 2);
        } else this.#filter.take(ticks, ntp, { memory: MEMORY, hold: this.#hold(HOLD) });
        return this.#tellOffset();
    }
  }

  /** A report was believed that puts the track elsewhere. */
  #moveBy(error: number, ticks: number, atOnce = false): void {
    const { gross } = this.#line;
    this.#line.move(ticks, this.#line.estimate(ticks) + error, gross || this.skew, atOnce);
    this.#lock?.moved(error);
    if (!this.#lock) this.#filter.restart(ticks, 1);
    this.#judge.settle();
    this.#tellOffset();
  }

  #hold(ms: number): number {
    return Math.max(ms, 1000 / this.clockRate);
  }

  #tellOffset(): void {
    if (!this.#latest) return;
    const isOnly = this.#stream.others(this).every((other) => other.reports === 0);
    this.#stream.reported(this.#line.estimate(this.#latest.ticks) - this.#latest.now, isOnly);
  }
}
