import type { AccessUnit } from '#media/access-unit.ts';
import { payloadSize } from '#media/access-unit.ts';
import { newClockName } from '#media/clock-name.ts';
import { isVideo, type Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { Emitter } from '#util/emitter.ts';
import { NamedError } from '#util/named-error.ts';
import { RateLimit } from '#util/rate-limit.ts';
import { Continuity } from './continuity.ts';
import { Feed, type FeedLimits, type FeedWriter } from './feed.ts';
import { FeedSet } from './feed-set.ts';
import { type Fill, isThisMachine, knownClock } from './fill.ts';
import { FillTracks } from './fill-tracks.ts';
import { Hold } from './hold.ts';
import { type KnownOrder, PictureOrders } from './picture-order.ts';
import {
  type ClockOrigin,
  Publication as PublicationOf,
  type PublisherHooks,
  type PublisherInfo,
  type TrackClockState,
  type TrackReception,
} from './publication.ts';
import { RecentUnits } from './recent-units.ts';
import {
  type Rendition,
  type RenditionCodec,
  type RenditionRequest,
  RenditionSet,
  type RenditionStarter,
} from './rendition.ts';
import { type Seat, Seats } from './seats.ts';
import type { StreamEvents } from './stream-events.ts';
import { TrackTable } from './track-table.ts';

export type { PublisherHooks, PublisherInfo, TrackClockState, TrackReception } from './publication.ts';

/** A publisher's hold on a stream. */
export type Publication = PublicationOf<Stream>;

export interface StreamOptions {
  readonly clock: Clock;
  readonly feedLimits: FeedLimits;
  /** How long readers are held after the publisher is gone, in ms. */
  readonly holdMs: number;
  readonly startRendition: RenditionStarter | undefined;
  /** The stream has ended and must be forgotten. */
  readonly onEnd: () => void;
}

/** Keyframe requests a second that go to a publisher, at most. */
const MAX_KEYFRAME_REQUESTS = 1;

/**
 * Live media under a name: one publisher, any number of readers behind feeds. Beside the publisher there may be a second
 * source for kinds of media that it does not have, and something that stands in for it while it is gone.
 */
export class Stream implements ClockOrigin {
  readonly name: string;
  readonly since: number;
  readonly events = new Emitter<StreamEvents>();
  readonly renditions: RenditionSet;
  /** Since the stream began: units and bytes that came in, and units refused because they did not go forward. */
  readonly counters = { units: 0, bytes: 0, discarded: 0 };
  readonly #options: StreamOptions;
  readonly #table = new TrackTable();
  readonly #feeds = new FeedSet();
  readonly #continuity = new Continuity();
  readonly #recent: RecentUnits;
  readonly #orders = new PictureOrders();
  readonly #seats = new Seats();
  #fill: FillTracks | undefined;
  readonly #hold: Hold;
  readonly #clockName = newClockName();
  readonly #keyframeRequests = new RateLimit(MAX_KEYFRAME_REQUESTS);
  #ended = false;

  constructor(name: string, options: StreamOptions) {
    this.name = name;
    this.#options = options;
    this.since = options.clock.now();
    this.#hold = new Hold(options.clock, options.holdMs, (reason) => this.#release(reason));
    this.#recent = new RecentUnits(options.feedLimits);
    this.renditions = new RenditionSet(
      name,
      (unit) => this.#feeds.write(unit),
      options.startRendition,
      options.clock,
    );
  }

  get tracks(): readonly Track[] {
    return this.#table.list;
  }

  get publisher(): (PublisherInfo & { since: number }) | undefined {
    const publication = this.#seats.main?.publication;
    return publication && { ...publication.publisher, since: publication.since };
  }

  /** Who publishes, be it one that has sent no keyframe yet and is not shown. */
  get taker(): PublisherInfo | undefined {
    return this.#seats.taker?.publication.publisher;
  }

  /** Ids of the tracks that come from the second source. */
  get filled(): readonly number[] {
    return this.#fill?.ids ?? [];
  }

  /** What was lost on the way from the publisher and the second source, where that can be known. */
  get reception(): readonly TrackReception[] | undefined {
    return this.#together(this.#seats.main?.publication.reception, this.#fill?.fill.publication?.reception);
  }

  /** How their clocks run, where their doors measure them. */
  get clocks(): readonly TrackClockState[] | undefined {
    return this.#together(this.#seats.main?.publication.clocks, this.#fill?.fill.publication?.clocks);
  }

  get ntpShift(): number {
    return this.#seats.latest?.times.ntpShift ?? 0;
  }

  get clockName(): string {
    const { clocks } = this;
    const name = this.ntpShift === 0 && clocks ? knownClock({ clocks: () => clocks }).name : undefined;
    return name ?? this.#clockName;
  }

  /** Streams of one origin have one clock, whatever that shows: their capture times need no alignment. */
  get clockOrigin(): ClockOrigin {
    return this.#seats.main?.publication.hooks.clockOrigin?.() ?? this;
  }

  /** `standby`: the publisher is gone, and something else is shown meanwhile. */
  get state(): 'live' | 'standby' | 'held' | 'ended' {
    if (this.#ended) return 'ended';
    if (this.#seats.main) return 'live';
    return this.#seats.standby ? 'standby' : 'held';
  }

  /** When the publisher left, while the stream is held; and how long readers are held in all. */
  get held(): { since: number; ms: number } | undefined {
    return this.#hold.state;
  }

  /** `pts` of the latest keyframe, from which a decoder can begin at once; undefined while none is kept. */
  get lastKeyframePts(): number | undefined {
    return this.#recent.all[0]?.pts;
  }

  get feeds(): readonly Feed[] {
    return this.#feeds.all;
  }

  get readerCount(): number {
    return this.#feeds.readerCount;
  }

  /**
   * The feed of that key, made with its first reader. `key` names the wire format and everything that shapes its
   * bytes; `tracks` are the ids whose units it carries. The writer is shown the pictures since the last keyframe, so
   * that the first reader starts at once too. A feed that never gets a reader must be given back by `feed.close`.
   */
  feed(key: string, tracks: Iterable<number>, create: () => FeedWriter): Feed {
    const known = this.#feeds.get(key);
    if (known) return known;
    if (this.#ended) throw new NamedError('STREAM_GONE', `The stream "${this.name}" has ended.`, 404);
    const feed = new Feed({
      key,
      tracks,
      writer: create(),
      limits: this.#options.feedLimits,
      clock: this.#options.clock,
      onEmpty: () => this.#dropFeed(feed),
      onSkip: () => this.requestKeyframe(feed.tracks),
      onReader: (reader, joined) => this.events.emit('reader', reader, joined),
    });
    this.#feeds.add(feed);
    for (const unit of this.#recent.all) if (feed.tracks.has(unit.track.id)) feed.write(unit);
    return feed;
  }

  /**
   * A track of this stream made another, by a worker, while somebody holds it; equal requests share one. A codec alone:
   * with everything else as it is chosen.
   */
  acquireRendition(trackId: number, request: RenditionCodec | RenditionRequest): Rendition {
    return this.renditions.acquire(trackId, request);
  }

  /** What the pictures of a track have shown of their order since they have these parameters. */
  orderOf(trackId: number): KnownOrder {
    return this.#orders.of(trackId);
  }

  /** True where whoever brings the picture can be asked for a keyframe; `tracks` of a rendition: its maker. */
  canRequestKeyframe(tracks: Iterable<number>): boolean {
    return this.#pictures?.hooks.requestKeyframe !== undefined || this.renditions.makes(tracks);
  }

  /**
   * Asks whoever brings the picture for a keyframe, where its protocol can; throttled.
   * @param tracks who makes these is asked instead where one of them is a rendition
   */
  requestKeyframe(tracks: Iterable<number> = []): void {
    if (this.renditions.requestKeyframe(tracks)) return;
    if (!this.#keyframeRequests.take(this.#options.clock.now())) return;
    this.#pictures?.hooks.requestKeyframe?.();
  }

  /** Ends the stream: its publisher and its readers learn the reason. Idempotent. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#hold.end();
    const { publisher } = this;
    this.#seats.clear(reason);
    this.#fill?.fill.join(undefined);
    if (publisher) this.events.emit('publisher', undefined, reason);
    this.renditions.close();
    this.#feeds.close(reason);
    this.#recent.clear();
    this.#options.onEnd();
    this.events.emit('ended', reason);
    this.events.removeAllListeners();
  }

  /**
   * Only for the hub: a publisher takes the stream. A track of a kind, codec and clock rate that the stream had before
   * keeps its id, so readers of it go on. A feed that would lose a kind of media which now comes in another codec is
   * closed with the reason: its readers have to connect anew. Where something stands in for the publisher, that is shown
   * until the publisher's first keyframe.
   */
  adopt(publisher: PublisherInfo, tracks: readonly Track[], hooks: PublisherHooks): Publication {
    const seat = this.#seat(publisher, tracks, hooks);
    if (this.#seats.come(seat)) hooks.requestKeyframe?.();
    else this.#enthrone(seat);
    return seat.publication;
  }

  /** Only for the hub: something is shown as long as no publisher is there; a publisher that comes ends it. */
  standIn(publisher: PublisherInfo, tracks: readonly Track[], hooks: PublisherHooks): Publication {
    const seat = this.#seat(publisher, tracks, hooks);
    this.#seats.standIn(seat);
    this.#hold.end();
    this.#take(seat);
    this.events.emit('standby');
    return seat.publication;
  }

  /** Only for the hub: a second source brings what the publisher does not have. */
  join(fill: Fill): void {
    this.#fill = new FillTracks(fill, this.#table, this.#continuity);
    if (this.#seats.main) fill.clock.restartFirst(isThisMachine(this.#seats.main.publication.publisher));
    fill.join(this);
    this.fillChanged();
  }

  /** Only for the second source. */
  fillChanged(): void {
    if (!this.#fill || !this.#seats.main) return;
    const before = this.#table.ids;
    if (!this.#fill.add()) return;
    this.events.emit('tracks');
    if (!sameIds(before, this.#table.ids)) this.#replaceTracks();
  }

  /** Only for the second source. What it sends while the publisher is gone is let go. */
  fillUnit(unit: AccessUnit): void {
    if (!this.#fill || !this.#seats.main) return;
    const placed = this.#fill.place(unit, this.#options.clock.now(), this.#seats.main.times.ntpShift);
    if (placed === 'discarded') this.counters.discarded++;
    else if (placed) this.#deliver(placed);
  }

  /** Only for its publication. `unit` still has the publisher's own track and timestamps. */
  accept(publication: Publication, unit: AccessUnit, trackId: number): void {
    let id: number | undefined = trackId;
    const { coming } = this.#seats;
    if (publication === coming?.publication) {
      if (!unit.keyframe || !isVideo(unit.track)) return;
      id = this.#enthrone(coming).get(unit.track.id);
    }
    const seat = this.#seats.shown;
    const track = id === undefined ? undefined : this.#table.get(id);
    if (publication !== seat?.publication || !track) return;
    const now = this.#options.clock.now();
    if (this.#seats.main) this.#fill?.observe(unit, now, publication);
    const placed = seat.times.place(unit, track, now);
    if (placed) this.#deliver(placed);
    else this.counters.discarded++;
  }

  /** Only for its publication: a track's format changed. */
  changeTrack(publication: Publication, track: Track): void {
    const seat = this.#seats.of(publication);
    if (!seat) return;
    if (seat === this.#seats.coming) {
      seat.tracks = seat.tracks.map((one) => (one.id === track.id ? track : one));
    } else if (seat === this.#seats.shown) {
      this.#orders.forget(track.id);
      this.#table.set(track);
      this.events.emit('tracks');
    }
  }

  /** Only for its publication: the publisher is gone. Readers are held; without readers the stream ends at once. */
  abandon(publication: Publication, reason: string): void {
    const place = this.#seats.leave(publication);
    if (place === 'main') this.events.emit('publisher', undefined, reason);
    if (place === 'main' || place === 'standby') this.#lose(reason);
  }

  /** Only for the hub: how long readers are held, those that are being held included. */
  setHold(ms: number): void {
    this.#hold.set(ms);
  }

  /** Whoever brings the picture. */
  get #pictures(): { readonly hooks: PublisherHooks } | undefined {
    const isFilled = this.filled.some((id) => this.#table.get(id)?.format.kind === 'video');
    return isFilled ? this.#fill?.fill.publication : (this.#seats.main ?? this.#seats.coming)?.publication;
  }

  #seat(publisher: PublisherInfo, tracks: readonly Track[], hooks: PublisherHooks) {
    const ids = new Map(tracks.map(({ id }) => [id, id]));
    const publication: Publication = new PublicationOf(
      this,
      publisher,
      hooks,
      ids,
      this.#options.clock.now(),
    );
    return { publication, times: this.#continuity.join(), tracks };
  }

  /** A publisher's media are the stream's from now on; gives its track ids → the stream's. */
  #enthrone(seat: Seat): ReadonlyMap<number, number> {
    const returns = this.held !== undefined || this.#seats.standby !== undefined;
    this.#seats.take(seat);
    this.#hold.end();
    const { publisher } = seat.publication;
    this.#fill?.fill.clock.restartFirst(isThisMachine(publisher));
    return this.#take(seat, () => {
      this.events.emit('publisher', publisher, 'Another publisher took over.');
      this.events.emit('tracks');
      if (returns) this.events.emit('live');
    });
  }

  /** The stream has the tracks of this seat, and those of the second source beside a publisher's. */
  #take(seat: Seat, told = () => this.events.emit('tracks')): ReadonlyMap<number, number> {
    this.#recent.clear();
    this.#orders.clear();
    const before = this.#table.ids;
    const ids = this.#table.replace(seat.tracks);
    seat.publication.rename(ids);
    this.#fill?.forget();
    if (this.#seats.main) this.#fill?.add();
    told();
    if (before.length > 0 && !sameIds(before, this.#table.ids)) this.#replaceTracks();
    return ids;
  }

  /** Nobody brings the stream any more. */
  #lose(reason: string): void {
    if (this.#seats.shown) return;
    const { ms } = this.#hold;
    if (this.readerCount === 0 || ms === 0) return this.#release(reason);
    this.#hold.begin(reason);
    this.events.emit('held', ms);
  }

  /** Nobody is held any more: the stream ends, or is that of a publisher who has sent no keyframe yet. */
  #release(reason: string): void {
    const { coming } = this.#seats;
    if (coming) this.#enthrone(coming);
    else this.end(reason);
  }

  #together<T extends { readonly track: number }>(
    main: readonly T[] | undefined,
    fill: readonly T[] | undefined,
  ): readonly T[] | undefined {
    const all = [...(main ?? []), ...(this.#fill?.byId(fill) ?? [])];
    return main || all.length > 0 ? all : undefined;
  }

  #deliver(unit: AccessUnit): void {
    const size = payloadSize(unit);
    this.counters.units++;
    this.counters.bytes += size;
    this.#recent.add(unit, size);
    this.#feeds.write(unit);
    if (isVideo(unit.track) && this.#orders.note(unit)) this.events.emit('order');
  }

  /** The set of tracks is another one: whoever can choose anew does, and feeds that cannot go on end. */
  #replaceTracks(): void {
    this.renditions.keepOnly(new Set(this.#table.ids));
    this.events.emit('replaced');
    this.#feeds.closeLosers(this.#table);
  }

  #dropFeed(feed: Feed): void {
    this.#feeds.delete(feed);
    feed.close('The feed has no reader left.');
    this.events.emit('feedClosed');
    if (this.state === 'held' && this.readerCount === 0) this.#release('The last held reader left.');
  }
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.join() === b.join();
}
