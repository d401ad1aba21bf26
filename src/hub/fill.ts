import type { AccessUnit } from '#media/access-unit.ts';
import { CommonClock } from '#media/common-clock.ts';
import type { Track } from '#media/track.ts';
import type { KnownClock } from '#media/track-clock.ts';
import type { Clock } from '#util/clock.ts';
import { parseStreamName } from './name.ts';
import {
  Publication,
  type PublishedStream,
  type PublisherHooks,
  type PublisherInfo,
  type Publishing,
} from './publication.ts';

/** The stream that is filled up. */
export interface FilledStream {
  /** The second source has other tracks, or other formats. */
  fillChanged(): void;
  /** A unit of the second source, with its own track and timestamps. */
  fillUnit(unit: AccessUnit): void;
  requestKeyframe(): void;
}

/**
 * The second source of one stream, which brings the kinds of media that the first does not have. It makes no stream by
 * itself: what it sends while the first is not there is let go. Its tracks stay with the stream while it is gone, so that
 * readers go on with what there is, and hear (or see) it again when it is back.
 */
export class Fill implements PublishedStream {
  /** How its capture times become the stream's. */
  readonly clock = new CommonClock();
  readonly #now: () => number;
  #publication: Publication<Fill> | undefined;
  #tracks: readonly Track[] = [];
  #stream: FilledStream | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** By its publisher's own ids, those of the last one while it is gone. */
  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  /** Undefined while it is gone. */
  get publication(): Publication<Fill> | undefined {
    return this.#publication;
  }

  publish(publisher: PublisherInfo, tracks: readonly Track[], hooks: PublisherHooks): Publication<Fill> {
    this.#publication?.terminate('Another publisher took over.');
    const ids = new Map(tracks.map(({ id }) => [id, id]));
    this.#publication = new Publication<Fill>(this, publisher, hooks, ids, this.#now());
    this.#tracks = tracks;
    this.clock.restartSecond(isThisMachine(publisher));
    this.#stream?.fillChanged();
    return this.#publication;
  }

  /** The stream of its name has begun, or (undefined) ended. */
  join(stream: FilledStream | undefined): void {
    this.#stream = stream;
    if (!stream && !this.#publication) this.#tracks = [];
  }

  /** It is not wanted any more: its tracks leave the stream. */
  end(reason: string): void {
    const publication = this.#publication;
    this.#publication = undefined;
    this.#tracks = [];
    publication?.terminate(reason);
    this.#stream?.fillChanged();
    this.#stream = undefined;
  }

  /** Only for its publication. */
  accept(publication: object, unit: AccessUnit): void {
    if (publication !== this.#publication) return;
    const { hooks } = this.#publication;
    this.clock.observeSecond({ ntp: unit.ntp, now: this.#now() }, () => knownClock(hooks));
    this.#stream?.fillUnit(unit);
  }

  /** Only for its publication. */
  changeTrack(publication: object, track: Track): void {
    if (publication !== this.#publication) return;
    this.#tracks = this.#tracks.map((known) => (known.id === track.id ? track : known));
    this.#stream?.fillChanged();
  }

  /** Only for its publication. */
  abandon(publication: object): void {
    if (publication !== this.#publication) return;
    this.#publication = undefined;
    if (!this.#stream) this.#tracks = [];
  }

  requestKeyframe(): void {
    this.#stream?.requestKeyframe();
  }
}

/** Whether a publisher is on this machine: its clock is ours. */
export function isThisMachine({ remote }: PublisherInfo): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/)?\[?(?:(?:::ffff:)?127\.\d|::1(?![0-9a-f:])|localhost(?![\w.-]))/i.test(
    remote,
  );
}

/** By what a publisher's capture times are known: of one that does not say, by arrival. */
export function knownClock({ clocks }: Pick<PublisherHooks, 'clocks'>): KnownClock {
  const all = clocks?.() ?? [];
  const name = all.find((one) => one.name !== undefined)?.name;
  const reported = all.some(({ source }) => source === 'sender-report');
  return { source: reported ? 'sender-report' : 'arrival', ...(name !== undefined && { name }) };
}

/** The second sources of all streams, by name: where whatever brings one publishes. */
export class Fills implements Publishing {
  readonly #clock: Clock;
  readonly #onNew: (name: string, fill: Fill) => void;
  readonly #fills = new Map<string, Fill>();

  /** @param onNew a stream has a second source from now on */
  constructor(clock: Clock, onNew: (name: string, fill: Fill) => void) {
    this.#clock = clock;
    this.#onNew = onNew;
  }

  get(name: string): Fill | undefined {
    return this.#fills.get(name);
  }

  publish(
    name: string,
    publisher: PublisherInfo,
    tracks: readonly Track[],
    hooks: PublisherHooks,
  ): Publication<Fill> {
    const parsed = parseStreamName(name);
    let fill = this.#fills.get(parsed);
    if (!fill) {
      fill = new Fill(() => this.#clock.now());
      this.#fills.set(parsed, fill);
      this.#onNew(parsed, fill);
    }
    return fill.publish(publisher, tracks, hooks);
  }

  /** The stream has no second source any more. */
  remove(name: string, reason: string): void {
    const fill = this.#fills.get(name);
    this.#fills.delete(name);
    fill?.end(reason);
  }
}
