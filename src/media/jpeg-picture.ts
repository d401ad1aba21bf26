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

/**
 * Headers that say when a picture was captured: `X-Timestamp` in seconds since 1970, `X-Pts` in ticks of the track's
 * clock, the timestamp that results and every other door have as well.
 */
export function timeHeaders({ pts, ntp }: Pick<JpegPicture, 'pts' | 'ntp'>): Record<string, string> {
  return { 'X-Timestamp': (ntp / 1000).toFixed(6), 'X-Pts': String(pts) };
}
