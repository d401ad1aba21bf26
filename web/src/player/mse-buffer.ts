import { AppendQueue, type AppendStep } from './append-queue.ts';
import type { Range } from './live-edge.ts';

/** Seconds behind the playhead that stay in the buffer: *in step* may want to go back there. */
const KEEP_S = 12;
/** Old media is removed in portions of at least so many seconds. */
const PORTION_S = 8;
/** What is kept behind the playhead when the browser says that the buffer is full. */
const KEEP_WHEN_FULL_S = 1;
/** Media that waits longer than this many bytes is beyond saving: begin again at the live edge. */
const QUEUE_LIMIT_BYTES = 32 * 1024 * 1024;

/** What the owner of an {@link MseBuffer} hears. */
export interface MseBufferEvents {
  /** Media became available; `ranges` is what is buffered now. */
  appended(ranges: readonly Range[]): void;
  /** The media cannot go on in this MediaSource; make a new one. */
  broken(reason: string): void;
}

/**
 * One MediaSource with one SourceBuffer for all tracks, attached to a video element. One buffer and not two: the
 * server sends one init segment for sound and picture, and a fragment of either may follow the other.
 */
export class MseBuffer {
  readonly #video: HTMLVideoElement;
  readonly #events: MseBufferEvents;
  readonly #source = new MediaSource();
  readonly #url: string;
  readonly #queue = new AppendQueue();
  #buffer: SourceBuffer | undefined;
  #mime = '';
  #closed = false;

  constructor(video: HTMLVideoElement, events: MseBufferEvents) {
    this.#video = video;
    this.#events = events;
    this.#url = URL.createObjectURL(this.#source);
    this.#source.addEventListener('sourceopen', () => this.#pump(), { once: true });
    video.src = this.#url;
  }

  /** What can be played, in seconds of the media timeline; sound and picture are both there. */
  get ranges(): Range[] {
    return this.#buffer && this.#source.readyState === 'open' ? rangesOf(this.#buffer.buffered) : [];
  }

  appendInit(mime: string, bytes: ArrayBuffer): void {
    this.#queue.pushInit(mime, bytes);
    this.#pump();
  }

  appendMedia(bytes: ArrayBuffer): void {
    this.#queue.pushMedia(bytes);
    if (this.#queue.bytes > QUEUE_LIMIT_BYTES)
      this.#break('The browser does not take media as fast as it comes.');
    else this.#pump();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.clear();
    URL.revokeObjectURL(this.#url);
    if (this.#video.src === this.#url) {
      this.#video.removeAttribute('src');
      this.#video.load();
    }
  }

  #break(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#events.broken(reason);
  }

  #pump(): void {
    if (this.#closed || this.#source.readyState !== 'open' || this.#buffer?.updating) return;
    const step = this.#queue.take();
    if (!step) return;
    try {
      this.#append(step);
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError') this.#makeRoom(step);
      else this.#break(error instanceof Error ? error.message : String(error));
    }
  }

  #append(step: AppendStep): void {
    if (step.kind === 'init') {
      this.#buffer ??= this.#open(step.mime);
      if (step.mime !== this.#mime) this.#buffer.changeType(step.mime);
      this.#mime = step.mime;
    }
    this.#buffer?.appendBuffer(step.bytes);
  }

  #open(mime: string): SourceBuffer {
    const buffer = this.#source.addSourceBuffer(mime);
    this.#mime = mime;
    buffer.addEventListener('updateend', () => this.#updated());
    buffer.addEventListener('error', () => this.#break('The browser could not read the media.'));
    this.#source.duration = Number.POSITIVE_INFINITY;
    return buffer;
  }

  #updated(): void {
    if (this.#closed || this.#source.readyState !== 'open') return;
    const ranges = this.ranges;
    this.#events.appended(ranges);
    if (!this.#queue.empty) this.#pump();
    else this.#removeOld(ranges);
  }

  #removeOld(ranges: readonly Range[]): void {
    const buffer = this.#buffer;
    const first = ranges[0];
    const end = this.#video.currentTime - KEEP_S;
    if (!buffer || !first || buffer.updating || end - first[0] < PORTION_S) return;
    buffer.remove(0, end);
  }

  #makeRoom(step: AppendStep): void {
    const first = this.ranges[0];
    const end = this.#video.currentTime - KEEP_WHEN_FULL_S;
    if (!this.#buffer || !first || end - first[0] < 0.5) {
      this.#break('The media buffer of the browser is full.');
      return;
    }
    this.#queue.putBack(step);
    this.#buffer.remove(0, end);
  }
}

/** `TimeRanges` as plain pairs. */
export function rangesOf(ranges: TimeRanges): Range[] {
  return Array.from({ length: ranges.length }, (_, i) => [ranges.start(i), ranges.end(i)] as const);
}
