import type { TrackInfo } from '../player/protocol.ts';

/** A track as the API tells it. */
export interface StreamTrack extends Omit<TrackInfo, 'kind'> {
  readonly kind: TrackInfo['kind'] | 'data';
  /** Where the door that it comes by measures it. */
  readonly clock?: TrackClock;
}

export interface TrackClock {
  /** By what its capture time is known. */
  readonly source: 'sender-report' | 'arrival';
  /** Millionths by which it is slow; negative: fast. */
  readonly skewPpm: number;
  /** By which what readers get still differs, because it must not jump. */
  readonly lagMs: number;
}

/** One stream as `GET /api/streams` tells it. Times are RFC 3339 text. */
export interface StreamInfo {
  readonly name: string;
  /** The job that publishes it. */
  readonly job?: string;
  readonly state: string;
  readonly tracks: readonly StreamTrack[];
  /** Of a stream that the configuration gives a source; `reason` and `code` say why it does not run. */
  readonly source?: {
    readonly address: string;
    readonly state: string;
    readonly reason?: string;
    readonly code?: string;
  };
  /** While its publisher is gone. */
  readonly held?: { readonly since: string; readonly seconds: number };
  /** Path of its latest keyframe as JPEG. */
  readonly snapshot?: string;
  readonly publisher?: { readonly door: string; readonly remote: string; readonly since: string };
  readonly readers: readonly ReaderInfo[];
}

export interface ReaderInfo {
  readonly id: string;
  readonly door: string;
  readonly remote: string;
  readonly since: string;
  readonly sent: { readonly units: number; readonly bytes: number };
}

export interface AlgorithmInfo {
  readonly id: string;
  readonly title: { readonly en: string; readonly [language: string]: string };
  readonly labels: readonly string[];
}

export interface Health {
  readonly version: string;
}
