import type { JpegPicture } from '#link/client.ts';

/** So many bytes wait at most; the oldest go first. */
const MAX_BYTES = 32 << 20;

/** Pictures that wait for the one that they were made from, by its timestamp. */
export class PictureShelf {
  /** In the order they came. */
  readonly #pictures = new Map<number, JpegPicture>();
  #bytes = 0;

  add(picture: JpegPicture): void {
    this.#remove(picture.pts);
    this.#pictures.set(picture.pts, picture);
    this.#bytes += picture.jpeg.length;
    for (const pts of this.#pictures.keys()) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#remove(pts);
    }
  }

  /** The one that was made from the picture of this time, whose turn has come; those before it will not be asked for. */
  take(pts: number): JpegPicture | undefined {
    const found = this.#pictures.get(pts);
    for (const at of this.#pictures.keys()) if (at <= pts) this.#remove(at);
    return found;
  }

  clear(): void {
    this.#pictures.clear();
    this.#bytes = 0;
  }

  #remove(pts: number): void {
    this.#bytes -= this.#pictures.get(pts)?.jpeg.length ?? 0;
    this.#pictures.delete(pts);
  }
}
