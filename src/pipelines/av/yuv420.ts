import {
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
} from 'node-av/constants';
import { Frame, SoftwareScaleContext } from 'node-av/lib';
import { check } from './library.ts';
import { Picture } from './video.ts';

/** Luma and chroma of the picture use all values (JPEG range). */
export function isFullRange({ frame }: Picture): boolean {
  return frame.format === AV_PIX_FMT_YUVJ420P || frame.colorRange === AVCOL_RANGE_JPEG;
}

/** Width to height of one pixel; undefined where they are square or nothing is said. */
export function pixelAspectOf({ frame }: Picture): readonly [number, number] | undefined {
  const { num, den } = frame.sampleAspectRatio;
  return num > 0 && den > 0 && num !== den ? [num, den] : undefined;
}

/** Gives every picture the form that browsers' decoders know: 8 bits, 4:2:0, even sizes. */
export class ToYuv420 {
  #context: SoftwareScaleContext | undefined;

  /** The picture itself where it has the form; a copy, of the same time, otherwise. Both are released by the caller. */
  async convert(picture: Picture): Promise<Picture> {
    const { frame, width, height } = picture;
    const isPlain = frame.format === AV_PIX_FMT_YUV420P || frame.format === AV_PIX_FMT_YUVJ420P;
    if (isPlain && width % 2 === 0 && height % 2 === 0) return picture.retain();
    if (!this.#context) {
      this.#context = new SoftwareScaleContext();
      // Not bound to one source format: the scaler takes size, format, matrix and range from each picture.
      this.#context.allocContext();
      this.#context.setOption('sws_flags', 'bilinear');
      this.#context.setOption('threads', 1);
    }
    const target = new Frame();
    target.alloc();
    try {
      target.width = Math.max(2, width - (width % 2));
      target.height = Math.max(2, height - (height % 2));
      target.format = AV_PIX_FMT_YUV420P;
      target.colorRange = isFullRange(picture) ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      check(target.getBuffer(), 'making room for a picture');
      check(await this.#context.scaleFrame(target, frame), 'converting a picture');
      target.pts = frame.pts;
      target.sampleAspectRatio = frame.sampleAspectRatio;
      return new Picture(target);
    } catch (error) {
      target.free();
      throw error;
    }
  }

  close(): void {
    this.#context?.freeContext();
    this.#context = undefined;
  }
}
