import type { DrawnBox } from '#algorithms/overlay/boxes.ts';
import { placeLabels, type Rect } from '#algorithms/overlay/label-layout.ts';
import { colourOf } from '#algorithms/overlay/palette.ts';
import type { PresentedFrame } from './source.ts';

/** The canvas has at most so many pixels: more cost time on every frame and show nothing new. */
const LARGEST_PIXELS = 1920 * 1080;

/**
 * Draws picture and boxes into one canvas, so that they cannot be shown apart: a canvas above a video element is one
 * frame late whenever the compositor takes a new frame before the page has drawn.
 */
export class Renderer {
  readonly canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #label: (box: DrawnBox) => string;
  readonly #resize: ResizeObserver;
  readonly #labelWidths = new Map<string, number>();
  /** CSS pixels that the canvas element has on the page. */
  #shown = { width: 0, height: 0 };
  /** Size of the picture that the canvas was made for. */
  #source = { width: 0, height: 0 };
  /** Canvas pixels per CSS pixel: lines and letters have the same size whatever the video's resolution. */
  #scale = 1;

  /** @param label the text beside a box */
  constructor(canvas: HTMLCanvasElement, label: (box: DrawnBox) => string) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('This browser cannot draw on a canvas.');
    this.canvas = canvas;
    this.#context = context;
    // Black until there is a picture; what stands behind it is to be seen meanwhile.
    canvas.style.visibility = 'hidden';
    this.#label = label;
    this.#resize = new ResizeObserver(([entry]) => {
      if (!entry) return;
      this.#shown = { width: entry.contentRect.width, height: entry.contentRect.height };
      this.#fit();
    });
    this.#resize.observe(canvas);
  }

  /** Width to height of the picture; undefined before the first. */
  get ratio(): number | undefined {
    return this.#source.height > 0 ? this.#source.width / this.#source.height : undefined;
  }

  close(): void {
    this.#resize.disconnect();
  }

  draw({ picture, width, height }: PresentedFrame, boxes: readonly DrawnBox[]): void {
    if (width !== this.#source.width || height !== this.#source.height) {
      this.#source = { width, height };
      this.#fit();
      this.canvas.style.visibility = '';
    }
    this.#context.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
    if (boxes.length > 0) this.#drawBoxes(boxes);
  }

  /** Sizes the canvas to the pixels it covers on the screen, in the picture's own aspect ratio. */
  #fit(): void {
    const source = this.#source;
    if (!source.width || !source.height) return;
    const ratio = globalThis.devicePixelRatio || 1;
    const cover = Math.min(this.#shown.width / source.width, this.#shown.height / source.height) || 1 / ratio;
    const limit = Math.sqrt(LARGEST_PIXELS / (source.width * source.height));
    const factor = Math.min(limit, Math.max(cover * ratio, 0.25));
    const width = Math.round(source.width * factor);
    const height = Math.round(source.height * factor);
    this.#scale = factor / cover;
    if (width === this.canvas.width && height === this.canvas.height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.#labelWidths.clear();
  }

  #drawBoxes(boxes: readonly DrawnBox[]): void {
    const context = this.#context;
    const { width, height } = this.canvas;
    const rects = boxes.map(({ box }) => ({
      x: box[0] * width,
      y: box[1] * height,
      width: box[2] * width,
      height: box[3] * height,
    }));
    context.lineJoin = 'round';
    boxes.forEach((box, i) => {
      this.#drawBox(box, rects[i] as Rect);
    });
    this.#drawLabels(boxes, rects);
  }

  #drawBox(box: DrawnBox, rect: Rect): void {
    const context = this.#context;
    const line = (box.origin === 'measured' ? 2.5 : 1.25) * this.#scale;
    const radius = Math.min(4 * this.#scale, rect.width / 4, rect.height / 4);
    context.beginPath();
    context.roundRect(rect.x, rect.y, rect.width, rect.height, radius);
    context.strokeStyle = 'rgb(0 0 0 / 0.45)';
    context.lineWidth = line + 2 * this.#scale;
    context.stroke();
    context.strokeStyle = colourOf(box.label);
    context.lineWidth = line;
    context.stroke();
  }

  #drawLabels(boxes: readonly DrawnBox[], rects: readonly Rect[]): void {
    const context = this.#context;
    const size = Math.round(12 * this.#scale);
    context.font = `600 ${size}px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans SC", sans-serif`;
    context.textBaseline = 'middle';
    const texts = boxes.map((box) => this.#label(box));
    const height = size + 6 * this.#scale;
    const requests = texts.map((text, i) => ({
      box: rects[i] as Rect,
      width: this.#widthOf(text) + 8 * this.#scale,
      height,
    }));
    placeLabels(requests, this.canvas).forEach((place, i) => {
      const box = boxes[i];
      const text = texts[i];
      if (!place || !box || text === undefined) return;
      const y = place.y + height / 2;
      context.lineWidth = 3 * this.#scale;
      context.strokeStyle = 'rgb(8 10 14 / 0.85)';
      context.strokeText(text, place.x + 4 * this.#scale, y);
      context.fillStyle = colourOf(box.label);
      context.fillText(text, place.x + 4 * this.#scale, y);
    });
  }

  #widthOf(text: string): number {
    let width = this.#labelWidths.get(text);
    if (width === undefined) this.#labelWidths.set(text, (width = this.#context.measureText(text).width));
    return width;
  }
}
