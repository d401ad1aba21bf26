import { selectTracks, unplayableInPages, unsupportedTrack } from '#feeds/fmp4/tracks.ts';
import type { Feed } from '#hub/feed.ts';
import type { Hub } from '#hub/hub.ts';
import { Reader } from '#hub/reader.ts';
import type { Rendition } from '#hub/rendition.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { messageOf } from '#util/named-error.ts';
import { textFrame } from '#util/websocket-frame.ts';
import { MseFeedWriter } from './from-stream.ts';
import { parseClientMessage, type ServerMessage, streamMessage, type UnsupportedTrack } from './messages.ts';
import type { WebSocketTransport } from './transport.ts';

/** A rendition that is not there after so many milliseconds is done without until it is. */
const RENDITION_MS = 3000;
const DROPS_MS = 1000;
/** How often a page that waits for a source is told what keeps it. */
const TROUBLE_MS = 1000;

export interface MseSessionOptions {
  readonly hub: Hub;
  readonly id: string;
  readonly streamName: string;
  /** Address of the page, for people. */
  readonly remote: string;
  readonly transport: WebSocketTransport;
  /** Called once when the session ends by the stream or by the page's slowness; the page may not hear of it. */
  readonly onEnd: (reason: string) => void;
}

/** What a session holds of the stream it is reading. */
interface Reading {
  readonly stream: Stream;
  readonly feed: Feed;
  readonly reader: Reader;
}

/**
 * One page at the MSE door. It waits for its stream, reads it, and may pause; the stream's end is the session's end.
 * Everything to the page goes through one transport, so text and media keep their order.
 */
export class MseSession {
  readonly #hub: Hub;
  readonly #options: MseSessionOptions;
  readonly #transport: WebSocketTransport;
  readonly #clock: Clock;
  #stream: Stream | undefined;
  #reading: Reading | undefined;
  /** Sound that is, or is to be, made AAC for this page. */
  #rendition: Rendition | undefined;
  /** Grows with every opening and every pause: an opening that comes back late finds itself overtaken. */
  #turn = 0;
  #paused = false;
  #closed = false;
  #unlisten: (() => void)[] = [];
  #cancelDrops: (() => void) | undefined;
  /** A page that does not pause wants its stream: one that comes on demand is kept for it. */
  #release: () => void;
  #cancelTrouble = () => {};
  /** Drops of readers before a pause, and what the page was told last. */
  #earlier = { video: 0, audio: 0 };
  #told = { video: 0, audio: 0 };

  constructor(options: MseSessionOptions) {
    this.#options = options;
    this.#hub = options.hub;
    this.#transport = options.transport;
    this.#clock = options.hub.options.clock;
    this.#release = this.#claim();
    const stream = this.#hub.get(options.streamName);
    if (stream) this.#follow(stream);
    else this.#wait();
  }

