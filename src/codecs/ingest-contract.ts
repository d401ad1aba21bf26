import type { VideoTrack } from '#media/track.ts';

/** A picture as the hub wants it. */
export interface IngestedPicture {
  readonly track: VideoTrack;
  readonly dts: number;
  readonly keyframe: boolean;
  readonly payload: Buffer[];
}

/** What VideoIngest does for the codecs that are alike. */
export interface PictureIngest {
  /** The track with its newest format. */
  readonly track: VideoTrack;
  /** Pictures left out because they had no place in decoding order, or could not be read. */
  readonly dropped: number;
  /**
   * The next access unit in decoding order. Undefined for one that holds no picture (what it says of the format is
   * taken note of).
   * @param decodedAt its decoding time, where the source says it
   */
  push(payload: readonly Buffer[], pts: number, decodedAt?: number): IngestedPicture | undefined;
}
