import type { LinkClient, Passage, Subscription, Want } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { PacketWindow } from '#media/packet-window.ts';
import { isVideo, type Track, type VideoTrack } from '#media/track.ts';
import { Backoff } from '#util/backoff.ts';
import { Emitter } from '#util/emitter.ts';
import { messageOf } from '#util/named-error.ts';
import { type Audience, canDecode, DECODABLE, type Picture, VideoDecoder } from './av/video.ts';
import { EVERY_LIMIT, PictureReader, type ReaderMode } from './picture-reader.ts';

interface Arrived extends AccessUnit {
  readonly arrival: number;
  readonly index: number;
}

/** Where a stream stands for its readers: not known yet, there is video to decode, or the reason why not. */
export type DecoderStatus =
  | { readonly state: 'opening' | 'live' }
  | { readonly state: 'waiting'; readonly reason: string };

/** In mode `freshest` a short backlog is decoded rather than jumped over: a jump costs the pictures being reordered. */
const SHORT_BACKLOG = 4;

/**
 * Decodes one stream for all runs on it in this worker, and only what one of them wants to see. It is subscribed to
 * the stream while at least one reader is open; access units that nobody wants yet wait in the hub, or here, undecoded,
 * at most back to the last keyframe.
 */
export class StreamDecoder {
  readonly events = new Emitter<{ status(status: DecoderStatus): void }>();
  readonly #link: LinkClient;
  readonly #stream: string;
  readonly #audience: Audience;
  readonly #onIdle: () => void;
  readonly #log: (message: string) => void;
  readonly #readers = new Set<PictureReader>();
  readonly #window = new PacketWindow<Arrived>();
  readonly #backoff = new Backoff({ minimum: 500, maximum: 5000 });
  #subscription: Subscription | undefined;
  #retry: NodeJS.Timeout | undefined;
  #status: DecoderStatus = { state: 'opening' };
  /** Id of the track that is decoded. */
  #trackId: number | undefined;

  #decoder: VideoDecoder | undefined;
  #format: VideoTrack['format'] | undefined;
  /** Units whose pictures are still inside the decoder, by pts. */
  readonly #inside = new Map<number, Arrived>();
  #keyframePts = 0;
  /** The latest keyframe that came, and ticks between it and the one before it in the stream, once they are known. */
  #keyframes: { readonly pts: number; readonly interval: number } | undefined;
  /** What the hub was asked for and has not sent yet. */
  #asked: Want | undefined;
  #nextIndex = 0;
  #decodedIndex = -1;
  #driving: Promise<void> | undefined;
  #closed = false;

  /** Pictures decoded, and times that broken data cost the pictures up to a keyframe. */
  readonly counters = { decoded: 0, corrupt: 0 };

  constructor(options: {
    link: LinkClient;
    stream: string;
    audience: Audience;
    log: (message: string) => void;
    /** The last reader is gone, and the decoder closed. */
    onIdle: () => void;
  }) {
    this.#link = options.link;
    this.#stream = options.stream;
    this.#audience = options.audience;
    this.#log = options.log;
    this.#onIdle = options.onIdle;
    this.#subscribe();
  }

  get status(): DecoderStatus {
    return this.#status;
  }

  /** @param fps at most so many pictures per second of the stream; 0: all */
  open(mode: ReaderMode, fps: number): PictureReader {
    const reader: PictureReader = new PictureReader({
      mode,
      fps,
      firstIndex: this.#nextIndex,
      onWish: () => this.#wake(),
      onClose: () => {
        this.#readers.delete(reader);
        if (this.#readers.size === 0) this.#close();
      },
    });
    this.#readers.add(reader);
    if (this.#keyframes) reader.keyframesAt(this.#keyframes.pts, this.#keyframes.interval);
    this.#ask();
    return reader;
  }

  #subscribe(): void {
    this.#retry = undefined;
    this.#subscription = this.#link.subscribe(
      this.#stream,
      {
        tracks: (tracks) => this.#choose(tracks),
        unit: (unit, passage) => this.#arrive(unit, passage),
        end: (reason) => {
          this.#subscription = undefined;
          this.#asked = undefined;
          this.#window.drop();
          this.#setStatus({ state: 'waiting', reason });
          if (!this.#closed) this.#retry = setTimeout(() => this.#subscribe(), this.#backoff.next());
        },
      },
      { kind: 'video', held: true },
    );
    this.#ask();
  }

  #choose(tracks: readonly Track[]): void {
    // It may be another subscription by now, which was not asked for anything.
    this.#asked = undefined;
    this.#ask();
    const track = tracks.find(isVideo);
    this.#trackId = track && canDecode(track.format.codec) ? track.id : undefined;
    if (this.#trackId !== undefined) return this.#setStatus({ state: 'live' });
    const reason = track
      ? `The video of "${this.#stream}" is ${track.format.codec}; only ${DECODABLE.join(', ')} can be decoded.`
      : `The stream "${this.#stream}" has no video.`;
    this.#setStatus({ state: 'waiting', reason });
  }

  #setStatus(status: DecoderStatus): void {
    this.#status = status;
    this.events.emit('status', status);
  }

