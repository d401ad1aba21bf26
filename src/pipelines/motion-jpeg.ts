import type { LinkPublication } from '#link/client.ts';
import type { VideoTrack } from '#media/track.ts';
import type { PictureInput } from './av/picture-input.ts';
import type { Picture } from './av/video.ts';
import { VideoEncoder } from './av/video-encoder.ts';

/** At least every so many ticks (2 s) a keyframe, however many pictures a second come. */
const KEYFRAME_TICKS = 2 * 90_000;
/** More pictures than come in that time. */
const LONGEST_GOP = 1000;

/**
 * Turns the pictures of a camera that sends them one by one as JPEG into H.264, which everybody can play. Their time is
 * when they came, since they carry none.
 */
export class MotionJpeg {
  readonly #pictures: PictureInput;
  #picture: Picture;
  #encoder: VideoEncoder;
  #size: { readonly width: number; readonly height: number };
  #track: VideoTrack;
  #first: number | undefined;
  #last = -1;
  #keyframe = Number.NEGATIVE_INFINITY;

  private constructor(pictures: PictureInput, first: Picture, encoder: VideoEncoder) {
    this.#pictures = pictures;
    this.#picture = first;
    this.#encoder = encoder;
    this.#size = { width: first.width, height: first.height };
    this.#track = { id: 0, clockRate: 90_000, format: encoder.format };
  }

  /** Waits for the first picture; undefined where there is none. */
  static async open(pictures: PictureInput): Promise<MotionJpeg | undefined> {
    const first = await pictures.next();
    if (!first) return undefined;
    try {
      return new MotionJpeg(pictures, first, await encoderFor(first));
    } catch (error) {
      first.release();
      throw error;
    }
  }

  get track(): VideoTrack {
    return this.#track;
  }

  /** Writes the picture that came last, and waits for the next one; false when there is none. */
  async write(publication: LinkPublication): Promise<boolean> {
    const now = performance.timeOrigin + performance.now();
    this.#first ??= now;
    const pts = Math.max(this.#last + 1, Math.round((now - this.#first) * 90));
    this.#last = pts;
    if (this.#picture.width !== this.#size.width || this.#picture.height !== this.#size.height) {
      await this.#resize();
    }
    const keyframe = pts - this.#keyframe >= KEYFRAME_TICKS;
    if (keyframe) this.#keyframe = pts;
    for (const one of await this.#encoder.encode(this.#picture, pts, keyframe)) {
      const { pts: at, keyframe: isKeyframe, nals } = one;
      publication.write({
        track: this.#track,
        pts: at,
        dts: at,
        keyframe: isKeyframe,
        ntp: this.#first + at / 90,
        payload: nals,
      });
    }
    const next = await this.#pictures.next();
    if (!next) return false;
    this.#picture.release();
    this.#picture = next;
    return true;
  }

  close(): void {
    this.#picture.release();
    this.#encoder.close();
  }

  /** The camera was set to another size. */
  async #resize(): Promise<void> {
    const encoder = await encoderFor(this.#picture);
    this.#encoder.close();
    this.#encoder = encoder;
    this.#size = { width: this.#picture.width, height: this.#picture.height };
    this.#track = { ...this.#track, format: encoder.format };
    this.#keyframe = Number.NEGATIVE_INFINITY;
  }
}

function encoderFor({ width, height }: Picture): Promise<VideoEncoder> {
  return VideoEncoder.open({ width, height, fps: 25, gop: LONGEST_GOP });
}
