import type { Rung, Setback } from './ladder.ts';
import type { TrackInfo, UnsupportedTrack, WaitsFor } from './protocol.ts';
import type { Sound } from './sound.ts';

/** What a source is doing, in the words the page shows. */
export type SourceState =
  | { readonly kind: 'connecting' }
  /** The server answers, and waits for a camera, a keyframe … */
  | { readonly kind: 'waiting'; readonly for?: WaitsFor; readonly reason: string }
  | { readonly kind: 'open' }
  /** The publisher is gone since `since` (ms since 1970); its place is kept for `seconds`. */
  | { readonly kind: 'held'; readonly since: number; readonly seconds: number }
  /** No connection; the next attempt is at `retryAt` (ms since 1970). */
  | { readonly kind: 'lost'; readonly retryAt: number }
  /** There is no such stream (any more); asked again at `retryAt`. */
  | { readonly kind: 'gone'; readonly retryAt: number };

/** What is known about the stream from elsewhere (`GET /api/streams`), as far as playing it needs that. */
export interface StreamStatus {
  /** It has a publisher or a stand-by, and the server can be reached: media should come. */
  readonly isLive: boolean;
  /** `since` in ms since 1970. */
  readonly held?: { readonly since: number; readonly seconds: number };
  readonly tracks: readonly { readonly kind: string; readonly codec: string }[];
}

/** A picture that is to be seen now. Valid only while it is handed over. */
export interface PresentedFrame {
  readonly picture: CanvasImageSource;
  /** As it is to be shown: pixels need not be square. */
  readonly width: number;
  readonly height: number;
  /** The timestamp of its access unit, 90 kHz ticks; undefined where this way does not say. */
  readonly pts: number | undefined;
  /** Frames that were presented since the last one without having been handed over. */
  readonly skipped: number;
}

export interface SourceEvents {
  state(state: SourceState): void;
  /** The tracks, at the start and whenever they change, and those that do not reach the page. */
  tracks(tracks: readonly TrackInfo[], unsupported: readonly UnsupportedTrack[]): void;
  /** Another connection, perhaps with another timeline: what is known about the old one is void. */
  reset(): void;
  frame(frame: PresentedFrame): void;
  /** Playback began: a picture was handed over, or sound alone is heard. May be told again. */
  playing(): void;
  /** Access units that were lost on the way, since the source was opened. */
  drops(drops: { readonly video: number; readonly audio: number }): void;
  /** It cannot go on, and does nothing more. */
  failed(why: Setback): void;
}

export interface SourceOptions {
  /** Name of the stream. */
  readonly stream: string;
  /** Where the server is, `https://host:port`. */
  readonly origin: string;
  /** The element that the source plays in; it is the source's alone. */
  readonly video: HTMLVideoElement;
  readonly events: SourceEvents;
  /** Seconds to hold back from the beginning; see {@link PlayerSource.hold}. */
  readonly hold: number | undefined;
  /** True where the viewer chose this way and no other: losing something is no reason to take another one. */
  readonly chosen: boolean;
}

/** One way in which a stream comes to the page, and its playback. */
export interface PlayerSource {
  readonly rung: Rung;
  /** Absent where this way has no sound. */
  readonly sound: Sound | undefined;
  /** Distance of what is shown from the live edge, seconds; undefined before playback. */
  readonly latency: number | undefined;
  /** The distance that is steered for, seconds. */
  readonly target: number;
  /** The longest that can be held back, seconds. */
  readonly longestHold: number;
  /** True where playback is about where it should be. */
  readonly isSettled: boolean;
  /** The newest media at this moment, seconds of the stream's timestamps; undefined before any. @param now ms, `performance.now()` */
  edge(now: number): number | undefined;
  /**
   * Holds picture and sound back by so many seconds from the live edge; 0: no more than they need to be together;
   * undefined: as little as possible, the picture also where its sound comes later.
   * @param isJump go there at once instead of drifting
   */
  hold(seconds: number | undefined, isJump: boolean): void;
  /** What the server says about the stream changed. */
  told(status: StreamStatus): void;
  /** A timestamp of the stream of about now, in full: that of a result. */
  anchor(pts: number): void;
  /**
   * There may be news, to be looked for now and not later.
   * @param isServerBack the server was away: it may know nothing of this source any more; else the stream is there again
   */
  nudge(isServerBack: boolean): void;
  /** Idempotent. */
  close(): void;
}

/** Address of one of a stream's doors over HTTP. */
export function doorAddress(origin: string, stream: string, door: string): string {
  return `${origin}/${stream.split('/').map(encodeURIComponent).join('/')}/${door}`;
}
