/** One picture of a stream as JPEG. */
export interface JpegPicture {
  /** Never changed: all who look at it share it. */
  readonly jpeg: Buffer;
  /** Of the picture, ticks of its track's clock rate. */
  readonly pts: number;
  /** When it was captured, ms since 1970. */
  readonly ntp: number;
  readonly width: number;
  readonly height: number;
}

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
