import type { JpegPicture } from '#media/jpeg-picture.ts';

export interface PicturesWish {
  readonly stream: string;
  /** Pixels; absent: as wide as the video. */
  readonly width?: number;
  /** Pictures a second; absent: the latest keyframe and no more. */
  readonly fps?: number;
}

/**
 * Starts what makes pictures (a worker's task) and keeps it going until the returned function ends it. Injected: this
 * room knows no workers. Nothing is told before it has returned.
 */
export type PicturesStarter = (
  wish: PicturesWish,
  on: {
    picture(picture: JpegPicture): void;
    /** An attempt failed, or waits; without `retried` that was the last. */
    trouble(reason: string, more: { readonly code: string | undefined; readonly retried: boolean }): void;
  },
) => () => void;
