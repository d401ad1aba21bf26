/** A report that is off by this many ms says something new, which has to be confirmed. */
const NEWS = 20;
/** Where reports jitter, so many times their jitter; larger errors than this are no jitter, ms. */
const NEWS_JITTER = 1.5;
const MAX_JITTER = 200;
/** Share of the jitter that is remembered from one report to the next. */
const JITTER_MEMORY = 0.95;
/**
 * How much the first reports of two tracks may differ, ms, from what their arrivals say. Cameras encode the picture 100
 * to 500 ms longer than the sound, and the first arrivals are off by what the network adds; whatever is more is a lie
 * until the next report repeats it.
 */
const LATENCY = 600;
/** Reports in a row that say something new, of which two must agree, or all but for jitter. */
const PATIENCE = 4;
/** Errors that differ by no more than this many ms are the same. */
const SAME = 20;
/** Speeds that differ by no more than this share are the same; smaller ones than the other are left to the filter. */
const SAME_SHARE = 0.2;
const GROSS_SPEED = 0.03;
/** Ms between two reports from which they say something about the speed. */
const SPEED_INTERVAL = 1000;

/** A sender report, and by how many ms it contradicts what is known. */
export interface Statement {
  readonly ticks: number;
  readonly ntp: number;
  readonly error: number;
}

/** What a judge sees of a track: its own, or another one of the stream. */
export interface Party {
  /** Reports that were believed. */
  readonly reports: number;
  /** The report that waits to be confirmed. */
  readonly doubt: Statement | undefined;
  /** Ms by which the capture clock is ahead of arrival, by the earliest arrivals; undefined before the first. */
  readonly lead: number | undefined;
}

/**
 * `believe`: nothing speaks against it. `wait`: until it is confirmed. `set`: the source has set its clock, and all
 * tracks move by the error. `move`: this track alone moves. `pace`: its clock runs at another speed.
 */
export type Verdict =
  | { readonly kind: 'believe' | 'wait' }
  | { readonly kind: 'set' | 'move'; readonly error: number }
  | { readonly kind: 'pace'; readonly skew: number };

/** What is known of the pace of a track. */
export interface PaceEvidence {
  /** Ms of media since the line was last right, for a position. */
  sinceLast(ticks: number): number;
  /** Share by which arrivals show another speed than the line has. */
  readonly arriving: number;
}

/**
 * Decides what is believed of the sender reports of one track.
 *
 * A report that says something else than the ones before is not believed alone where it would tear sound and picture
 * apart: a source that sets its clock shows it in the reports of all tracks, which then move together; a report that
 * lies stays alone; a clock that really runs at another speed shows the same error again, as much larger as time went
 * on. The first report of a track is held against arrival in the same way.
 */
export class ReportJudge {
  #reports = 0;
  #ignored = 0;
  #doubts: Statement[] = [];
  /** Largest error of a single report lately, ms. */
  #jitter = 0;

  get reports(): number {
    return this.#reports;
  }

  /** Reports that were not believed. */
  get ignored(): number {
    return this.#ignored;
  }

  get doubt(): Statement | undefined {
    return this.#doubts.at(-1);
  }

  /** A report that cannot be meant as it is. */
  ignore(): void {
    this.#ignored++;
  }

  /** The source began anew. */
  restart(): void {
    this.#reports = 0;
    this.#doubts = [];
  }

  /** A report was taken over, or by another track's the waiting one was settled. */
  settle(isBelieved = true): void {
    if (isBelieved) this.#reports++;
    this.#doubts = [];
  }

