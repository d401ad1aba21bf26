import { type Unplayable, unplayable } from './codec-support.ts';
import type { Range } from './live-edge.ts';
import { MseBuffer } from './mse-buffer.ts';
import {
  type MseMessage,
  parseMessage,
  STREAM_GONE,
  type StreamMessage,
  type UnsupportedTrack,
  type WaitsFor,
} from './protocol.ts';
import { ReconnectingSocket } from './reconnecting-socket.ts';

/** What the source is doing, in the words the page shows. */
export type SourceState =
  | { readonly kind: 'connecting' }
  /** Connected; the server waits for a camera, a keyframe … and says for what. */
  | { readonly kind: 'waiting'; readonly for?: WaitsFor; readonly reason: string }
  | { readonly kind: 'open' }
  /** The publisher is gone since `since` (ms since 1970); its place is kept for `seconds`. */
  | { readonly kind: 'held'; readonly since: number; readonly seconds: number }
  /** No connection; the next attempt is at `retryAt` (ms since 1970). */
  | { readonly kind: 'lost'; readonly retryAt: number }
  /** There is no such stream (any more); asked again at `retryAt`. */
  | { readonly kind: 'gone'; readonly retryAt: number }
  | { readonly kind: 'unplayable'; readonly why: Unplayable };

export interface MseSourceEvents {
  state(state: SourceState): void;
  /** The tracks, at the start and whenever they change. */
  stream(message: StreamMessage): void;
  /** A new timeline begins: what is known about the old one is void. */
  reset(): void;
  appended(ranges: readonly Range[]): void;
  /** Access units the server left out for this reader, since it connected. */
  drops(drops: { readonly video: number; readonly audio: number }): void;
}

/** Brings a stream from its WebSocket door into a video element, and again after whatever interrupted it. */
export class MseSource {
  readonly #video: HTMLVideoElement;
  readonly #events: MseSourceEvents;
  readonly #socket: ReconnectingSocket;
  #buffer: MseBuffer | undefined;
  /** Kinds of the tracks that the buffer was made for. */
  #kinds = '';
  /** Set between a `stream` message and the init segment that follows it. */
  #announced: StreamMessage | undefined;
  /** The stream cannot be played: binary messages that are on their way are ignored. */
  #refused = false;
  /** The server was asked to send nothing of a refused stream; it still says when there may be another one. */
  #paused = false;
  #unsupported: readonly UnsupportedTrack[] = [];
  #state: SourceState = { kind: 'connecting' };

  constructor(video: HTMLVideoElement, url: string, events: MseSourceEvents) {
    this.#video = video;
    this.#events = events;
    this.#video.addEventListener('error', this.#decodeError);
    this.#tell({ kind: 'connecting' });
    this.#socket = new ReconnectingSocket(
      url,
      {
        open: () => this.#begin(),
        text: (text) => this.#message(parseMessage<MseMessage>(text)),
        binary: (bytes) => this.#binary(bytes),
        close: (code, retryMs) => {
          const retryAt = Date.now() + retryMs;
          this.#tell(code === STREAM_GONE ? { kind: 'gone', retryAt } : { kind: 'lost', retryAt });
        },
      },
      true,
    );
  }

  get ranges(): Range[] {
    return this.#buffer?.ranges ?? [];
  }

  /** Tracks of the stream that do not reach the page. */
  get unsupported(): readonly UnsupportedTrack[] {
    return this.#unsupported;
  }

  close(): void {
    this.#video.removeEventListener('error', this.#decodeError);
    this.#socket.close();
    this.#buffer?.close();
    this.#buffer = undefined;
  }

  /** A new connection brings a new init segment and perhaps another timeline: nothing of the old one is kept. */
  #begin(): void {
    this.#announced = undefined;
    this.#refused = false;
    this.#paused = false;
    this.#renew();
    this.#tell({ kind: 'waiting', reason: '' });
  }

  #renew(): void {
    this.#buffer?.close();
    this.#buffer = undefined;
    this.#events.reset();
  }

  #tell(state: SourceState): void {
    this.#state = state;
    this.#events.state(state);
  }

  #decodeError = (): void => {
    // Only a new MediaSource recovers from a decoder's error; the server replays from the last keyframe.
    if (this.#buffer && this.#video.error) this.#socket.restart();
  };

  #message(message: MseMessage | undefined): void {
    switch (message?.type) {
      case 'stream':
        this.#stream(message);
        break;
      case 'held':
        this.#tell({ kind: 'held', since: message.since, seconds: message.seconds });
        break;
      case 'live':
        if (this.#paused) this.#resume();
        else if (!this.#refused) this.#tell({ kind: 'open' });
        break;
      case 'waiting':
        // Whether a source is fetched is nothing to a page that does not want what it brings.
        if (!this.#paused) this.#tell({ kind: 'waiting', for: message.for, reason: message.reason });
        break;
      case 'drops':
        this.#events.drops({ video: message.video, audio: message.audio });
        break;
      default:
    }
  }

  #stream(message: StreamMessage): void {
    const supported = globalThis.MediaSource?.isTypeSupported.bind(MediaSource);
    const why = unplayable(message, supported);
    this.#unsupported = message.unsupported;
    this.#events.stream(message);
    this.#refused = why !== undefined;
    if (why) {
      this.#renew();
      this.#tell({ kind: 'unplayable', why });
      this.#paused = this.#socket.send({ type: 'pause' });
      return;
    }
    this.#announced = message;
    this.#tell({ kind: 'open' });
  }

  /** There may be something else to play: the server describes it, and what cannot be played is paused again. */
  #resume(): void {
    this.#paused = !this.#socket.send({ type: 'resume' });
  }

  #binary(bytes: ArrayBuffer): void {
    if (this.#refused) return;
    // What was waited for has come.
    if (this.#state.kind === 'waiting') this.#tell({ kind: 'open' });
    if (this.#announced) {
      // A source buffer keeps the kinds it began with, and sound may join later: then another one is needed.
      const kinds = this.#announced.tracks.map(({ kind }) => kind).join();
      if (this.#buffer && kinds !== this.#kinds) this.#renew();
      this.#kinds = kinds;
      this.#buffer ??= new MseBuffer(this.#video, {
        appended: (ranges) => this.#events.appended(ranges),
        broken: () => this.#socket.restart(),
      });
      this.#buffer.appendInit(this.#announced.mime, bytes);
      this.#announced = undefined;
      return;
    }
    this.#buffer?.appendMedia(bytes);
  }
}
