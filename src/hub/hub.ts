import type { Track } from '#media/track.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { Emitter } from '#util/emitter.ts';
import { NamedError } from '#util/named-error.ts';
import { Derivations } from './derivations.ts';
import { defaultFeedLimits, type FeedLimits } from './feed.ts';
import { Fills } from './fill.ts';
import { parseStreamName } from './name.ts';
import { OnDemand } from './on-demand.ts';
import type { Publishing } from './publication.ts';
import { defaultReaderLimits, type Reader, type ReaderLimits } from './reader.ts';
import type { RenditionStarter } from './rendition.ts';
import { type Publication, type PublisherHooks, type PublisherInfo, Stream } from './stream.ts';

export interface HubOptions {
  readonly clock: Clock;
  readonly feedLimits: FeedLimits;
  /** What doors give their readers. */
  readonly readerLimits: ReaderLimits;
  /** How long readers are held after their publisher is gone, ms. */
  readonly holdMs: number;
  /** A second publisher takes a stream over; false: it is refused. */
  readonly takeover: boolean;
  readonly startRendition?: RenditionStarter | undefined;
}

/** What may change while the hub works. */
export type HubSettings = Pick<HubOptions, 'readerLimits' | 'holdMs' | 'takeover'>;

interface HubEvents {
  streamAdded(stream: Stream): void;
  streamRemoved(stream: Stream, reason: string): void;
  /** A publisher came to a stream; or it is gone, and why. One that is replaced is not told of before the next one. */
  publisher(stream: Stream, publisher: PublisherInfo | undefined, reason: string): void;
  /** A reader came to a stream (`joined`), or left. */
  reader(stream: Stream, reader: Reader, joined: boolean): void;
  /** Its tracks, its publisher or its state changed. */
  streamChanged(stream: Stream): void;
}

/** All live streams of this server, by name. */
export class Hub implements Publishing {
  readonly events = new Emitter<HubEvents>();
  /** Where second sources publish what the first ones do not have. */
  readonly fills: Fills;
  /** Where is published what is shown while a stream's source is gone; refused while it is there. */
  readonly standIns: Publishing = {
    publish: (name, publisher, tracks, hooks) => this.#standIn(name, publisher, tracks, hooks),
  };
  /** Streams whose sources are begun when somebody wants them. */
  readonly onDemand: OnDemand;
  /** Which streams are made of which others. */
  readonly derivations = new Derivations();
  readonly #streams = new Map<string, Stream>();
  #options: HubOptions;

  constructor(options: Partial<HubOptions> = {}) {
    this.#options = {
      clock: systemClock,
      feedLimits: defaultFeedLimits,
      readerLimits: defaultReaderLimits,
      holdMs: 15_000,
      takeover: true,
      ...options,
    };
    this.fills = new Fills(this.options.clock, (name, fill) => this.get(name)?.join(fill));
    this.onDemand = new OnDemand({ clock: this.options.clock, get: (name) => this.get(name) });
  }

  get options(): HubOptions {
    return this.#options;
  }

  get streams(): readonly Stream[] {
    return [...this.#streams.values()];
  }

  get(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  /**
   * The stream of that name; one that comes on demand is fetched, and whoever asks is held meanwhile.
   * @throws NamedError STREAM_NOT_FOUND, SOURCE_NOT_READY, SOURCE_LIMIT
   */
  wanted(name: string, signal?: AbortSignal): Promise<Stream> {
    return this.onDemand.wanted(name, signal);
  }

  /**
   * Begins to publish. A stream of that name that is held, or live where takeover is allowed, goes on with this
   * publisher and keeps its readers (see `Stream.adopt` for those that cannot go on).
   * @throws NamedError STREAM_NAME_INVALID, STREAM_BUSY
   */
  publish(
    name: string,
    publisher: PublisherInfo,
    tracks: readonly Track[],
    hooks: PublisherHooks,
  ): Publication {
    const parsed = parseStreamName(name);
    this.refuseBusy(parsed);
    const existing = this.#streams.get(parsed);
    if (existing) return existing.adopt(publisher, tracks, hooks);
    const stream = this.#create(parsed);
    const publication = stream.adopt(publisher, tracks, hooks);
    this.events.emit('streamAdded', stream);
    this.onDemand.arrived(stream);
    return publication;
  }

  /**
   * Refuses a second publisher where none may take over, for doors that have to say so before the first unit comes.
   * @throws NamedError STREAM_BUSY
   */
  refuseBusy(name: string): void {
    if (!this.#streams.get(name)?.taker || this.options.takeover) return;
    throw new NamedError(
      'STREAM_BUSY',
      `Somebody is already publishing "${name}". Choose another name, or let publishers take over (publisher.takeover).`,
      409,
    );
  }

  /**
   * Goes on with other settings: limits go for readers that come from now on; whether publishers take over, and how
   * long readers are held, at once and also for those that are being held.
   */
  configure(settings: HubSettings): void {
    this.#options = { ...this.#options, ...settings };
    for (const stream of this.streams) stream.setHold(settings.holdMs);
  }

  /**
   * The source of a stream was taken out: the stream ends, unless somebody else publishes it, and be it somebody who waits
   * behind what stands in for the source.
   */
  sourceRemoved(name: string, reason: string): void {
    const stream = this.#streams.get(name);
    if ((stream?.taker?.door ?? 'source') === 'source') stream?.end(reason);
  }

  /** Ends every stream; publishers and readers learn the reason. */
  close(reason: string): void {
    for (const stream of this.streams) stream.end(reason);
  }

  #standIn(
    name: string,
    publisher: PublisherInfo,
    tracks: readonly Track[],
    hooks: PublisherHooks,
  ): Publication {
    const parsed = parseStreamName(name);
    const existing = this.#streams.get(parsed);
    if (existing?.state === 'live') {
      const sentence = `The source of "${parsed}" is there, and nothing has to stand in for it.`;
      throw new NamedError('STREAM_BUSY', sentence, 409);
    }
    if (existing) return existing.standIn(publisher, tracks, hooks);
    const stream = this.#create(parsed);
    const publication = stream.standIn(publisher, tracks, hooks);
    this.events.emit('streamAdded', stream);
    this.onDemand.arrived(stream);
    return publication;
  }

  #create(name: string): Stream {
    const stream: Stream = new Stream(name, {
      clock: this.options.clock,
      feedLimits: this.options.feedLimits,
      holdMs: this.options.holdMs,
      startRendition: this.options.startRendition,
      onEnd: () => {
        if (this.#streams.get(name) === stream) this.#streams.delete(name);
      },
    });
    const changed = () => this.events.emit('streamChanged', stream);
    stream.events.on('tracks', changed);
    stream.events.on('held', changed);
    stream.events.on('live', changed);
    stream.events.on('standby', changed);
    stream.events.on('publisher', (publisher, reason) =>
      this.events.emit('publisher', stream, publisher, reason),
    );
    stream.events.on('reader', (reader, joined) => this.events.emit('reader', stream, reader, joined));
    stream.events.on('feedClosed', () => this.onDemand.left(name));
    stream.events.on('ended', (reason) => this.events.emit('streamRemoved', stream, reason));
    this.#streams.set(name, stream);
    const fill = this.fills.get(name);
    if (fill) stream.join(fill);
    return stream;
  }
}
