import { Frame } from 'node-av/lib';
import type { Yuv420 } from '../draw/planes.ts';
import { check } from './library.ts';
import { planesOf } from './planes.ts';
import { Picture } from './video.ts';

/**
 * A picture's worth of memory that is drawn into again and again. Decoders refer to the pictures that they gave out, so those
 * cannot be drawn into; a new copy for each costs its pages, and views of its planes make the garbage collector run.
 */
export class Canvas {
  #frame: Frame | undefined;
  #planes: Yuv420 | undefined;

  /**
   * A copy of a picture to draw into; the caller releases it when it is encoded.
   * @param source 8 bits, 4:2:0, see `ToYuv420`
   */
  copy(source: Picture): { readonly picture: Picture; readonly planes: Yuv420 } {
    const planes = this.#prepare(source);
    const frame = this.#frame!;
    check(frame.copy(source.frame), 'copying a picture');
    check(frame.copyProps(source.frame), 'copying a picture');
    const shared = frame.clone();
    if (!shared) throw new Error('There is no memory for a picture.');
    return { picture: new Picture(shared), planes };
  }

  close(): void {
    this.#frame?.free();
    this.#frame = undefined;
  }

  /** Memory of the right form that nobody else has at the moment. */
  #prepare({ frame: source }: Picture): Yuv420 {
    const { width, height, format, colorRange, colorSpace } = source;
    const before = this.#frame;
    const fits = before?.width === width && before.height === height && before.format === format;
    const same = fits && before.colorRange === colorRange && before.colorSpace === colorSpace;
    if (same && before.isWritable && this.#planes) return this.#planes;
    this.close();
    const frame = new Frame();
    frame.alloc();
    this.#frame = frame;
    frame.width = width;
    frame.height = height;
    frame.format = format;
    frame.colorRange = colorRange;
    frame.colorSpace = colorSpace;
    check(frame.getBuffer(), 'making room for a picture');
    this.#planes = planesOf(frame);
    return this.#planes;
  }
}
