export interface HlsSettings {
  /** Parts, blocking reload and delta updates; false: plain HLS. */
  readonly lowLatency: boolean;
  /** Segments in the playlist. */
  readonly segmentCount: number;
  /** Shortest segment; it ends with the first keyframe after this. */
  readonly segmentSeconds: number;
  readonly partMs: number;
  /** Largest segment, in bytes; four times as much is kept of a stream. */
  readonly segmentMaxBytes: number;
  /** So long after the last request no more segments are made. */
  readonly closeSeconds: number;
  /** Makes segments of every stream, also while nobody asks for them. */
  readonly alwaysOn: boolean;
}
