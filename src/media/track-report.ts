/** What is known of a track that was looked at. Times in seconds, rates per second; absent what could not be told. */
export interface TrackReport {
  readonly kind: 'video' | 'audio' | 'data';
  readonly codec: string;
  readonly codecString?: string;
  readonly width?: number;
  readonly height?: number;
  readonly fps?: number;
  readonly sampleRate?: number;
  readonly channels?: number;
  /** Bits per second. */
  readonly bitrate?: number;
  readonly keyframeInterval?: number;
  /** By what its capture time is known, of live media where that shows. */
  readonly clock?: 'sender-report' | 'arrival';
}
