import { gzipSync } from 'node:zlib';
import { selectTracks } from '#feeds/fmp4/tracks.ts';
import type { Hub } from '#hub/hub.ts';
import type { Rendition } from '#hub/rendition.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { Reading } from './from-stream.ts';
import { mediaPlaylist, multivariantPlaylist } from './playlist.ts';
import { type Directives, invalid } from './request.ts';
import { SegmentList } from './segments.ts';
import type { HlsSettings } from './settings.ts';

/** Sound that is not AAC after so many milliseconds is done without until it is. */
const RENDITION_MS = 3000;
/**
 * A first request waits so long for something that can be played, ms: many encoders send a keyframe every 250 pictures,
 * and players give a playlist 20 s.
 */
const START_MS = 18_000;
/** Later ones are held for so many target durations (RFC 8216bis §6.2.5.2). */
const HELD_TARGET_DURATIONS = 3;
/** Playlists that are kept ready: with and without what is skipped, for some tokens. */
const READY_PLAYLISTS = 32;

/** The text of a playlist, packed when somebody first wants it so. */
export class Playlist {
  readonly plain: Buffer;
  #packed: Buffer | undefined;

  constructor(text: string) {
    this.plain = Buffer.from(text);
  }

  get packed(): Buffer {
    this.#packed ??= gzipSync(this.plain);
    return this.#packed;
  }
}

interface Waiter {
  readonly isMet: () => boolean;
  readonly settle: (met: boolean) => void;
}

export interface MuxerOptions {
  readonly hub: Hub;
  readonly stream: Stream;
  readonly settings: HlsSettings;
  /** Part of all names of files; no other muxer has it. */
  readonly id: string;
  readonly firstDiscontinuity: number;
  readonly onEnd: (reason: string) => void;
}

/**
 * Makes the segments and the playlists of one stream for all of its players, from the first request until a while after
 * the last one, or until the stream ends.
 */
export class HlsMuxer {
  readonly #options: MuxerOptions;
  readonly #clock: Clock;
  readonly #list: SegmentList;
  readonly #waiters = new Set<Waiter>();
  readonly #playlists = new Map<string, Playlist>();
  #reading: Reading | undefined;
  #rendition: Rendition | undefined;
  /** Grows with every opening: one that comes back late finds itself overtaken. */
  #turn = 0;
  #unlisten: (() => void)[] = [];
  #cancelIdle = () => {};
  #lastRequest: number;
  #ended: NamedError | undefined;

  constructor(options: MuxerOptions) {
    this.#options = options;
    this.#clock = options.hub.options.clock;
    this.#lastRequest = this.#clock.now();
    const { settings, stream } = options;
    this.#list = new SegmentList({
      id: options.id,
      // Seconds since 1970: no segment is much shorter than one, so a later muxer's numbers are always larger.
      firstSequence: Math.floor(this.#clock.now() / 1000),
      firstDiscontinuity: options.firstDiscontinuity,
      segmentCount: settings.segmentCount,
      segmentSeconds: settings.segmentSeconds,
      segmentMaxBytes: settings.segmentMaxBytes,
      onChange: () => this.#changed(),
    });
    this.#unlisten = [
      stream.events.on('held', () => this.#reading?.interrupt()),
      stream.events.on('replaced', () => void this.#open(stream)),
      stream.events.on('ended', (reason) => this.close(reason)),
    ];
    if (!settings.alwaysOn) this.#watchIdle();
    void this.#open(stream);
  }

  /** The number that follows its discontinuities. */
  get nextDiscontinuity(): number {
    return this.#list.nextDiscontinuity;
  }

  /** Media in memory. */
  get bytes(): number {
    return this.#list.bytes;
  }

  get targetDuration(): number {
    return this.#list.view?.targetDuration ?? this.#options.settings.segmentSeconds;
  }

  /** Somebody asked for something. */
  touch(): void {
    this.#lastRequest = this.#clock.now();
  }

