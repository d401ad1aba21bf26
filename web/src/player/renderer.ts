import { placeLabels, type Rect } from './label-layout.ts';
import type { DrawnBox } from './overlay.ts';
import { colourOf } from './palette.ts';

/** What a {@link Renderer} asks and tells. */
export interface RendererEvents {
  /** What to draw on a frame; asked once per frame, immediately before it is drawn. */
  content(pts: number): readonly DrawnBox[];
  /** The text beside a box. */
  label(box: DrawnBox): string;
  drawn(frame: FrameDrawn): void;
}

/** A frame that was drawn. */
export interface FrameDrawn {
  /** 90 kHz ticks. */
  readonly pts: number;
  readonly boxes: readonly DrawnBox[];
  /** Frames the browser presented since the last drawing, beside this one: nobody saw them with their boxes. */
  readonly skipped: number;
}

/** The canvas has at most so many pixels: more cost time on every frame and show nothing new. */
const LARGEST_PIXELS = 1920 * 1080;

/** A browser whose VideoFrames are this far from the media timeline counts their time from somewhere else. */
const SAME_CLOCK_S = 1;

/**
 * Draws picture and boxes into one canvas, so that they cannot be shown apart: a canvas above a video element is one
 * frame late whenever the compositor takes a new frame before the page has drawn.
 */
export class Renderer {
  readonly canvas: HTMLCanvasElement;
  readonly #video: HTMLVideoElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #events: RendererEvents;
  readonly #resize: ResizeObserver;
  readonly #labelWidths = new Map<string, number>();
  /** CSS pixels that the canvas element has on the page. */
  #shown = { width: 0, height: 0 };
  /** Size of the video that the canvas was made for. */
  #source = { width: 0, height: 0 };
  #presented = 0;
  #callback = 0;
  /** Canvas pixels per CSS pixel: lines and letters have the same size whatever the video's resolution. */
  #scale = 1;

  constructor(video: HTMLVideoElement, canvas: HTMLCanvasElement, events: RendererEvents) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('This browser cannot draw on a canvas.');
    this.canvas = canvas;
    this.#video = video;
    this.#context = context;
    this.#events = events;
    this.#resize = new ResizeObserver(([entry]) => {
      if (!entry) return;
      this.#shown = { width: entry.contentRect.width, height: entry.contentRect.height };
      this.#fit();
    });
    this.#resize.observe(canvas);
    this.#callback = video.requestVideoFrameCallback(this.#frame);
  }

  /** Frame counters of the video element begin again with a new source. */
  reset(): void {
    this.#presented = 0;
  }

  close(): void {
    this.#video.cancelVideoFrameCallback(this.#callback);
    this.#resize.disconnect();
  }

  #frame = (_now: number, metadata: VideoFrameCallbackMetadata): void => {
    this.#callback = this.#video.requestVideoFrameCallback(this.#frame);
    const { picture, seconds } = this.#picture(metadata);
    const pts = Math.round(seconds * 90_000);
    if (this.#video.videoWidth !== this.#source.width || this.#video.videoHeight !== this.#source.height)
      this.#fit();
    const boxes = this.#events.content(pts);
    this.#context.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
    if (picture !== this.#video) (picture as VideoFrame).close();
    if (boxes.length > 0) this.#drawBoxes(boxes);
    const gone = metadata.presentedFrames - this.#presented - 1;
    const skipped = this.#presented === 0 ? 0 : Math.max(0, gone);
    this.#presented = metadata.presentedFrames;
    this.#events.drawn({ pts, boxes, skipped });
  };

  /**
   * The picture together with its own time. The callback's `mediaTime` belongs to the frame that was presented when the
   * callback was queued; a busy page may draw a newer one. A VideoFrame cannot come apart from its timestamp.
   */
  #picture(metadata: VideoFrameCallbackMetadata): { picture: CanvasImageSource; seconds: number } {
    if (typeof VideoFrame === 'function') {
      try {
        const frame = new VideoFrame(this.#video);
        const seconds = frame.timestamp / 1e6;
        if (Math.abs(seconds - metadata.mediaTime) < SAME_CLOCK_S) return { picture: frame, seconds };
        frame.close();
      } catch {
        // No frame at hand any more (the source was just replaced): the element still draws its last one.
      }
    }
    return { picture: this.#video, seconds: metadata.mediaTime };
  }

  /** Sizes the canvas to the pixels it covers on the screen, in the picture's own aspect ratio. */
  #fit(): void {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || !videoHeight) return;
    this.#source = { width: videoWidth, height: videoHeight };
    const ratio = globalThis.devicePixelRatio || 1;
    const cover = Math.min(this.#shown.width / videoWidth, this.#shown.height / videoHeight) || 1 / ratio;
    const limit = Math.sqrt(LARGEST_PIXELS / (videoWidth * videoHeight));
    const factor = Math.min(limit, Math.max(cover * ratio, 0.25));
    const width = Math.round(videoWidth * factor);
    const height = Math.round(videoHeight * factor);
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
    const texts = boxes.map((box) => this.#events.label(box));
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
