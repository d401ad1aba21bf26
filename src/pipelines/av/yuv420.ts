import {
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
} from 'node-av/constants';
import { Frame, Rational, SoftwareScaleContext } from 'node-av/lib';
import type { PictureSize } from '../picture-size.ts';
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

/** Gives every picture the form that all decoders know: 8 bits, 4:2:0, even sizes; and the size that is wished for. */
export class ToYuv420 {
  #context: SoftwareScaleContext | undefined;

  /**
   * The picture itself where it has the form; a copy, of the same time, otherwise. Both are released by the caller.
   * @param size even numbers
   */
  async convert(picture: Picture, size: PictureSize): Promise<Picture> {
    const { frame } = picture;
    const { width, height, pixelAspect } = size;
    const isPlain = frame.format === AV_PIX_FMT_YUV420P || frame.format === AV_PIX_FMT_YUVJ420P;
    if (isPlain && width === picture.width && height === picture.height) return picture.retain();
    if (!this.#context) {
      this.#context = new SoftwareScaleContext();
      // Not bound to one source format: the scaler takes size, format, matrix and range from each picture.
      this.#context.allocContext();
      this.#context.setOption('sws_flags', 'bicubic');
      this.#context.setOption('threads', 1);
    }
    const target = new Frame();
    target.alloc();
    try {
      target.width = width;
      target.height = height;
      target.format = AV_PIX_FMT_YUV420P;
      target.colorRange = isFullRange(picture) ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      check(target.getBuffer(), 'making room for a picture');
      check(await this.#context.scaleFrame(target, frame), 'converting a picture');
      target.pts = frame.pts;
      target.sampleAspectRatio = new Rational(...(pixelAspect ?? [1, 1]));
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
