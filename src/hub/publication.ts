import type { AccessUnit } from '#media/access-unit.ts';
import type { ClockState } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';

export interface PublisherInfo {
  readonly id: string;
  /** The door it came through (`rtsp`, …) or `source`. */
  readonly door: string;
  readonly remote: string;
}

/** What was lost of a track on the way from its publisher. */
export interface TrackReception {
  readonly track: number;
  readonly packets: number;
  /** Packets that never came, or too late; `late` and `duplicate` count those that came and were left out. */
  readonly lost: number;
  readonly late: number;
  readonly duplicate: number;
  /** Pictures left out between a loss and the next keyframe. */
  readonly concealed: number;
}

/** How the clock of one of a publisher's tracks runs. */
export interface TrackClockState extends ClockState {
  /** Id of the track. */
  readonly track: number;
}

/** What the stream asks of its publisher's session. */
export interface PublisherHooks {
  /** The publication is over, and not by the publisher's own `close`. */
  onClose(reason: string): void;
  /** Some reader lost video; a protocol that can ask for a keyframe does. */
  readonly requestKeyframe?: (() => void) | undefined;
  /** How its packets arrive, by its own track ids, where there are packets that can be lost. */
  reception?(): readonly TrackReception[];
  /** How its clocks run, by its own track ids, where it measures them. */
  clocks?(): readonly TrackClockState[];
  /** The stream whose capture times are passed on as they are; undefined: they are the publisher's own. */
  clockOrigin?(): ClockOrigin | undefined;
}

/** A stream whose publisher says when its units were captured. */
export interface ClockOrigin {
  /** Ms that are added to the capture times that its publisher says, since they went on from the one before. */
  readonly ntpShift: number;
  /** Of its clock, as reports say it (`media/clock-name.ts`). */
  readonly clockName: string;
}

/** What a publication does to its stream. */
export interface PublishedStream {
  readonly tracks: readonly Track[];
  accept(publication: object, unit: AccessUnit, trackId: number): void;
  changeTrack(publication: object, track: Track): void;
  abandon(publication: object, reason: string): void;
  requestKeyframe(): void;
}

/** Where a publisher's media go, whichever part of a stream it brings. */
export type Outlet = Pick<Publication, 'closed' | 'write' | 'changeTrack' | 'requestKeyframe' | 'close'>;

/** Where publishing begins: all of a stream (the hub), what is missing of it, or what stands in for it. */
export interface Publishing {
  /** @throws NamedError STREAM_NAME_INVALID, STREAM_BUSY */
  publish(name: string, publisher: PublisherInfo, tracks: readonly Track[], hooks: PublisherHooks): Outlet;
}

/** A publisher's hold on a stream. */
export class Publication<S extends PublishedStream = PublishedStream> {
  readonly stream: S;
  readonly publisher: PublisherInfo;
  readonly hooks: PublisherHooks;
  readonly since: number;
  /** The publisher's track ids → the stream's. */
  #ids: ReadonlyMap<number, number>;
  readonly #seen = new Map<number, Track>();
  #closed = false;

  constructor(
    stream: S,
    publisher: PublisherInfo,
    hooks: PublisherHooks,
    ids: ReadonlyMap<number, number>,
    since: number,
  ) {
    this.stream = stream;
    this.publisher = publisher;
    this.hooks = hooks;
    this.since = since;
    this.#ids = ids;
  }

  /** Only for the stream: from now on the publisher's tracks have these ids. */
  rename(ids: ReadonlyMap<number, number>): void {
    this.#ids = ids;
    this.#seen.clear();
  }

  /** Asks whoever brings the picture for a keyframe, where its protocol can; throttled. */
  requestKeyframe(): void {
    this.stream.requestKeyframe();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** As the publisher's door counts it, by the stream's track ids. */
  get reception(): readonly TrackReception[] | undefined {
    return this.hooks.reception?.().map((one) => ({ ...one, track: this.#ids.get(one.track) ?? one.track }));
  }

  /** How the publisher's clocks run, by the stream's track ids. */
  get clocks(): readonly TrackClockState[] | undefined {
    return this.hooks.clocks?.().map((one) => ({ ...one, track: this.#ids.get(one.track) ?? one.track }));
  }

  /**
   * Takes one access unit. A unit that carries a new Track object of a known id changes that track's format first.
   * Units of unknown tracks, and after the end, are ignored.
   */
  write(unit: AccessUnit): void {
    if (this.#closed) return;
    const id = this.#ids.get(unit.track.id);
    if (id === undefined) return;
    const seen = this.#seen.get(id);
    if (seen !== unit.track) {
      this.#seen.set(id, unit.track);
      const current = this.stream.tracks.find((track) => track.id === id);
      if (current?.format !== unit.track.format) this.changeTrack(unit.track);
    }
    this.stream.accept(this, unit, id);
  }

  /** Announces a new format of a known track (by the publisher's own track id). */
  changeTrack(track: Track): void {
    const id = this.#ids.get(track.id);
    if (this.#closed || id === undefined) return;
    this.stream.changeTrack(this, id === track.id ? track : { ...track, id });
  }

  /** The publisher leaves; readers are held for a while. Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stream.abandon(this, reason);
  }

  /** Only for the stream: ends the publication against the publisher's will. */
  terminate(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.hooks.onClose(reason);
  }
}
