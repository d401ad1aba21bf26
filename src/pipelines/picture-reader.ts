import type { Picture } from './av/video.ts';
import { RateGate } from './rate-gate.ts';

/** A decoded picture with what is known of its access unit. Who gets it releases it. */
export interface Shot {
  readonly picture: Picture;
  /** 90 kHz ticks, exactly the access unit's. */
  readonly pts: number;
  readonly ntp: number;
  /** When the access unit came, ms of the monotonic clock (`performance.now()`). */
  readonly arrival: number;
  /** Number of the access unit in the order of arrival. */
  readonly index: number;
  /** It was decoded from a keyframe, so from nothing else. */
  readonly keyframe: boolean;
}

export type ReaderMode = 'freshest' | 'every' | 'keyframes';

/** How many pictures a reader in mode `every` may lag behind. */
export const EVERY_LIMIT = 25;

/**
 * One run's view of a decoder: the pictures it wants, at its rate and in its mode. It asks for one at a time.
 *
 * The methods below the line are for the decoder alone.
 */
export class PictureReader {
  readonly mode: ReaderMode;
  /** People will see its pictures: they are decoded as the standard says, from the next keyframe on. */
  forPeople = false;
  readonly #gate: RateGate;
  readonly #fps: number;
  readonly #firstIndex: number;
  readonly #onWish: () => void;
  readonly #onClose: () => void;
  #wish: PromiseWithResolvers<Shot | undefined> | undefined;
  /** Mode `every`: pictures in order. Otherwise at most one, the newest that was due. */
  #queue: Shot[] = [];
  #taken = 0;
  #lastIndex = -1;
  #offered = 0;
  #closed = false;
  #keyframesOnly: boolean;
  /** Mode `freshest`: the unit that was the newest when the wish came up; past it the best picture so far is given. */
  #goal: number | undefined;

  constructor(options: {
    mode: ReaderMode;
    fps: number;
    firstIndex: number;
    onWish: () => void;
    onClose: () => void;
  }) {
    this.mode = options.mode;
    this.#fps = options.fps;
    this.#keyframesOnly = options.mode === 'keyframes';
    this.#gate = new RateGate(options.fps);
    this.#firstIndex = options.firstIndex;
    this.#onWish = options.onWish;
    this.#onClose = options.onClose;
  }

  /** The next picture; waits for one, and resolves with undefined once the reader is closed. */
  next(): Promise<Shot | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    this.#wish ??= Promise.withResolvers();
    const { promise } = this.#wish;
    this.#onWish();
    return promise;
  }

  /** Pictures that came since the reader was opened. */
  get offered(): number {
    return this.#offered;
  }

  /** Pictures that were passed over: they are older than one that was given. */
  get skipped(): number {
    return Math.max(0, this.#lastIndex - this.#firstIndex + 1 - this.#taken);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wish?.resolve(undefined);
    this.#wish = undefined;
    for (const { picture } of this.#queue) picture.release();
    this.#queue = [];
    this.#onClose();
  }

  // ---------------------------------------------------------------------------------------------------------------

  get wishes(): boolean {
    return this.#wish !== undefined;
  }

  /** How many pictures wait in mode `every`. */
  get backlog(): number {
    return this.#queue.length;
  }

  offer(pictures: number): void {
    this.#offered += pictures;
  }

  /** From which timestamp on a picture is due, ticks. */
  get due(): number {
    return this.#gate.due;
  }

  /**
   * True when only keyframes are wanted: in mode `keyframes`, and in mode `freshest` at a rate at which keyframes come
   * anyway. A keyframe costs one decoding, any other picture all since the keyframe before it.
   */
  get keyframesOnly(): boolean {
    return this.#keyframesOnly;
  }

  /** The stream has a keyframe at `pts` and every `ticks` (90 kHz). */
  keyframesAt(pts: number, ticks: number): void {
    this.#gate.keyframesAt(pts, ticks);
    if (this.mode === 'freshest') this.#keyframesOnly = this.#fps > 0 && 90_000 / this.#fps >= ticks;
  }

  /** True when this keyframe, which is not decoded yet, is to be. */
  needsKeyframe(pts: number | undefined): boolean {
    return this.#wish !== undefined && pts !== undefined && this.#queue.length === 0 && this.#gate.isDue(pts);
  }

  /** True when units have to be decoded before the wish can be met; `newest` is the latest pts not given out yet. */
  needs(newestPts: number | undefined, newestIndex: number): boolean {
    if (!this.#wish || newestPts === undefined) return false;
    if (this.mode === 'every') return this.#queue.length === 0;
    // A picture that is due is there already: what came before the wish may still hold a newer one.
    if (this.#queue.length === 0 && !this.#gate.isDue(newestPts)) return false;
    this.#goal ??= newestIndex;
    return true;
  }

  /** A picture came out of the decoder. `room`: how many the queue may hold. */
  show(shot: Shot, room: number): void {
    if (this.#closed) return;
    if (this.mode !== 'every') {
      if (!this.#wish || !this.#gate.isDue(shot.pts)) return;
      if (this.#keyframesOnly && !shot.keyframe) return;
      for (const { picture } of this.#queue) picture.release();
      shot.picture.retain();
      this.#queue = [shot];
      return;
    }
    if (!this.#gate.isDue(shot.pts)) return;
    this.#gate.pass(shot.pts);
    shot.picture.retain();
    this.#queue.push(shot);
    this.trim(room);
  }

  /** Gives up the oldest pictures beyond `room`. */
  trim(room: number): void {
    while (this.#queue.length > Math.max(0, room)) this.#queue.shift()?.picture.release();
  }

  /** Meets the wish where that is possible. `decodedIndex`: the last unit decoded; `idle`: there is none left. */
  settle(decodedIndex: number, idle: boolean): void {
    const wish = this.#wish;
    const shot = this.#queue[0];
    if (!wish || !shot) return;
    if (this.mode !== 'every') {
      if (!idle && this.#goal !== undefined && decodedIndex < this.#goal) return;
      this.#gate.pass(shot.pts);
    }
    this.#goal = undefined;
    this.#queue.shift();
    this.#taken++;
    this.#lastIndex = Math.max(this.#lastIndex, shot.index);
    this.#wish = undefined;
    wish.resolve(shot);
  }
}
