import { type AccessUnit, payloadSize } from '#media/access-unit.ts';
import type { CaptureOrder, OrderLane } from '#media/capture-order.ts';
import { isVideo, type Track } from '#media/track.ts';
import type { Arrived, CompositionClocks, PartClock } from './composition-clocks.ts';
import { PartReader, type PartReaderInfo } from './composition-part.ts';
import type { CompositionPart, CompositionPartStatus } from './composition-spec.ts';
import { isThisMachine, knownClock } from './fill.ts';
import type { Hub } from './hub.ts';
import type { TrackClockState, TrackReception } from './publication.ts';
import { type TrackTable, withId } from './track-table.ts';

export interface LaneOptions {
  readonly part: CompositionPart;
  readonly info: PartReaderInfo;
  readonly hub: Hub;
  readonly clocks: CompositionClocks;
  readonly order: CaptureOrder<AccessUnit>;
  /** Most that is gathered while it is not known where it belongs. */
  readonly gatherMs: number;
  readonly gatherBytes: number;
  readonly changed: () => void;
  /** A unit came. */
  readonly came: () => void;
}

/** A track of the part, as its latest unit has it, and what that is in the composition. */
interface Mapped {
  source: Track;
  track: Track;
}

/**
 * One part of a composition: gathers its units until it is known where they belong, gives them the tracks and the clock
 * of the composition, and lines them up for their turn.
 */
