import type { Result } from '#algorithms/contract.ts';
import { measuredBoxes } from '#algorithms/overlay/boxes.ts';
import type { FrameWish } from '#link/client.ts';
import { messageOf } from '#util/named-error.ts';
import { JpegEncoder } from './av/jpeg.ts';
import type { Picture } from './av/video.ts';
import { Painter } from './draw/painter.ts';
import { jpegSize } from './pictures.ts';
import { RateGate } from './rate-gate.ts';
import type { TaskContext } from './task.ts';

/** A picture that was looked at, and what was found on it. */
interface Seen {
  readonly picture: Picture;
  readonly result: Result;
}

/**
 * Makes JPEGs of the pictures that a run looked at, beside its looking: one at a time, and of those that come meanwhile the
 * newest, so that neither the algorithm nor the link ever waits for pictures. Costs nothing while nobody wants any.
 */
export class FrameMaker {
  readonly counters = { made: 0, skipped: 0 };
  readonly #context: TaskContext;
  readonly #painter = new Painter();
  #wish: FrameWish | undefined;
  #gate = new RateGate(0);
  #encoder: JpegEncoder | undefined;
  #waiting: Seen | undefined;
  #making: Promise<void> | undefined;
  #isClosed = false;
  #lastComplaint = '';

  constructor(context: TaskContext) {
    this.#context = context;
  }

  /** How they are wanted from now on, or not any more. */
  set wish(wish: FrameWish | undefined) {
    if (wish?.fps !== this.#wish?.fps) this.#gate = new RateGate(wish?.fps ?? 0);
    this.#wish = wish;
    if (!wish) this.#forget();
  }

  /** Whether the picture of this time is wanted. */
  wants(pts: number): boolean {
    return this.#wish !== undefined && !this.#isClosed && this.#gate.isDue(pts);
  }

  /** A picture was looked at; it is released here. */
  show(picture: Picture, result: Result): void {
    if (!this.wants(result.pts)) return picture.release();
    this.#gate.pass(result.pts);
    if (this.#waiting) {
      this.counters.skipped++;
      this.#forget();
    }
    this.#waiting = { picture, result };
    this.#begin();
  }

  #begin(): void {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
      // What came up between the last look and now.
      if (this.#waiting) this.#begin();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#forget();
    await this.#making;
    this.#encoder?.close();
    this.#encoder = undefined;
  }

  async #make(): Promise<void> {
    for (let seen = this.#take(); seen; seen = this.#take()) {
      try {
        await this.#send(seen);
      } catch (error) {
        const complaint = messageOf(error);
        if (complaint !== this.#lastComplaint) {
          this.#context.log('warn', `No JPEG of ${seen.result.run} could be made: ${complaint}`);
        }
        this.#lastComplaint = complaint;
      } finally {
        seen.picture.release();
      }
      await this.#context.link.drained();
    }
  }

  #take(): Seen | undefined {
    const seen = this.#waiting;
    this.#waiting = undefined;
    return seen;
  }

  async #send({ picture, result }: Seen): Promise<void> {
    const wish = this.#wish;
    if (!wish) return;
    const { width, height } = jpegSize(wish.width, picture.width, picture.height);
    const { quality } = wish;
    const encoder = this.#encoder;
    if (encoder?.width !== width || encoder.height !== height || encoder.quality !== quality) {
      encoder?.close();
      this.#encoder = undefined;
      this.#encoder = await JpegEncoder.open(width, height, quality);
    }
    const boxes = wish.boxes ? measuredBoxes(result) : [];
    const draw =
      boxes.length > 0
        ? (planes: Parameters<Painter['draw']>[0]) => this.#painter.draw(planes, { boxes, labels: true })
        : undefined;
    const jpeg = await this.#encoder!.encode(picture, draw);
    this.counters.made++;
    const { id: task, epoch } = this.#context.task;
    const { pts, ntp } = result;
    this.#context.link.sendPicture({ task, epoch, pts, ntp, width, height, jpeg });
  }

  #forget(): void {
    this.#waiting?.picture.release();
    this.#waiting = undefined;
  }
}
