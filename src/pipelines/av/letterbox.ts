import { AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG } from 'node-av/constants';
import { Frame, SoftwareScaleContext } from 'node-av/lib';
import { check } from './library.ts';
import { Picture } from './video.ts';

/** Black in 4:2:0, limited range: luma, and both chroma planes (ITU-R BT.709 section 3.4). */
const BLACK = [16, 128, 128] as const;

/** Brings pictures to one size: as large as fits, their shape kept, in the middle of black. One owner. */
export class Letterbox {
  readonly width: number;
  readonly height: number;
  readonly #scaler = new SoftwareScaleContext();

  /** @param size pixels, both even */
  constructor({ width, height }: { width: number; height: number }) {
    this.width = width;
    this.height = height;
    this.#scaler.allocContext();
    this.#scaler.setOption('sws_flags', 'bicubic');
    this.#scaler.setOption('threads', 1);
  }

  /** A picture of 4:2:0 in the size; the caller releases it, and the one it gave. */
  async fit(picture: Picture): Promise<Picture> {
    const inner = innerSize(picture, this);
    if (inner.width === picture.width && inner.height === picture.height && isSame(inner, this)) {
      return picture.retain();
    }
    const scaled = emptyFrame(inner);
    try {
      check(await this.#scaler.scaleFrame(scaled, picture.frame), 'scaling a picture');
      return new Picture(isSame(inner, this) ? scaled : this.#framed(scaled));
    } catch (error) {
      scaled.free();
      throw error;
    }
  }

  close(): void {
    this.#scaler.freeContext();
  }

  /** Takes the frame over. */
  #framed(inner: Frame): Frame {
    const outer = emptyFrame(this);
    for (const [n, black] of BLACK.entries()) {
      const half = n === 0 ? 1 : 2;
      const [from, to] = [inner.data?.[n], outer.data?.[n]];
      const [fromStride, toStride] = [inner.linesize[n] ?? 0, outer.linesize[n] ?? 0];
      if (!from || !to) throw new Error('A picture has no planes.');
      const [width, height] = [inner.width / half, inner.height / half];
      // Even, so that luma and chroma stay on each other.
      const left = (Math.floor((this.width - inner.width) / 4) * 2) / half;
      const top = (Math.floor((this.height - inner.height) / 4) * 2) / half;
      to.fill(black);
      for (let row = 0; row < height; row++) {
        const start = row * fromStride;
        from.copy(to, (top + row) * toStride + left, start, start + width);
      }
    }
    inner.free();
    return outer;
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function isSame(a: Size, b: Size): boolean {
  return a.width === b.width && a.height === b.height;
}

function innerSize(picture: Size, outer: Size): Size {
  const scale = Math.min(outer.width / picture.width, outer.height / picture.height);
  const even = (size: number, most: number) =>
    Math.min(most, Math.max(2, Math.round((size * scale) / 2) * 2));
  return { width: even(picture.width, outer.width), height: even(picture.height, outer.height) };
}

function emptyFrame({ width, height }: Size): Frame {
  const frame = new Frame();
  frame.alloc();
  try {
    frame.width = width;
    frame.height = height;
    frame.format = AV_PIX_FMT_YUV420P;
    frame.colorRange = AVCOL_RANGE_MPEG;
    check(frame.getBuffer(), 'making room for a picture');
    return frame;
  } catch (error) {
    frame.free();
    throw error;
  }
}