export class CompositionLane {
  readonly reader: PartReader;
  readonly #options: LaneOptions;
  readonly #line: OrderLane<AccessUnit>;
  /** By the id that a track has in the part. */
  #mapped = new Map<number, Mapped>();
  #gathered: Arrived[] = [];
  #gatheredBytes = 0;
  /** Video tracks that go on with a keyframe, by their ids in the part. */
  readonly #needsKeyframe = new Set<number>();
  #clock: PartClock | undefined;
  #counters = { units: 0, bytes: 0, discarded: 0 };

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#line = options.order.lane();
    const { part, info, hub, changed, came } = options;
    this.reader = new PartReader(part, info, hub, {
      changed: () => {
        this.#joinClock();
        changed();
      },
      restarted: () => this.#restarted(),
      unit: (unit, isKept) => {
        this.#arrived(unit, isKept);
        came();
      },
    });
  }

  get clock(): PartClock | undefined {
    return this.#clock;
  }

  /** Units wait to be placed. */
  get isGathering(): boolean {
    return this.#gathered.length > 0;
  }

  get status(): CompositionPartStatus {
    const alignment = this.#clock && this.#options.clocks.alignmentOf(this.#clock);
    const { lag } = this.#line.lags;
    return {
      ...this.reader.status,
      ...(alignment && { alignment }),
      ...(lag !== undefined && { delayMs: Math.round(lag) }),
      ...this.#counters,
      late: this.#line.late,
    };
  }

  /** How its clocks run, by the ids of the composition; those that were aligned by arrival are known by arrival. */
  get states(): readonly TrackClockState[] | undefined {
    const { clocks } = this.#options;
    const byArrival = this.#clock && clocks.alignmentOf(this.#clock) === 'arrival';
    return this.#renamed(this.reader.clocks)?.map((state) => {
      const { name: _, ...unnamed } = state;
      if (byArrival) return { ...unnamed, source: 'arrival' };
      return clocks.isMoved ? unnamed : state;
    });
  }

  get reception(): readonly TrackReception[] | undefined {
    return this.#renamed(this.reader.reception);
  }

  /** Puts the tracks that it has now into the table; those of a part that is gone stay as they were. */
  take(table: TrackTable): void {
    const { tracks } = this.reader;
    if (tracks.length === 0) return;
    table.delete([...this.#mapped.values()].map(({ track }) => track.id));
    const ids = table.add(tracks);
    const before = this.#mapped;
    this.#mapped = new Map(
      tracks.map((source) => [source.id, { source, track: withId(source, ids.get(source.id)!) }]),
    );
    for (const source of tracks) {
      if (isVideo(source) && before.get(source.id)?.track.id !== ids.get(source.id))
        this.#needsKeyframe.add(source.id);
    }
    this.#keep(({ unit }) => this.#mapped.has(unit.track.id));
  }

  /** Has its pictures begin with a keyframe: where none is gathered any more, with the one that its stream keeps. */
  prepare(): void {
    const { reader } = this;
    const hasKeyframe = this.#gathered.some(({ unit }) => unit.keyframe && isVideo(unit.track));
    if (!reader.copiesVideo || hasKeyframe) return;
    this.#drop();
    reader.reopen();
    reader.requestKeyframe();
  }

  /** Lines up what is gathered. Only where its clock is ready. */
  release(now: number): void {
    const gathered = this.#gathered;
    // Those of tracks that the composition does not have yet wait for it.
    this.#gathered = [];
    this.#gatheredBytes = 0;
    for (const arrived of gathered) {
      const mapped = this.#mapped.get(arrived.unit.track.id);
      if (mapped) this.#lineUp(arrived, mapped, now);
      else this.#gather(arrived);
    }
  }

  /** Forgets what is gathered beyond its bounds, oldest first. */
  trim(now: number): void {
    const { gatherMs, gatherBytes } = this.#options;
    let count = 0;
    let bytes = this.#gatheredBytes;
    for (const { unit, came } of this.#gathered) {
      if (now - came <= gatherMs && bytes <= gatherBytes) break;
      bytes -= payloadSize(unit);
      this.#lose(unit);
      count++;
    }
    if (count === 0) return;
    this.#gathered.splice(0, count);
    this.#gatheredBytes = bytes;
  }

  /** Nothing of it goes out any more: it begins anew with a keyframe. */
  stop(): void {
    this.#drop();
    for (const [id, { source }] of this.#mapped) if (isVideo(source)) this.#needsKeyframe.add(id);
  }

  close(reason: string): void {
    this.reader.close(reason);
    this.#drop();
    this.#joinClock();
  }

  #joinClock(): void {
    const { clocks, hub } = this.#options;
    const { stream } = this.reader;
    const origin = stream?.clockOrigin;
    if (origin === this.#clock?.origin) return;
    const now = hub.options.clock.now();
    const before = this.#clock;
    this.#clock = origin && clocks.join(origin, this.#isOurs(), now);
    if (before) clocks.leave(before, now);
    if (origin) this.#line.begin(now);
  }

  #restarted(): void {
    const { clocks, hub } = this.#options;
    this.#joinClock();
    if (!this.#clock) return;
    const now = hub.options.clock.now();
    // What it gathered is of the publisher before, whose clock is known no longer.
    this.#drop();
    clocks.restart(this.#clock, this.#isOurs(), now);
    this.#line.begin(now);
  }

  #isOurs(): boolean {
    const publisher = this.reader.stream?.publisher;
    return publisher !== undefined && isThisMachine(publisher);
  }

  #arrived(unit: AccessUnit, isKept: boolean): void {
    const { clocks, hub } = this.#options;
    this.#joinClock();
    const { stream } = this.reader;
    const clock = this.#clock;
    if (!clock || !stream) return;
    this.#counters.units++;
    this.#counters.bytes += payloadSize(unit);
    const { origin } = clock;
    const arrived: Arrived = {
      unit,
      came: hub.options.clock.now(),
      isKept,
      ntp: origin === stream ? unit.ntp : unit.ntp - stream.ntpShift,
      originShift: origin.ntpShift,
    };
    clocks.observe(clock, arrived, () => knownClock({ clocks: () => stream.clocks ?? [] }));
    this.#gather(arrived);
  }

  #gather(arrived: Arrived): void {
    this.#gathered.push(arrived);
    this.#gatheredBytes += payloadSize(arrived.unit);
  }

  #lineUp(arrived: Arrived, mapped: Mapped, now: number): void {
    const { clocks, order, part } = this.#options;
    const { unit, came, isKept } = arrived;
    const clock = this.#clock;
    if (!clock) return this.#lose(unit);
    if (mapped.source !== unit.track) {
      mapped.source = unit.track;
      mapped.track = withId(unit.track, mapped.track.id);
    }
    const placed = clocks.place(clock, arrived, mapped.track, part.offsetMs ?? 0);
    if (!placed) {
      // Also where only readers ask for keyframes: what hangs on it cannot be shown.
      if (isVideo(unit.track) && !this.#needsKeyframe.has(unit.track.id)) this.reader.requestKeyframe();
      return this.#lose(unit);
    }
    if (unit.keyframe) this.#needsKeyframe.delete(unit.track.id);
    else if (this.#needsKeyframe.has(unit.track.id)) return void this.#counters.discarded++;
    const { pts, dts, ntp, track } = placed;
    const at = ntp - ((pts - dts) * 1000) / track.clockRate;
    order.push(this.#line, placed, { at, came: isKept ? undefined : came, bytes: payloadSize(placed) }, now);
  }

  #lose({ track }: AccessUnit): void {
    this.#counters.discarded++;
    if (isVideo(track)) this.#needsKeyframe.add(track.id);
  }

  #drop(): void {
    this.#keep(() => false);
  }

  #keep(isWanted: (arrived: Arrived) => boolean): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    for (const arrived of gathered) {
      if (isWanted(arrived)) this.#gather(arrived);
      else this.#lose(arrived.unit);
    }
  }

  #renamed<T extends { readonly track: number }>(all: readonly T[] | undefined): T[] | undefined {
    return all?.flatMap((one) => {
      const mapped = this.#mapped.get(one.track);
      return mapped ? [{ ...one, track: mapped.track.id }] : [];
    });
  }
}
