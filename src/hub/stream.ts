import type { AccessUnit } from '#media/access-unit.ts';
import { payloadSize } from '#media/access-unit.ts';
import { isVideo, type Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { Emitter } from '#util/emitter.ts';
import { NamedError } from '#util/named-error.ts';
import { Continuity } from './continuity.ts';
import { Feed, type FeedLimits, type FeedWriter } from './feed.ts';
import { type KnownOrder, PictureOrder, UNKNOWN_ORDER } from './picture-order.ts';
import {
  Publication as PublicationOf,
  type PublisherHooks,
  type PublisherInfo,
  type TrackClockState,
  type TrackReception,
} from './publication.ts';
import type { Reader } from './reader.ts';
import { type Rendition, type RenditionCodec, RenditionSet, type RenditionStarter } from './rendition.ts';

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

interface StreamEvents {
  /** A track's format changed, or a new publisher brought tracks. */
  tracks(): void;
  /** The publisher is gone; readers are held for so many milliseconds. */
  held(ms: number): void;
  /** A publisher is there again. */
  live(): void;
  /** A reader came (`joined`), or left. */
  reader(reader: Reader, joined: boolean): void;
  /** A publisher came, and why the one before it left. */
  publisher(publisher: PublisherInfo | undefined, reason: string): void;
  /** A feed lost its last reader. */
  feedClosed(): void;
  /** A new publisher brought other tracks: readers that can choose anew. The others follow by what stays. */
  replaced(): void;
  /** More is known of the order in which the pictures come, see `Stream.orderOf`. */
  order(): void;
  ended(reason: string): void;
}

/** At most one keyframe request per this many milliseconds goes to a publisher. */
const KEYFRAME_REQUEST_MS = 1000;

/** Live media under a name: one publisher, any number of readers behind feeds. */
export class Stream {
  readonly name: string;
  readonly since: number;
  readonly events = new Emitter<StreamEvents>();
  readonly renditions: RenditionSet;
  /** Since the stream began: units and bytes that came in, and units refused because they did not go forward. */
  readonly counters = { units: 0, bytes: 0, discarded: 0 };
  readonly #options: StreamOptions;
  readonly #tracks = new Map<number, Track>();
  /** Every track the stream ever had: one that returns has its old id. */
  readonly #known = new Map<number, Track>();
  readonly #feeds = new Map<string, Feed>();
  readonly #continuity = new Continuity();
  /** By the id of a video track; of the parameters it has now. */
  readonly #orders = new Map<number, PictureOrder>();
  /** Units since the last video keyframe, for feeds that begin; bounded by the feed limits. */
  #gop: AccessUnit[] = [];
  #gopBytes = 0;
  #publication: Publication | undefined;
  #cancelHold: (() => void) | undefined;
  /** When and why the publisher left. */
  #held: { readonly since: number; readonly reason: string } | undefined;
  #holdMs: number;
  #lastKeyframeRequest = 0;
  #ended = false;

  constructor(name: string, options: StreamOptions) {
    this.name = name;
    this.#options = options;
    this.since = options.clock.now();
    this.#holdMs = options.holdMs;
    this.renditions = new RenditionSet(
      name,
      (unit) => this.#fanOut(unit),
      options.startRendition,
      options.clock,
    );
  }

  get tracks(): readonly Track[] {
    return [...this.#tracks.values()];
  }

  get publisher(): (PublisherInfo & { since: number }) | undefined {
    const publication = this.#publication;
    return publication && { ...publication.publisher, since: publication.since };
  }

  /** What was lost on the way from the publisher, where that can be known. */
  get reception(): readonly TrackReception[] | undefined {
    return this.#publication?.reception;
  }

  /** How the publisher's clocks run, where its door measures them. */
  get clocks(): readonly TrackClockState[] | undefined {
    return this.#publication?.clocks;
  }

  get state(): 'live' | 'held' | 'ended' {
    if (this.#ended) return 'ended';
    return this.#publication ? 'live' : 'held';
  }

  /** When the publisher left, while the stream is held; and how long readers are held in all. */
  get held(): { since: number; ms: number } | undefined {
    return this.#held && { since: this.#held.since, ms: this.#holdMs };
  }

  /** `pts` of the latest keyframe, from which a decoder can begin at once; undefined while none is kept. */
  get lastKeyframePts(): number | undefined {
    return this.#gop[0]?.pts;
  }

  get feeds(): readonly Feed[] {
    return [...this.#feeds.values()];
  }

  get readerCount(): number {
    let count = 0;
    for (const feed of this.#feeds.values()) count += feed.readers.size;
    return count;
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
    this.#feeds.set(key, feed);
    for (const unit of this.#gop) if (feed.tracks.has(unit.track.id)) feed.write(unit);
    return feed;
  }

  /** A track of this stream in another codec, made by a worker while somebody holds it. */
  acquireRendition(trackId: number, codec: RenditionCodec): Rendition {
    return this.renditions.acquire(trackId, codec);
  }

  /** What the pictures of a track have shown of their order since they have these parameters. */
  orderOf(trackId: number): KnownOrder {
    return this.#orders.get(trackId) ?? UNKNOWN_ORDER;
  }

  /** True where the publisher can be asked for a keyframe; `tracks` of a rendition: its maker. */
  canRequestKeyframe(tracks: Iterable<number>): boolean {
    return this.#publication?.hooks.requestKeyframe !== undefined || this.renditions.makes(tracks);
  }

  /**
   * Asks the publisher for a keyframe, where its protocol can; throttled.
   * @param tracks who makes these is asked instead where one of them is a rendition
   */
  requestKeyframe(tracks: Iterable<number> = []): void {
    if (this.renditions.requestKeyframe(tracks)) return;
    const now = this.#options.clock.now();
    if (now - this.#lastKeyframeRequest < KEYFRAME_REQUEST_MS) return;
    this.#lastKeyframeRequest = now;
    this.#publication?.hooks.requestKeyframe?.();
  }

  /** Ends the stream: its publisher and its readers learn the reason. Idempotent. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelHold?.();
    if (this.#publication) {
      this.#publication.terminate(reason);
      this.#publication = undefined;
      this.events.emit('publisher', undefined, reason);
    }
    this.renditions.close();
    for (const feed of this.feeds) feed.close(reason);
    this.#feeds.clear();
    this.#gop = [];
    this.#options.onEnd();
    this.events.emit('ended', reason);
    this.events.removeAllListeners();
  }

  /**
   * Only for the hub: a publisher takes the stream. A track of a kind, codec and clock rate that the stream had before
   * keeps its id, so readers of it go on. A feed that would lose a kind of media which now comes in another codec is
   * closed with the reason: its readers have to connect anew.
   */
  adopt(publisher: PublisherInfo, tracks: readonly Track[], hooks: PublisherHooks): Publication {
    const returning = this.#held !== undefined;
    this.#publication?.terminate('Another publisher took over.');
    this.#cancelHold?.();
    this.#held = undefined;
    this.#continuity.restart();
    this.#orders.clear();
    this.#forgetGop();
    const before = [...this.#tracks.keys()];
    const ids = this.#adoptTracks(tracks);
    const publication: Publication = new PublicationOf(
      this,
      publisher,
      hooks,
      ids,
      this.#options.clock.now(),
    );
    this.#publication = publication;
    this.events.emit('publisher', publisher, 'Another publisher took over.');
    this.events.emit('tracks');
    if (returning) this.events.emit('live');
    if (before.length > 0 && before.join() !== [...this.#tracks.keys()].join()) this.#replaceTracks();
    return publication;
  }

  /** Only for its publication. `unit` still has the publisher's own track and timestamps. */
  accept(publication: Publication, unit: AccessUnit, trackId: number): void {
    if (publication !== this.#publication) return;
    const track = this.#tracks.get(trackId);
    if (!track) return;
    const now = this.#options.clock.now();
    const placed = this.#continuity.place(unit, track, now);
    if (!placed) {
      this.counters.discarded++;
      return;
    }
    const size = payloadSize(placed);
    this.counters.units++;
    this.counters.bytes += size;
    this.#remember(placed, size);
    this.#fanOut(placed);
    if (isVideo(track) && this.#orderFor(track.id).note(placed)) this.events.emit('order');
  }

  /** Only for its publication: a track's format changed. */
  changeTrack(publication: Publication, track: Track): void {
    if (publication !== this.#publication) return;
    this.#orders.delete(track.id);
    this.#setTrack(track);
    this.events.emit('tracks');
  }

  /** Only for its publication: the publisher is gone. Readers are held; without readers the stream ends at once. */
  abandon(publication: Publication, reason: string): void {
    if (publication !== this.#publication) return;
    this.#publication = undefined;
    this.events.emit('publisher', undefined, reason);
    if (this.readerCount === 0 || this.#holdMs === 0) {
      this.end(reason);
      return;
    }
    this.#held = { since: this.#options.clock.now(), reason };
    this.setHold(this.#holdMs);
    this.events.emit('held', this.#holdMs);
  }

  /** Only for the hub: how long readers are held, those that are being held included. */
  setHold(ms: number): void {
    this.#holdMs = ms;
    if (!this.#held || this.#ended) return;
    const { since, reason } = this.#held;
    this.#cancelHold?.();
    this.#cancelHold = this.#options.clock.after(Math.max(0, since + ms - this.#options.clock.now()), () =>
      this.end(`${reason} No publisher came back within ${ms / 1000} s.`),
    );
  }

  /** Gives a unit to every feed that carries its track; renditions enter here, published units through `accept`. */
  #fanOut(unit: AccessUnit): void {
    for (const feed of this.#feeds.values()) if (feed.tracks.has(unit.track.id)) feed.write(unit);
  }

  #orderFor(trackId: number): PictureOrder {
    let order = this.#orders.get(trackId);
    if (!order) this.#orders.set(trackId, (order = new PictureOrder()));
    return order;
  }

  #setTrack(track: Track): void {
    this.#tracks.set(track.id, track);
    this.#known.set(track.id, track);
  }

  /** Takes a publisher's tracks as the stream's; gives the publisher's ids → the stream's. */
  #adoptTracks(tracks: readonly Track[]): Map<number, number> {
    const free = new Map(this.#known);
    const ids = new Map<number, number>();
    this.#tracks.clear();
    for (const track of tracks) {
      const same = [...free.values()].find((known) => sameSignature(known, track));
      const id = same?.id ?? (this.#known.has(track.id) ? Math.max(...this.#known.keys()) + 1 : track.id);
      free.delete(id);
      ids.set(track.id, id);
      this.#setTrack(id === track.id ? track : { ...track, id });
    }
    return ids;
  }

  /** The set of tracks is another one: whoever can choose anew does, and feeds that cannot go on end. */
  #replaceTracks(): void {
    this.renditions.keepOnly(this.#tracks);
    this.events.emit('replaced');
    for (const feed of this.feeds) {
      const gone = [...feed.tracks].flatMap((id) =>
        this.#tracks.has(id) ? [] : (this.#known.get(id) ?? []),
      );
      for (const { format } of gone) {
        const now = this.tracks.find(
          (track) => track.format.kind === format.kind && !feed.tracks.has(track.id),
        );
        if (!now) continue;
        feed.close(
          `The ${format.kind} is now ${now.format.codec} instead of ${format.codec}: connect again.`,
        );
        break;
      }
    }
  }

  #dropFeed(feed: Feed): void {
    if (this.#feeds.get(feed.key) === feed) this.#feeds.delete(feed.key);
    feed.close('The feed has no reader left.');
    this.events.emit('feedClosed');
    if (!this.#publication && this.readerCount === 0) this.end('The last held reader left.');
  }

  #remember(unit: AccessUnit, size: number): void {
    if (isVideo(unit.track)) {
      if (unit.keyframe) this.#forgetGop();
      else if (this.#gop.length === 0) return;
    } else if (this.#gop.length === 0) {
      return;
    }
    this.#gop.push(unit);
    this.#gopBytes += size;
    const { gopBytes, gopUnits } = this.#options.feedLimits;
    // Units of all tracks count here, three for every picture where there is sound.
    if (this.#gopBytes > gopBytes || this.#gop.length > 3 * gopUnits) this.#forgetGop();
  }

  #forgetGop(): void {
    this.#gop = [];
    this.#gopBytes = 0;
  }
}

function sameSignature(a: Track, b: Track): boolean {
  return a.format.kind === b.format.kind && a.format.codec === b.format.codec && a.clockRate === b.clockRate;
}
