import { LiveEdge, type PlaybackAction, type PlaybackSample, type Range } from './live-edge.ts';
import type { Sound } from './sound.ts';

/** The least distance from the live edge; uneven arrival asks for more. */
const LIVE_TARGET_S = 0.15;
/** Seconds that can be held back: what is behind the playhead stays in the buffer for as long. */
export const LONGEST_HOLD_S = 12;
const STEER_MS = 100;
const TICK_MS = 250;
/** About at the target: what the live edge controller leaves alone, and a little. */
const SETTLED_S = 0.16;

/** Plays what is buffered in a video element at a chosen distance from the live edge. */
export class BufferedPlayback {
  readonly #video: HTMLVideoElement;
  readonly #sound: Sound;
  readonly #ranges: () => readonly Range[];
  readonly #edge = new LiveEdge(LIVE_TARGET_S);
  readonly #timer: ReturnType<typeof setInterval>;
  #steered = 0;

  /** @param ranges what can be played, seconds of the element's timeline */
  constructor(video: HTMLVideoElement, sound: Sound, ranges: () => readonly Range[]) {
    this.#video = video;
    this.#sound = sound;
    this.#ranges = ranges;
    video.addEventListener('waiting', this.#waiting);
    this.#timer = setInterval(() => this.#steer(), TICK_MS);
  }

  get isStarted(): boolean {
    return this.#edge.started;
  }

  get latency(): number | undefined {
    return this.#edge.latency;
  }

  get target(): number {
    return this.#edge.target;
  }

  get isSettled(): boolean {
    return this.latency !== undefined && Math.abs(this.latency - this.target) < SETTLED_S;
  }

  /** The live edge now, seconds of the element's timeline. */
  edge(now: number): number | undefined {
    return this.#edge.edge(now);
  }

  hold(seconds: number | undefined, isJump: boolean): void {
    this.#edge.wanted = Math.max(LIVE_TARGET_S, seconds ?? 0);
    if (isJump) this.#apply(this.#edge.settle(this.#sample()));
  }

  /** New media was buffered. */
  appended(): void {
    const now = performance.now();
    const end = this.#ranges().at(-1)?.[1];
    if (end !== undefined) this.#edge.appended(now, end);
    if (now - this.#steered > STEER_MS) this.#steer();
  }

  /** The publisher is gone: the wait for the next one is no pattern of arrival. */
  interrupted(): void {
    this.#edge.interrupted();
  }

  /** The element gets another source. */
  reset(): void {
    this.#edge.reset();
    this.#sound.reset();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#video.removeEventListener('waiting', this.#waiting);
    this.#sound.reset();
  }

  #sample(): PlaybackSample {
    return { now: performance.now(), ranges: this.#ranges(), currentTime: this.#video.currentTime };
  }

  #steer(): void {
    this.#steered = performance.now();
    if (!this.#video.seeking) this.#apply(this.#edge.update(this.#sample()));
  }

  #apply(action: PlaybackAction): void {
    if (action.seek !== undefined) this.#video.currentTime = action.seek;
    if (action.rate !== undefined) this.#video.playbackRate = action.rate;
    if (this.#video.paused && this.#edge.started) void this.#sound.play();
  }

  #waiting = (): void => {
    if (!this.#video.seeking) this.#edge.stalled(performance.now());
  };
}