  #arrive(unit: AccessUnit, { heldMs, leftOut, keyframeInterval, more }: Passage): void {
    if (unit.track.id !== this.#trackId || this.#closed) return;
    this.#backoff.reset();
    if (this.#asked && !this.#asked.all && unit.pts >= (this.#asked.pts ?? unit.pts)) this.#asked = undefined;
    this.#nextIndex += leftOut;
    const arrival = performance.now() - heldMs;
    this.#window.push({ ...unit, arrival, index: this.#nextIndex++ }, leftOut > 0);
    for (const reader of this.#readers) reader.offer(leftOut + 1);
    if (keyframeInterval > 0) this.#keyframesAt(unit.pts, keyframeInterval);
    const every = this.#everyReaders();
    if (every.length > 0) {
      if (this.#window.length > EVERY_LIMIT) this.#window.skipToKeyframe(this.#window.length - EVERY_LIMIT);
      for (const reader of every) reader.trim(EVERY_LIMIT - this.#window.length);
    } else if (unit.keyframe && (!this.#driving || this.#window.length > SHORT_BACKLOG)) {
      this.#window.skipToKeyframe();
    }
    if (!more) this.#wake();
  }

  #everyReaders(): PictureReader[] {
    return [...this.#readers].filter(({ mode }) => mode === 'every');
  }

  #wake(): void {
    if (this.#closed) return;
    this.#driving ??= this.#drive().finally(() => {
      this.#driving = undefined;
      // What came up between the last look and now.
      if (!this.#closed && this.#hasWork()) this.#wake();
      else this.#ask();
    });
  }

  /** Asks the hub for what the readers need and what is not here yet. */
  #ask(): void {
    if (this.#closed || !this.#subscription || this.#driving) return;
    const want = this.#wanted();
    if (!want) return;
    const { all, pts, keyframe } = this.#asked ?? {};
    if (this.#asked && all === want.all && pts === want.pts && keyframe === want.keyframe) return;
    this.#asked = want;
    this.#subscription.want(want);
  }

  #wanted(): Want | undefined {
    if (this.#everyReaders().length > 0) return { all: true };
    const wishing = [...this.#readers].filter(({ wishes }) => wishes);
    if (wishing.length === 0) return undefined;
    // Between two ticks there is no picture; the hub counts in whole ones.
    const due = Math.ceil(Math.min(...wishing.map((reader) => reader.due)));
    // The picture is in the decoder already, and comes out when those behind it go in.
    const inside = Math.max(Number.NEGATIVE_INFINITY, ...this.#inside.keys());
    if (inside >= due && inside !== Number.NEGATIVE_INFINITY) return {};
    const keyframe = wishing.every(({ keyframesOnly }) => keyframesOnly);
    return {
      ...(due === Number.NEGATIVE_INFINITY ? {} : { pts: due }),
      ...(keyframe ? { keyframe } : {}),
    };
  }

  /** The owner loop of the decoder: nobody else calls it. */
  async #drive(): Promise<void> {
    for (;;) {
      for (const reader of this.#readers) reader.settle(this.#decodedIndex, this.#window.length === 0);
      if (!this.#hasWork()) return;
      const taken = this.#window.take();
      if (!taken) return;
      try {
        await this.#decode(taken.unit, taken.fresh);
      } catch (error) {
        this.#log(`Decoding "${this.#stream}" failed: ${messageOf(error)}`);
        this.#decoder?.close();
        this.#decoder = undefined;
        this.#lose();
      }
      this.#decodedIndex = taken.unit.index;
      if (this.#closed) return;
    }
  }

  #hasWork(): boolean {
    if (this.#closed || this.#window.length === 0) return false;
    if (this.#window.length > EVERY_LIMIT && this.#everyReaders().length > 0) return true;
    const newest = Math.max(this.#window.newestPts ?? 0, ...this.#inside.keys());
    const last = this.#window.last?.index ?? -1;
    const keyframe = this.#nextKeyframe();
    return [...this.#readers].some((reader) =>
      reader.keyframesOnly ? reader.needsKeyframe(keyframe) : reader.needs(newest, last),
    );
  }

  /** Timestamp of the keyframe that is decoded next or whose picture is still inside the decoder. */
  #nextKeyframe(): number | undefined {
    for (const unit of this.#inside.values()) if (unit.keyframe) return unit.pts;
    const first = this.#window.first;
    return first?.keyframe ? first.pts : undefined;
  }

  #keyframesAt(pts: number, interval: number): void {
    this.#keyframes = { pts, interval };
    for (const reader of this.#readers) reader.keyframesAt(pts, interval);
  }

  async #decode(unit: Arrived, fresh: boolean): Promise<void> {
    const { format } = unit.track as VideoTrack;
    if (format !== this.#format || !this.#decoder) await this.#reopen(format);
    else if (fresh) this.#flush();
    const decoder = this.#decoder;
    if (!decoder) return;
    if (unit.keyframe) {
      this.#keyframePts = unit.pts;
      decoder.audience = this.#presentAudience();
    }
    this.#inside.set(unit.pts, unit);
    const pictures = await decoder.decode(unit.payload, unit.pts, unit.keyframe);
    if (pictures) this.#show(pictures);
    else this.#lose();
  }

  /** Pictures that refer to others need those as the encoder had them, so this may change at keyframes only. */
  #presentAudience(): Audience {
    return [...this.#readers].some(({ forPeople }) => forPeople) ? 'people' : this.#audience;
  }

  /** Another format: the pictures still inside come out, and a new decoder begins. */
  async #reopen(format: VideoTrack['format']): Promise<void> {
    if (this.#decoder) {
      const decoder = this.#decoder;
      this.#decoder = undefined;
      this.#show(await decoder.drain());
      decoder.close();
    }
    this.#inside.clear();
    this.#format = format;
    if (canDecode(format.codec)) this.#decoder = await VideoDecoder.open(format.codec, this.#audience);
  }

  #show(pictures: readonly Picture[]): void {
    let damaged = false;
    for (const picture of pictures) {
      this.counters.decoded++;
      const unit = this.#inside.get(picture.pts);
      // Pictures come in order of display: what stands before this one will not come any more.
      for (const pts of this.#inside.keys()) if (pts <= picture.pts) this.#inside.delete(pts);
      // Pictures shown before the keyframe that decoding began with may lack what they refer to: that is no damage.
      if (picture.damaged) damaged ||= picture.pts >= this.#keyframePts;
      else if (unit) {
        const { pts, ntp, arrival, index, keyframe } = unit;
        const room = EVERY_LIMIT - this.#window.length;
        for (const reader of this.#readers)
          reader.show({ picture, pts, ntp, arrival, index, keyframe }, room);
      }
      picture.release();
    }
    if (damaged) this.#lose();
  }

  #flush(): void {
    this.#decoder?.flush();
    this.#inside.clear();
  }

  /** The data is broken: nothing more until the next keyframe. */
  #lose(): void {
    this.counters.corrupt++;
    this.#flush();
    this.#window.resync();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#window.drop();
    this.#inside.clear();
    const free = () => {
      this.#decoder?.close();
      this.#decoder = undefined;
    };
    // A decoder must not be freed under a call that is still running.
    if (this.#driving) void this.#driving.finally(free);
    else free();
    this.#onIdle();
  }
}

/** The decoders of a worker: one per stream and audience, as long as somebody reads from it. */
export class StreamDecoders {
  readonly #decoders = {
    algorithms: new Map<string, StreamDecoder>(),
    people: new Map<string, StreamDecoder>(),
  };
  readonly #link: LinkClient;
  readonly #log: (message: string) => void;

  constructor(link: LinkClient, log: (message: string) => void) {
    this.#link = link;
    this.#log = log;
  }

  /**
   * The decoder of a stream; the caller opens a reader on it at once.
   * @param audience pictures that people see are decoded as the standard says, see {@link VideoDecoder.open}
   */
  get(stream: string, audience: Audience = 'algorithms'): StreamDecoder {
    const decoders = this.#decoders[audience];
    let decoder = decoders.get(stream);
    if (!decoder) {
      const onIdle = () => decoders.delete(stream);
      decoder = new StreamDecoder({ link: this.#link, stream, audience, log: this.#log, onIdle });
      decoders.set(stream, decoder);
    }
    return decoder;
  }
}
