/** The bytes of one access unit (or of a header) in one wire format, made once and shared by all readers (R3). */
export interface Chunk {
  /** Never changed after it was given out. */
  readonly bytes: Buffer;
  /** Track id; of no meaning for `config`. */
  readonly track: number;
  /**
   * `config`: what a reader needs before any media that follows (an initialisation segment); never dropped, and the
   * pictures before it are forgotten. Anything else beside media (sender reports, notices) is `data`.
   */
  readonly kind: 'video' | 'audio' | 'data' | 'config';
  /** Decoding can start here; true for audio and data. */
  readonly keyframe: boolean;
}
