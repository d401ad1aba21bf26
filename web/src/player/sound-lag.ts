/** Sound this far behind its picture is noticed, ms (ITU-R BT.1359-1: from 125 on). */
const NOTICED_MS = 125;
/** For so long it must have been so: buffers find their size in the first seconds. */
const PATIENCE_MS = 5_000;

/** When what plays now was sent, ms on the sender's clock (`estimatedPlayoutTimestamp`); absent where nothing does. */
export interface Playout {
  readonly audio?: number | undefined;
  readonly video?: number | undefined;
}

/** Tells whether sound is so far behind a picture that does not wait for it that it had better be waited for. */
export class SoundLag {
  #since: number | undefined;

  /** @param now any monotonic clock, ms. @returns true from when the sound has been behind for a while */
  update(now: number, { audio, video }: Playout): boolean {
    const isBehind = audio !== undefined && video !== undefined && video - audio > NOTICED_MS;
    this.#since = isBehind ? (this.#since ?? now) : undefined;
    return this.#since !== undefined && now - this.#since >= PATIENCE_MS;
  }

  reset(): void {
    this.#since = undefined;
  }
}
