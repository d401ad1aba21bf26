import type { Result } from '#algorithms/contract.ts';

/**
 * What the server and the page say to each other over `/<stream>/mse` and `/<stream>/results`: JSON text messages, and
 * on the former binary ones that are appended to the SourceBuffer as they are.
 */

/** A track as the server describes it. */
export interface TrackInfo {
  readonly id: number;
  readonly kind: 'video' | 'audio' | 'data';
  readonly codec: string;
  /** RFC 6381 name. */
  readonly codecString: string;
  readonly width?: number;
  readonly height?: number;
  readonly sampleRate?: number;
  readonly channels?: number;
}

/** A track that cannot travel in fMP4, and why. */
export interface UnsupportedTrack {
  readonly kind: string;
  readonly codec: string;
  readonly reason: string;
}

/** Begins a stream or follows a change of its formats; the next binary message is an init segment. */
export interface StreamMessage {
  readonly type: 'stream';
  readonly stream: string;
  readonly tracks: readonly TrackInfo[];
  /** Full type for `MediaSource.isTypeSupported`. */
  readonly mime: string;
  readonly timescale: number;
  readonly unsupported: readonly UnsupportedTrack[];
}

export type MseMessage =
  | StreamMessage
  /** The publisher is gone since `since` (ms since 1970); the stream is kept for it for `seconds`. */
  | { readonly type: 'held'; readonly since: number; readonly seconds: number }
  /** A publisher is there again; to a page that paused also: it may send something else now. */
  | { readonly type: 'live' }
  | {
      readonly type: 'waiting';
      readonly for: 'publisher' | 'source' | 'keyframe';
      readonly reason: string;
    }
  /** Access units this reader lost because it was too slow, since it connected. */
  | { readonly type: 'drops'; readonly video: number; readonly audio: number }
  | { readonly type: 'pong'; readonly t: number; readonly serverNow: number };

/** Close code of a WebSocket whose stream does not exist (any more). */
export const STREAM_GONE = 4404;

export type RunState = 'starting' | 'running' | 'waiting' | 'failed' | 'done';

/** A run of an algorithm as this viewer sees it. */
export interface RunInfo {
  readonly id: string;
  readonly stream: string;
  readonly algorithm: string;
  readonly title: { readonly en: string; readonly [language: string]: string };
  readonly state: RunState;
  /** Why it waits or failed. */
  readonly reason?: string;
  readonly code?: string;
  readonly leases: number;
  /** True where this viewer has a lease on it. */
  readonly mine: boolean;
  readonly statistics: {
    readonly offered: number;
    readonly inferred: number;
    readonly skipped: number;
    readonly expired: number;
    readonly failed: number;
    readonly resultAgeMs: { readonly p50: number; readonly p95: number };
    readonly inferMs: { readonly p50: number; readonly p95: number };
  };
}

export type ResultsMessage =
  | { readonly type: 'hello'; readonly viewer: string }
  | { readonly type: 'runs'; readonly runs: readonly RunInfo[] }
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

/** Parses a text message; undefined for what is no object with a `type`. */
export function parseMessage<M extends { readonly type: string }>(text: string): M | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string') {
      return value as M;
    }
  } catch {
    // Falls through: what is not JSON is not for us.
  }
  return undefined;
}

/** Address of one of a stream's WebSocket doors on the host that served the page. */
export function doorUrl(
  location: { protocol: string; host: string },
  stream: string,
  door: 'mse' | 'results',
): string {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const path = stream.split('/').map(encodeURIComponent).join('/');
  return `${scheme}//${location.host}/${path}/${door}`;
}