  /**
   * The multivariant playlist, once there is something to play.
   * @param suffix stands behind every address in it
   * @throws NamedError HLS_NOT_READY, TRACK_NOT_WRITABLE
   */
  async multivariant(suffix: string, signal: AbortSignal): Promise<Playlist> {
    await this.#started(signal);
    return this.#ready(`multivariant ${suffix}`, () =>
      multivariantPlaylist(this.#list.view!, this.#list.init!.tracks, `hls/media.m3u8${suffix}`),
    );
  }

  /**
   * The media playlist, once it has what is asked for.
   * @throws NamedError HLS_NOT_READY, HLS_REQUEST_INVALID, TRACK_NOT_WRITABLE
   */
  async media(directives: Directives, suffix: string, signal: AbortSignal): Promise<Playlist> {
    await this.#started(signal);
    const { lowLatency } = this.#options.settings;
    const { sequence, part } = directives;
    if (lowLatency && sequence !== undefined) {
      this.#checkDistance(sequence, part);
      await this.#until(() => this.#list.has(sequence, part), this.#heldMs, signal);
    }
    const skip = lowLatency && directives.skip;
    return this.#ready(`media ${skip} ${suffix}`, () =>
      mediaPlaylist(this.#list.view!, { hint: lowLatency ? this.#list.hint : undefined, skip, suffix }),
    );
  }

  /**
   * An initialisation segment, a segment or a part, in pieces; one that is announced as the next is waited for.
   * @throws NamedError HLS_FILE_UNKNOWN, HLS_NOT_READY
   */
  async file(name: string, signal: AbortSignal): Promise<readonly Buffer[]> {
    if (this.#list.file(name) === 'coming')
      await this.#until(() => this.#list.file(name) !== 'coming', this.#heldMs, signal);
    const file = this.#list.file(name);
    if (file !== undefined && file !== 'coming') return file;
    throw new NamedError(
      'HLS_FILE_UNKNOWN',
      `"${this.#options.stream.name}" has no file "${name}" any more, or never had. Ask for the playlist anew.`,
      404,
    );
  }

  /** Ends it; whoever waits hears the reason. Idempotent. */
  close(reason: string): void {
    this.#end(new NamedError('HLS_NOT_READY', reason, 503));
  }

  get #heldMs(): number {
    return HELD_TARGET_DURATIONS * this.targetDuration * 1000;
  }

  #end(cause: NamedError): void {
    if (this.#ended) return;
    this.#ended = cause;
    this.#turn++;
    this.#cancelIdle();
    for (const off of this.#unlisten) off();
    for (const { settle } of [...this.#waiters]) settle(false);
    const reading = this.#reading;
    this.#reading = undefined;
    reading?.leave();
    this.#releaseRendition();
    this.#options.onEnd(cause.message);
  }

  #watchIdle(): void {
    const { closeSeconds } = this.#options.settings;
    const idle = this.#clock.now() - this.#lastRequest;
    const left = closeSeconds * 1000 - idle;
    // Who is held is there.
    if (left <= 0 && this.#waiters.size === 0) this.close(`Nobody asked for ${closeSeconds} s.`);
    else this.#cancelIdle = this.#clock.after(Math.max(left, 1000), () => this.#watchIdle());
  }

  async #open(stream: Stream): Promise<void> {
    const turn = ++this.#turn;
    const before = this.#rendition;
    this.#rendition = undefined;
    const { tracks, convert, unsupported } = selectTracks(stream.tracks);
    if (!convert) {
      before?.release();
      return this.#read(stream, tracks, unsupported[0]?.reason);
    }
    const rendition = stream.acquireRendition(convert.id, 'aac');
    this.#rendition = rendition;
    before?.release();
    const made = await this.#within(rendition);
    if (turn !== this.#turn) return;
    if (made) return this.#read(stream, [...tracks, made], undefined);
    if (tracks.length > 0) this.#read(stream, tracks, undefined);
    const late = await rendition.track.catch((error: unknown) => messageOf(error));
    if (turn !== this.#turn) return;
    if (typeof late !== 'string') this.#read(stream, [...tracks, late], undefined);
    else if (tracks.length === 0) this.#end(new NamedError('RENDITION_FAILED', late, 503));
  }

  /** The track of a rendition, if it comes in time. */
  #within({ track, trouble }: Rendition): Promise<Track | undefined> {
    return new Promise((resolve) => {
      const none = () => resolve(undefined);
      const cancel = this.#clock.after(RENDITION_MS, none);
      track.then(resolve, none);
      void trouble.then(none);
      void Promise.race([track, trouble]).then(cancel, cancel);
    });
  }

  /** Reads these tracks from here on, instead of others if it reads already. */
  #read(stream: Stream, tracks: readonly Track[], reason: string | undefined): void {
    if (stream.state === 'ended') return;
    if (tracks.length === 0) {
      const why = reason ?? 'It has no picture and no sound.';
      this.#end(
        new NamedError('TRACK_NOT_WRITABLE', `"${stream.name}" cannot be read over HLS: ${why}`, 415),
      );
      return;
    }
    const before = this.#reading;
    // What came so far is complete before anything of the new tracks is.
    before?.interrupt();
    const { settings } = this.#options;
    this.#reading = new Reading({
      ...{ stream, tracks, settings, list: this.#list, clock: this.#clock },
      onClose: (why) => this.close(why),
    });
    // Only now: a stream that is held ends with its last reader.
    before?.leave();
    // The playlist begins with a whole segment: the sooner the next keyframe comes the better.
    stream.requestKeyframe();
  }

