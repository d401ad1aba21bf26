import type { TrackInfo } from '../player/protocol.ts';

/** One stream as `GET /api/streams` tells it. Times are RFC 3339 text. */
export interface StreamInfo {
  readonly name: string;
  readonly state: string;
  readonly tracks: readonly TrackInfo[];
  /** Of a stream that the configuration gives a source; `reason` says why it does not run. */
  readonly source?: { readonly address: string; readonly state: string; readonly reason?: string };
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
