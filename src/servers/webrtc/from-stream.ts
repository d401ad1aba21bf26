import { isReordered } from '#feeds/webrtc/is-reordered.ts';
import type { Feed } from '#hub/feed.ts';
import type { ReaderLimits } from '#hub/reader.ts';
import type { Rendition } from '#hub/rendition.ts';
import type { Stream } from '#hub/stream.ts';
import { isVideo, type Track } from '#media/track.ts';
import {
  type AnsweredTrack,
  matchTracks,
  type OfferedMedias,
  type SentTrack,
} from '#protocols/sdp/webrtc-answer.ts';
import type { WebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import type { Clock } from '#util/clock.ts';
import { messageOf } from '#util/named-error.ts';
import type { OutgoingLine } from './outgoing-line.ts';
import { type LineTrack, Reading } from './reading.ts';

/** Sound or picture that is not made after so many milliseconds is done without until it is. */
const PATIENCE_MS = 3000;

/** What of a stream goes to a browser with this offer. */
export function chooseTracks(offer: OfferedMedias, stream: Stream): AnsweredTrack[] {
  return matchTracks(offer, stream.tracks, (track) => isReordered(stream, track));
}

/**
 * What goes on over sections that were agreed on, when the stream has other tracks; or why that cannot be.
 * @param offer of the browser: a kind of media that it asked for, and which had no track then, needs another answer
 */
export function chooseAnew(
  offer: WebRtcOffer,
  sent: readonly SentTrack[],
  stream: Stream,
): AnsweredTrack[] | { readonly reason: string } {
  const agreed = offer.medias.flatMap((media) => {
    const one = sent.find(({ mid }) => mid === media.mid);
    return one ? [{ ...media, formats: [one.format, ...(one.rtx ? [one.rtx] : [])] }] : [];
  });
  const chosen = chooseTracks({ medias: agreed }, stream);
  const carried = new Set(chosen.map(({ track }) => track.format.kind));
  const wanted = new Set(chooseTracks(offer, stream).map(({ track }) => track.format.kind));
  for (const kind of wanted) {
    if (carried.has(kind)) continue;
    const { codec } = stream.tracks.find(({ format }) => format.kind === kind)!.format;
    const before = sent.find(({ track }) => track.format.kind === kind)?.track.format.codec;
    const instead = before ? ` instead of ${before}` : '';
    return { reason: `The ${kind} is now ${codec}${instead}: connect again.` };
  }
  return chosen;
}

export interface StreamReadingOptions {
  readonly id: string;
  readonly remote: string;
  readonly stream: Stream;
  readonly offer: WebRtcOffer;
  readonly sent: readonly SentTrack[];
  readonly lines: ReadonlyMap<string, OutgoingLine>;
  readonly openFeed: (tracks: readonly Track[]) => Feed;
  /** The source of a track in feeds of its stream. */
  readonly sourceOf: (track: Track) => number;
  readonly clock: Clock;
  readonly limits: ReaderLimits;
  readonly onPacket: (packet: Buffer, line: OutgoingLine, sequence: number) => void;
  readonly onReport: (report: Buffer, line: OutgoingLine) => void;
  readonly onWritten: () => void;
  readonly backlog: () => number;
  /** Nothing can be read any more, and why. */
  readonly onEnd: (reason: string) => void;
}

/**
 * What one viewer reads of a stream: tracks as they are, or renditions of them; chosen anew whenever the stream has other
 * tracks, or its pictures another order. From one feed to the next it goes over at a keyframe.
 */
export class StreamReading {
  readonly #options: StreamReadingOptions;
  readonly #unlisten: (() => void)[];
  readonly #renditions = new Map<string, Rendition>();
  #chosen: readonly AnsweredTrack[];
  #current: Reading | undefined;
  /** Takes the current one's place when it is ready. */
  #next: Reading | undefined;
  /** Ids of the tracks that are read, or about to be. */
  #reads = '';
  /** Grows with every choice: what comes back late finds itself overtaken. */
  #turn = 0;
  #isStarted = false;
  /** What was chosen is not read yet, or not all of it. */
  #isOpening = false;
  #isOver = false;
  #cancelPatience = () => {};

  /** Renditions are begun at once: the connection takes its time as well. */
  constructor(options: StreamReadingOptions) {
    this.#options = options;
    this.#chosen = options.sent;
    const { events } = options.stream;
    this.#unlisten = [
      events.on('replaced', () => this.#chooseAnew()),
      events.on('tracks', () => this.#chooseAnew()),
      events.on('order', () => this.#chooseAnew()),
    ];
    this.#hold(this.#chosen);
  }

  /** The reader in the hub, once there is one. */
  get reader() {
    return this.#current?.reader;
  }

  /** What is read now. */
  get current(): Reading | undefined {
    return this.#current;
  }

  get trackIds(): Iterable<number> {
    return this.#current?.feed.tracks ?? [];
  }

  /** The connection is there. */
  start(): void {
    if (this.#isStarted || this.#isOver) return;
    this.#isStarted = true;
    this.#open();
  }

  /** Something that waited for the way out has left. */
  drained(): void {
    this.#current?.drained();
  }

  /** Idempotent. */
  close(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#turn++;
    this.#cancelPatience();
    for (const off of this.#unlisten) off();
    // Renditions last: a stream that is held ends with its last reader.
    this.#next?.leave(reason);
    this.#current?.leave(reason);
    for (const rendition of this.#renditions.values()) rendition.release();
    this.#renditions.clear();
  }

  #chooseAnew(): void {
    const { offer, sent, stream } = this.#options;
    if (this.#isOver || stream.state === 'ended') return;
    const chosen = chooseAnew(offer, sent, stream);
    if ('reason' in chosen) return this.#options.onEnd(chosen.reason);
    // A stream without any of it may have some again.
    if (chosen.length === 0) return;
    const named = ({ track, mid, convert }: AnsweredTrack) => `${mid}:${track.id}:${convert}`;
    if (chosen.map(named).join() === this.#chosen.map(named).join()) return;
    this.#chosen = chosen;
    this.#hold(chosen);
    if (this.#isStarted) this.#open();
  }

  /** Holds the renditions that are needed now; those that are not are given back when others are read. */
  #hold(chosen: readonly AnsweredTrack[]): void {
    const { stream } = this.#options;
    for (const { track, convert } of chosen) {
      const key = `${track.id}:${convert}`;
      if (!convert || this.#renditions.has(key)) continue;
      const rendition = stream.acquireRendition(track.id, convert);
      this.#renditions.set(key, rendition);
      if (!isVideo(track)) continue;
      // A picture that stands still for good is worse than none; one that never came is dealt with where it is waited for.
      rendition.track.then(
        async () => {
          const reason = await rendition.failed;
          if (this.#renditions.get(key) === rendition) this.#options.onEnd(reason);
        },
        () => {},
      );
    }
  }

  #giveBack(): void {
    const needed = new Set(this.#chosen.map(({ track, convert }) => `${track.id}:${convert}`));
    for (const [key, rendition] of this.#renditions) {
      if (needed.has(key)) continue;
      this.#renditions.delete(key);
      rendition.release();
    }
  }

  /** Reads what is chosen: what goes as it is, with what is made as soon as it is there. */
  #open(): void {
    const turn = ++this.#turn;
    const there = new Map<string, LineTrack>();
    const missing = new Set<string>();
    const failures: string[] = [];
    let isPatient = true;
    this.#isOpening = true;
    const settle = () => {
      if (turn !== this.#turn || this.#isOver || (isPatient && missing.size > 0)) return;
      this.#isOpening = missing.size > 0;
      if (missing.size === 0) this.#cancelPatience();
      if (there.size > 0) this.#read([...there.values()]);
      else if (missing.size === 0) this.#options.onEnd(failures[0] ?? 'There is nothing left to read.');
    };
    for (const { track, mid, convert } of this.#chosen) {
      const line = this.#options.lines.get(mid)!;
      const rendition = convert && this.#renditions.get(`${track.id}:${convert}`);
      if (!rendition) {
        there.set(mid, { track, line });
        continue;
      }
      missing.add(mid);
      const settled = (set: () => void) => {
        set();
        missing.delete(mid);
        settle();
      };
      rendition.track.then(
        (made) => settled(() => there.set(mid, { track: made, line })),
        (error: unknown) => settled(() => failures.push(messageOf(error))),
      );
    }
    const wait = () => {
      this.#cancelPatience = this.#options.clock.after(PATIENCE_MS, () => {
        // Who sees and hears something goes on with that rather than with less.
        isPatient = this.#current !== undefined;
        if (isPatient) wait();
        settle();
      });
    };
    this.#cancelPatience();
    if (missing.size > 0) wait();
    settle();
  }

  #read(tracks: readonly LineTrack[]): void {
    const ids = tracks.map(({ track }) => track.id).join();
    if (ids === this.#reads) return this.#giveBack();
    const { stream, openFeed, sourceOf, onEnd, ...rest } = this.#options;
    let feed: Feed;
    try {
      feed = openFeed(tracks.map(({ track }) => track));
    } catch (error) {
      return onEnd(messageOf(error));
    }
    this.#reads = ids;
    this.#giveUpNext('Other tracks are read.');
    const reading: Reading = new Reading({
      ...rest,
      feed,
      lines: new Map(tracks.map(({ track, line }) => [sourceOf(track), line])),
      onReady: () => this.#goOver(reading),
      onWaiting: (isNewer) => this.#wait(feed, isNewer),
      onEnd: (reason) => this.#ended(reading, reason),
    });
    const follows = this.#current !== undefined;
    if (follows) this.#next = reading;
    else this.#current = reading;
    reading.start(follows);
    if (!reading.isReady || reading.reader.counters.units === 0) stream.requestKeyframe(feed.tracks);
  }

  /**
   * What is encoded anew comes later than its source, so its keyframes would never be newer than what is sent meanwhile:
   * the picture stands still for the moment until it has come up, and then is asked for a keyframe.
   */
  #wait(feed: Feed, isNewer: boolean): void {
    const { stream } = this.#options;
    if (!stream.renditions.makes(feed.tracks)) return;
    this.#current?.holdPictures();
    if (isNewer) stream.requestKeyframe(feed.tracks);
  }

  #giveUpNext(reason: string): void {
    const next = this.#next;
    this.#next = undefined;
    next?.leave(reason);
    if (next) this.#current?.resumePictures();
  }

  #goOver(reading: Reading): void {
    const before = this.#current;
    if (this.#isOver) return;
    if (reading !== before) {
      this.#current = reading;
      this.#next = undefined;
      before?.leave('Other tracks are read.');
    }
    this.#giveBack();
  }

  /** A feed ended, as those of a former publisher's tracks do; that is the end where nothing follows it. */
  #ended(reading: Reading, reason: string): void {
    if (this.#isOver || (reading !== this.#current && reading !== this.#next)) return;
    if (reading === this.#next) {
      this.#giveUpNext(reason);
      this.#reads = '';
    } else {
      this.#current = this.#next;
      this.#next = undefined;
      if (!this.#current) this.#reads = '';
    }
    if (!this.#current && !this.#isOpening) this.#options.onEnd(reason);
  }
}