  /** @param lead of the track, as in `Party` */
  judge(report: Statement, lead: number | undefined, others: readonly Party[], pace: PaceEvidence): Verdict {
    if (others.length === 0 || !this.#isNews(report.error, lead, others)) {
      this.#ignored += this.#doubts.length;
      for (const { error } of this.#doubts) this.#jittered(error);
      if (this.#reports > 0) this.#jittered(report.error);
      return { kind: 'believe' };
    }
    const verdict = this.#confirm(report, lead, others, pace);
    if (verdict.kind === 'wait') {
      this.#doubts.push(report);
      if (this.#doubts.length <= PATIENCE) return verdict;
      this.#doubts.shift();
      this.#ignored++;
    }
    return verdict;
  }

  /** Whether the first report, which waits, agrees with arrival now: a burst of old units may have hidden that. */
  isAcceptable(error: number, lead: number | undefined, others: readonly Party[]): boolean {
    return this.#reports === 0 && !this.#isNews(error, lead, others);
  }

  #isNews(error: number, lead: number | undefined, others: readonly Party[]): boolean {
    if (this.#reports > 0) return Math.abs(error) >= Math.max(NEWS, NEWS_JITTER * this.#jitter);
    // The first reports of all move all tracks together, wherever they move them.
    return others.some(({ reports }) => reports > 0) && !isPlausible(error, lead, others);
  }

  #confirm(
    report: Statement,
    lead: number | undefined,
    others: readonly Party[],
    pace: PaceEvidence,
  ): Verdict {
    const { error } = report;
    const skew = this.#speed(report, pace);
    if (skew !== undefined) return { kind: 'pace', skew };
    const again = this.#doubts.some((doubt) => isSame(doubt.error, error));
    const reporting = others.filter(({ reports, doubt }) => reports > 0 || doubt);
    const agree = reporting.every((other) => {
      const { doubt, reports } = other;
      if (!doubt) return false;
      return isSame(doubt.error, error) || (reports === 0 && isPlausible(error - doubt.error, lead, [other]));
    });
    if (agree && (reporting.length > 0 || again)) return { kind: 'set', error };
    if (again) return { kind: isOutvoted(error, lead, others) ? 'set' : 'move', error };
    if (this.#isFirstWorse(error, lead, others)) return { kind: 'move', error };
    const errors = [...this.#doubts.slice(1 - PATIENCE).map((doubt) => doubt.error), error].sort(
      (a, b) => a - b,
    );
    const spread = errors[errors.length - 1]! - errors[0]!;
    if (errors.length < PATIENCE || spread > 2 * MAX_JITTER) return { kind: 'wait' };
    return { kind: 'move', error: errors[errors.length >> 1]! };
  }

  /** The only report so far was further from what arrivals say than this one is: one of both lies, and it is that one. */
  #isFirstWorse(error: number, lead: number | undefined, others: readonly Party[]): boolean {
    if (this.#reports !== 1 || lead === undefined) return false;
    const other = others.find((party) => party.reports > 0 && party.lead !== undefined)?.lead;
    return other !== undefined && Math.abs(lead + error - other) < Math.abs(lead - other) - NEWS;
  }

  /** Speed against the line's, when two reports in a row are off by as much as time has passed since it was right. */
  #speed({ ticks, error }: Statement, pace: PaceEvidence): number | undefined {
    const [doubt, more] = this.#doubts;
    if (!doubt || more || this.#reports === 0) return undefined;
    const [before, after] = [pace.sinceLast(doubt.ticks), pace.sinceLast(ticks)];
    if (before < SPEED_INTERVAL || after - before < SPEED_INTERVAL) return undefined;
    const [first, second] = [doubt.error / before, error / after];
    const alike = SAME_SHARE * Math.abs(second);
    if (Math.abs(first - second) > alike) return undefined;
    // A speed that is so wrong shows in the arrivals as well; two lies in a row do not.
    return Math.abs(second) < GROSS_SPEED || Math.abs(pace.arriving - second) <= alike ? second : undefined;
  }

  /** A report was off by so much, and the next one was not. */
  #jittered(error: number): void {
    const size = Math.abs(error);
    if (size <= MAX_JITTER) this.#jitter = Math.max(this.#jitter * JITTER_MEMORY, size);
  }
}

/** Whether the line, moved by `error`, lies to those of others as tracks of one camera do, by their arrivals. */
function isPlausible(error: number, lead: number | undefined, others: readonly Party[]): boolean {
  return others.every((other) => {
    if (other.reports === 0 && !other.doubt) return true;
    return lead !== undefined && other.lead !== undefined && Math.abs(lead + error - other.lead) <= LATENCY;
  });
}

/** Whether what arrivals say, and a report that was repeated, stand against the only reports of the others. */
function isOutvoted(error: number, lead: number | undefined, others: readonly Party[]): boolean {
  return others.every(({ reports }) => reports <= 1) && !isPlausible(error, lead, others);
}

function isSame(a: number, b: number): boolean {
  return Math.abs(a - b) <= SAME;
}
