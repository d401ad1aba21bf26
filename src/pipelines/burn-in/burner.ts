import type { Result } from '#algorithms/contract.ts';
import { boxesFor } from '#algorithms/overlay/boxes.ts';
import { ResultTrack } from '#algorithms/overlay/results.ts';
import type { JpegPicture, TaskInput } from '#link/client.ts';
import type { BurnInRequest } from '#media/rendition-request.ts';
import { systemClock } from '#util/clock.ts';
import { messageOf } from '#util/named-error.ts';
import { Canvas } from '../av/canvas.ts';
import { JpegDecoder } from '../av/jpeg-decoder.ts';
import type { Picture } from '../av/video.ts';
import { clockText } from '../draw/clock.ts';
import { Painter } from '../draw/painter.ts';
import { DelayedUnits } from './delayed-units.ts';
import { PictureShelf } from './picture-shelf.ts';
import { ResultWait } from './result-wait.ts';

/** Results farther apart than this say nothing about how often they come, ticks. */
const LONGEST_INTERVAL = 3 * 90_000;

/**
 * Puts what an algorithm found into the pictures of a stream: its units wait until the results of their pictures are there,
 * and each picture gets what belongs on it by its timestamp. A box that was measured is drawn as such on the picture that it
 * was measured on and on no other.
 */
export class Burner {
  readonly units: DelayedUnits;
  readonly #request: BurnInRequest;
  readonly #log: (message: string) => void;
  readonly #wait: ResultWait;
  readonly #results = new ResultTrack();
  readonly #pictures = new PictureShelf();
  readonly #painter = new Painter();
  readonly #canvas = new Canvas();
  readonly #jpegs = new JpegDecoder();
  /** What stands in for the camera's picture, with `hold`. */
  #held: JpegPicture | undefined;
  #complained = false;

  /** @param onDue units may be taken that could not before */
  constructor(request: BurnInRequest, onDue: () => void, log: (message: string) => void) {
    this.#request = request;
    this.#log = log;
    this.#wait = new ResultWait(request.maxDelayMs);
    this.units = new DelayedUnits(this.#wait, request.maxDelayMs, systemClock, onDue);
  }

  /** Something of the run came from the hub. */
  take(input: TaskInput): void {
    if (input.kind === 'picture') this.#pictures.add(input.picture);
    else this.#add(input.result as Result);
  }

  /**
   * What is to be shown in place of a picture: a copy, drawn into, or the one that the algorithm made of it. The caller
   * releases it.
   * @param picture 8 bits, 4:2:0; it is the caller's alone, and taken over
   * @param ntp when it was captured, ms since 1970
   */
  async paint(picture: Picture, ntp: number): Promise<Picture> {
    const { pts } = picture;
    const { hold, labels = true, clock } = this.#request;
    const made = this.#pictures.take(pts);
    if (hold && made) this.#held = made;
    const replacement = made ?? this.#held;
    const shown = replacement ? await this.#replaced(picture, replacement) : picture;
    // What an algorithm gave back it has drawn into itself.
    const boxes = replacement ? [] : boxesFor(this.#results, pts, 'in-step');
    if (boxes.length === 0 && !clock) return shown;
    try {
      const drawn = this.#canvas.copy(shown);
      this.#painter.draw(drawn.planes, { boxes, labels, ...(clock ? { clock: clockText(ntp) } : {}) });
      return drawn.picture;
    } finally {
      shown.release();
    }
  }

  close(): void {
    this.units.close();
    this.#pictures.clear();
    this.#jpegs.close();
    this.#canvas.close();
  }

  #add(result: Result): void {
    const before = this.#results.newest;
    this.#results.add(result);
    const interval = before ? result.pts - before.pts : 0;
    const counts = interval > 0 && interval <= LONGEST_INTERVAL;
    this.#wait.add(systemClock.now(), this.units.arrivalOf(result.ntp), counts ? interval / 90 : 0);
  }

  /** A picture of the same size and time out of the JPEG; the camera's where it is none. */
  async #replaced(picture: Picture, made: JpegPicture): Promise<Picture> {
    try {
      const replaced = await this.#jpegs.decode(made.jpeg, picture);
      picture.release();
      return replaced;
    } catch (error) {
      if (!this.#complained)
        this.#log(`A picture that an algorithm gave back cannot be shown: ${messageOf(error)}`);
      this.#complained = true;
      return picture;
    }
  }
}
