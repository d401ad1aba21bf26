/** A device of this machine that media are taken from. */
export interface Device {
  readonly kind: 'desktop' | 'camera' | 'microphone';
  /**
   * Which one of its kind: a number, counted from zero as the machine lists them; a name; of Linux also what the system
   * calls it (`/dev/video2`, `hw:1,0`). Of a desktop the display, `:1`. Absent: the first, or the one that `DISPLAY` names.
   */
  readonly which?: string;
  /** Pictures a second that are asked for. */
  readonly fps?: number;
  /** Pixels that a camera is asked for. */
  readonly size?: { readonly width: number; readonly height: number };
  /** The part of a desktop that is taken, pixels from its upper left corner. */
  readonly region?: {
    readonly width: number;
    readonly height: number;
    readonly x: number;
    readonly y: number;
  };
  /** The microphone beside a picture, as `which`; `none`: no sound. Absent: of a desktop the first there is, of a camera none. */
  readonly sound?: string;
}
