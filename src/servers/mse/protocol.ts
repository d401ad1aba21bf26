/**
 * What the server and the page say to each other over `/<stream>/mse`. Both take their types from here, so this file
 * imports nothing.
 */

/** Text messages of the MSE door, JSON, between binary messages that are an init segment or one fragment each. */
export type ServerMessage =
  | StreamMessage
  /** Nothing can be played yet; the socket stays open until there is something. */
  | { readonly type: 'waiting'; readonly for: WaitsFor; readonly reason: string }
  /** The publisher is gone since `since` (ms since 1970); its place is kept for `seconds`. */
  | { readonly type: 'held'; readonly since: number; readonly seconds: number }
  /** A publisher is there again, or what stands in for it; to a page that paused also: it may send something else now. */
  | { readonly type: 'live' }
  /** Units this reader lost because it was too slow, since it connected. */
  | { readonly type: 'drops'; readonly video: number; readonly audio: number }
  | { readonly type: 'pong'; readonly t: number; readonly serverNow: number };

/** Somebody who publishes, a source that is to be fetched, or the next keyframe. */
export type WaitsFor = 'publisher' | 'source' | 'keyframe';

/** Says what the binary messages that follow are made of; the next one is an init segment, if there are tracks. */
export interface StreamMessage {
  readonly type: 'stream';
  readonly stream: string;
  readonly tracks: readonly TrackInfo[];
  /** For `MediaSource.isTypeSupported`; empty without tracks. */
  readonly mime: string;
  /** Ticks per second of the video's timestamps, which are those of results. */
  readonly timescale: 90000;
  readonly unsupported: readonly UnsupportedTrack[];
}

export interface TrackInfo {
  readonly id: number;
  readonly kind: 'video' | 'audio';
  readonly codec: string;
  /** RFC 6381 name. */
  readonly codecString: string;
  readonly width?: number;
  readonly height?: number;
  readonly sampleRate?: number;
  readonly channels?: number;
}

/** A track that is not sent, and why, for people. */
export interface UnsupportedTrack {
  readonly kind: string;
  readonly codec: string;
  readonly reason: string;
}

export type ClientMessage =
  /** No bytes until `resume`: the page cannot play them, or does not want to. */
  { readonly type: 'pause' } | { readonly type: 'resume' } | { readonly type: 'ping'; readonly t: number };
