/** What sound can be made. */
export type SoundRenditionCodec = 'aac' | 'opus' | 'mp3' | 'pcma' | 'pcmu';

/** What pictures can be made. */
export type PictureRenditionCodec = 'h264' | 'h265' | 'mpeg4';

export type RenditionCodec = SoundRenditionCodec | PictureRenditionCodec;

/** What is drawn into each picture. */
export interface BurnInRequest {
  /** Id of the run whose results are drawn, each on the picture that it was computed from. */
  readonly run: string;
  /** Boxes have no labels. */
  readonly labels?: false;
  /** When the picture was captured stands in its corner. */
  readonly clock?: true;
  /**
   * Where the algorithm gives back whole pictures, each stands until the next one; else it is shown for the picture it was
   * made from, and between them the camera's own are.
   */
  readonly hold?: true;
  /** Longest time that pictures wait for their results, ms. */
  readonly maxDelayMs: number;
}

/**
 * What a track is to be made. All keep the timestamps of their source. What is not said is chosen: the size, the pace and
 * about the bit rate of the source; for sound 48 kHz (G.711: 8 kHz) and its channels, two at most. Pictures come without
 * reordering (no B-frames), H.264 in the constrained baseline profile, which every player and browser takes.
 */
export interface RenditionRequest {
  readonly codec: RenditionCodec;
  /** Bits per second on average. */
  readonly bitRate?: number;
  /** Pixels, even; where only one of them is said the other follows from the shape of the picture. */
  readonly width?: number;
  readonly height?: number;
  /** At most so many pictures a second. */
  readonly fps?: number;
  /** Hz. */
  readonly sampleRate?: number;
  readonly channels?: 1 | 2;
  /** `auto`: an encoder of the machine's graphics hardware where there is one that works. Default `none`. */
  readonly hardware?: 'auto' | 'none';
  /** Of pictures: drawn into, and held back as long as their results take. */
  readonly burnIn?: BurnInRequest;
}

/** The same text for requests that want the same, whatever order they say it in. */
export function requestKey(request: RenditionRequest): string {
  return JSON.stringify(request, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** Whether a codec is one of pictures. */
export function makesPictures(codec: RenditionCodec): codec is PictureRenditionCodec {
  return codec === 'h264' || codec === 'h265' || codec === 'mpeg4';
}