  #releaseRendition(): void {
    this.#rendition?.release();
    this.#rendition = undefined;
  }

  async #started(signal: AbortSignal): Promise<void> {
    const { name } = this.#options.stream;
    if (await this.#until(() => this.#list.view !== undefined, START_MS, signal, false)) return;
    const wait = `no whole segment of "${name}" came within ${START_MS / 1000} s`;
    throw new NamedError(
      'HLS_NOT_READY',
      `There is nothing to play yet: ${wait}. Let the publisher send a keyframe more often, or try again.`,
      503,
    );
  }

  /** Resolves when something is true; where it is not in time, with false or by throwing. */
  #until(isMet: () => boolean, ms: number, signal: AbortSignal, throws = true): Promise<boolean> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (isMet()) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      const settle = (met: boolean) => {
        this.#waiters.delete(waiter);
        cancel();
        signal.removeEventListener('abort', give);
        if (this.#ended) reject(this.#ended);
        else if (met || !throws) resolve(met);
        else reject(this.#late(ms));
      };
      const give = () => settle(false);
      const waiter: Waiter = { isMet, settle };
      const cancel = this.#clock.after(ms, give);
      this.#waiters.add(waiter);
      signal.addEventListener('abort', give, { once: true });
    });
  }

  #late(ms: number): NamedError {
    const { name, state } = this.#options.stream;
    const why = state === 'held' ? 'its publisher is gone' : 'its publisher sent nothing';
    return new NamedError(
      'HLS_NOT_READY',
      `Nothing new of "${name}" came within ${ms / 1000} s: ${why}. Try again.`,
      503,
    );
  }

  /** Nobody can know of parts that are so far ahead (RFC 8216bis §6.2.5.2). */
  #checkDistance(sequence: number, part: number | undefined): void {
    const { segments, partTarget } = this.#list.view!;
    const complete = segments.findLast((segment) => segment.complete)!;
    const last = segments.at(-1)!;
    const advance = Math.ceil(partTarget < 1 ? 3 / partTarget : 3);
    const tooFar =
      sequence > complete.sequence + 2 ||
      (sequence === last.sequence && !last.complete && (part ?? 0) > last.parts.length - 1 + advance);
    if (tooFar) {
      throw invalid(
        `"_HLS_msn=${sequence}" is too far ahead: the last segment in the playlist is ${complete.sequence}.`,
      );
    }
  }

  #ready(key: string, make: () => string): Playlist {
    const known = this.#playlists.get(key);
    if (known) return known;
    if (this.#playlists.size >= READY_PLAYLISTS) this.#playlists.clear();
    const playlist = new Playlist(make());
    this.#playlists.set(key, playlist);
    return playlist;
  }

  #changed(): void {
    this.#playlists.clear();
    for (const { isMet, settle } of [...this.#waiters]) if (isMet()) settle(true);
  }
}