  /** A text message of the page. What is no message of ours is ignored: a newer page may know more. */
  receive(text: string): void {
    const message = parseClientMessage(text);
    if (this.#closed || !message) return;
    if (message.type === 'ping') this.#say({ type: 'pong', t: message.t, serverNow: this.#clock.now() });
    else if (message.type === 'pause') this.#pause();
    else if (this.#paused) {
      this.#paused = false;
      this.#release = this.#claim();
      if (this.#stream) void this.#open(this.#stream);
    }
  }

  /** Lets go of everything; the socket is closed or about to be. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopReading();
    this.#forget();
    this.#release();
  }

  /** Turns away from the stream, or from waiting for it. */
  #forget(): void {
    this.#cancelDrops?.();
    this.#cancelTrouble();
    for (const off of this.#unlisten) off();
    this.#unlisten = [];
    this.#stream = undefined;
  }

  #claim(): () => void {
    return this.#hub.onDemand.claim(this.#options.streamName);
  }

  #end(reason: string): void {
    if (this.#closed) return;
    if (this.#paused && this.#hub.onDemand.has(this.#options.streamName)) {
      // The source was closed because nobody looks; it comes again with the page that looks again.
      this.#forget();
      return this.#wait();
    }
    this.close();
    this.#transport.close(reason);
    this.#options.onEnd(reason);
  }

  #wait(): void {
    const name = this.#options.streamName;
    if (this.#hub.onDemand.has(name)) this.#sayTrouble(`"${name}" is being fetched.`);
    else this.#say({ type: 'waiting', for: 'publisher', reason: `Nobody is publishing "${name}" yet.` });
    const off = this.#hub.events.on('streamAdded', (stream) => {
      if (stream.name !== name) return;
      off();
      this.#cancelTrouble();
      this.#follow(stream);
    });
    this.#unlisten.push(off);
  }

  /** Says why the source has not come, and again when there is another reason. */
  #sayTrouble(reason: string): void {
    this.#say({ type: 'waiting', for: 'source', reason });
    const look = () => {
      const now = this.#hub.onDemand.trouble(this.#options.streamName) ?? reason;
      if (now !== reason) this.#sayTrouble(now);
      else this.#cancelTrouble = this.#clock.after(TROUBLE_MS, look);
    };
    this.#cancelTrouble = this.#clock.after(TROUBLE_MS, look);
  }

  #follow(stream: Stream): void {
    this.#stream = stream;
    this.#unlisten.push(
      stream.events.on('held', (ms) => this.#sayHeld(this.#clock.now(), ms)),
      stream.events.on('live', () => this.#say({ type: 'live' })),
      stream.events.on('standby', () => this.#say({ type: 'live' })),
      stream.events.on('tracks', () => this.#hint()),
      stream.events.on('replaced', () => this.#chooseAnew(stream)),
      stream.events.on('ended', (reason) => this.#end(reason)),
    );
    this.#watchDrops();
    if (this.#paused) this.#hint();
    else void this.#open(stream);
  }

  /** A page that paused because it cannot play what was sent hears that resuming may be worth it. */
  #hint(): void {
    if (this.#paused) this.#say({ type: 'live' });
  }

  /** The publisher has other tracks than the one before: the page gets a new description and goes on. */
  #chooseAnew(stream: Stream): void {
    if (this.#paused) return;
    this.#stopReading();
    void this.#open(stream);
  }

  async #open(stream: Stream): Promise<void> {
    const turn = ++this.#turn;
    const { tracks, convert, unsupported } = selectTracks(stream.tracks, unplayableInPages);
    if (!convert) return this.#read(stream, tracks, unsupported);
    // Whoever overtakes this opening gives the rendition back.
    const { track, trouble } = (this.#rendition = stream.acquireRendition(convert.id, 'aac'));
    const made = await this.#within(track, trouble);
    if (turn !== this.#turn || this.#closed) return;
    if (typeof made !== 'string') return this.#read(stream, [...tracks, made], unsupported);
    this.#read(stream, tracks, [...unsupported, unsupportedTrack(convert, made)]);
    const late = await track.catch(() => undefined);
    if (turn !== this.#turn || this.#closed) return;
    if (late) this.#read(stream, [...tracks, late], unsupported);
    else this.#releaseRendition();
  }

  /** The track of a rendition, or why there is none in time. */
  #within(track: Promise<Track>, trouble: Promise<string>): Promise<Track | string> {
    return new Promise((resolve) => {
      const late = `The sound could not be turned into AAC within ${RENDITION_MS / 1000} s.`;
      const cancel = this.#clock.after(RENDITION_MS, () => resolve(late));
      // A track that is there comes before a trouble that is over.
      track.then(resolve, (error) => resolve(messageOf(error)));
      void trouble.then(resolve);
      void Promise.race([track, trouble]).then(cancel, cancel);
    });
  }

  /** Reads these tracks from here on, instead of others if the page reads already. */
  #read(stream: Stream, tracks: readonly Track[], unsupported: readonly UnsupportedTrack[]): void {
    if (this.#closed || stream.state === 'ended') return this.#releaseRendition();
    if (tracks.length === 0) {
      this.#say(streamMessage(stream.name, [], unsupported));
      return;
    }
    const before = this.#reading;
    before?.reader.reset();
    const reader = new Reader({
      id: this.#options.id,
      door: 'mse',
      remote: this.#options.remote,
      transport: this.#transport,
      clock: this.#clock,
      limits: this.#hub.options.readerLimits,
      onClose: (reason) => {
        if (this.#closed) return;
        this.close();
        this.#options.onEnd(reason);
      },
    });
    // Pages that miss a track for different reasons are told so, in the bytes of different feeds.
    const missing = unsupported.map(({ codec, reason }) => `${codec}:${reason}`);
    const key = ['mse', ...tracks.map(({ id }) => id), ...missing].join(' ');
    const ids = tracks.map(({ id }) => id);
    const feed = stream.feed(key, ids, () => new MseFeedWriter(stream.name, tracks, unsupported));
    this.#reading = { stream, feed, reader };
    feed.attach(reader);
    // Only now: a stream that is held ends with its last reader.
    if (before) this.#leave(before);
    if (reader.counters.units === 0) {
      const reason = 'The next keyframe of the picture has not come yet.';
      this.#say({ type: 'waiting', for: 'keyframe', reason });
    }
    const held = stream.held;
    if (held) this.#sayHeld(held.since, held.ms);
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#turn++;
    this.#stopReading();
    this.#release();
  }

  #stopReading(): void {
    const reading = this.#reading;
    this.#reading = undefined;
    this.#releaseRendition();
    if (reading) this.#leave(reading);
  }

  #releaseRendition(): void {
    this.#rendition?.release();
    this.#rendition = undefined;
  }

  #leave({ feed, reader }: Reading): void {
    this.#earlier.video += reader.counters.droppedVideo;
    this.#earlier.audio += reader.counters.droppedAudio;
    reader.reset();
    feed.detach(reader);
  }

  #watchDrops(): void {
    this.#cancelDrops = this.#clock.after(DROPS_MS, () => {
      const now = this.#reading?.reader.counters;
      const video = this.#earlier.video + (now?.droppedVideo ?? 0);
      const audio = this.#earlier.audio + (now?.droppedAudio ?? 0);
      if (video !== this.#told.video || audio !== this.#told.audio) {
        this.#told = { video, audio };
        this.#say({ type: 'drops', video, audio });
      }
      this.#watchDrops();
    });
  }

  #sayHeld(since: number, ms: number): void {
    this.#say({ type: 'held', since, seconds: ms / 1000 });
  }

  /** Behind what waits for the page, so that a message never overtakes the pictures before it. */
  #say(message: ServerMessage): void {
    if (this.#closed) return;
    const bytes = textFrame(JSON.stringify(message));
    const reader = this.#reading?.reader;
    if (reader) reader.offer({ bytes, track: -1, kind: 'data', keyframe: true });
    else this.#transport.write(bytes);
  }
}
