import type { VideoTrack } from '#media/track.ts';
import { FrameIngest } from './frame-ingest.ts';
import type { IngestedPicture, PictureIngest } from './ingest-contract.ts';
import { NalIngest } from './nal-ingest.ts';

/**
 * Puts what sources send as pictures into the form that the hub promises: what a decoder has to know first in front of
 * each keyframe, none of what is superfluous, a new Track when the format changes, decoding times.
 */
export class VideoIngest implements PictureIngest {
  readonly #inner: PictureIngest;

  /** Throws a RangeError for a codec that has no rules here. */
  constructor(track: VideoTrack) {
    const { codec } = track.format;
    switch (codec) {
      case 'h264':
      case 'h265':
        this.#inner = new NalIngest(track, codec);
        break;
      case 'av1':
      case 'vp8':
      case 'vp9':
      case 'mpeg4':
        this.#inner = new FrameIngest(track, codec);
        break;
      default:
        throw new RangeError(`VideoIngest does not know ${codec}.`);
    }
  }

  get track(): VideoTrack {
    return this.#inner.track;
  }

  get dropped(): number {
    return this.#inner.dropped;
  }

  push(payload: readonly Buffer[], pts: number, decodedAt?: number): IngestedPicture | undefined {
    return this.#inner.push(payload, pts, decodedAt);
  }
}
