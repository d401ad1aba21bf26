import { LevelMeter } from './level-meter.ts';

/** The sound of one video element: off until asked for, and off where the browser wants a click first. */
export class Sound {
  readonly #video: HTMLVideoElement;
  #blocked = false;
  #meter: LevelMeter | undefined;
  #meterTried = false;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
  }

  get muted(): boolean {
    return this.#video.muted;
  }

  set muted(muted: boolean) {
    this.#video.muted = muted;
    this.#blocked = false;
    if (muted) this.reset();
  }

  /** True where sound was wanted and the browser refused it without a click. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** 0..1; undefined while muted or where it cannot be measured. */
  get level(): number | undefined {
    if (this.#video.muted) return undefined;
    if (!this.#meterTried) {
      this.#meterTried = true;
      this.#meter = LevelMeter.open(this.#video);
    }
    return this.#meter?.read();
  }

  /** Plays the element: with sound where that is wanted and allowed, else without. */
  async play(): Promise<void> {
    try {
      await this.#video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || this.#video.muted) return;
      // Sound was remembered, but this visit had no click yet: the picture must not wait for it.
      this.#video.muted = true;
      this.#blocked = true;
      await this.#video.play().catch(() => undefined);
    }
  }

  /** Lets go of the meter: the element gets another source, or falls silent. */
  reset(): void {
    this.#meter?.close();
    this.#meter = undefined;
    this.#meterTried = false;
  }
}
