import type { AccessUnit } from '#media/access-unit.ts';
import { payloadSize } from '#media/access-unit.ts';
import { isVideo } from '#media/track.ts';

/** Most that may wait for a sink, in ms of capture time and in bytes. */
const MAX_MS = 2000;
const MAX_BYTES = 8 << 20;

/**
 * What waits for a sink that writes one unit at a time (R4): begins at a keyframe where there is video; over its budget
 * pictures are dropped up to the next keyframe, and sound is kept.
 */
export class SinkQueue {
  /** Pictures that were dropped because the sink was too slow. */
  dropped = 0;
  #units: AccessUnit[] = [];
  #bytes = 0;
  #hasVideo: boolean;
  #waitsForKeyframe: boolean;

  /** @param hasVideo there are pictures, and nothing before the first keyframe is of use */
  constructor(hasVideo: boolean) {
    this.#hasVideo = hasVideo;
    this.#waitsForKeyframe = hasVideo;
  }

  get isEmpty(): boolean {
    return this.#units.length === 0;
  }

  push(unit: AccessUnit): void {
    const video = isVideo(unit.track);
    if (video && unit.keyframe) {
      this.#waitsForKeyframe = false;
      this.#hasVideo = false;
    }
    // Before the first keyframe there is nothing to be in step with; after a gap the sound goes on.
    if (this.#waitsForKeyframe && (video || this.#hasVideo)) {
      if (!this.#hasVideo) this.dropped++;
      return;
    }
    this.#units.push(unit);
    this.#bytes += payloadSize(unit);
    const first = this.#units[0];
    if (this.#bytes > MAX_BYTES || (first && unit.ntp - first.ntp > MAX_MS)) this.#shed();
  }

  shift(): AccessUnit | undefined {
    const unit = this.#units.shift();
    if (unit) this.#bytes -= payloadSize(unit);
    return unit;
  }

  /** Drops the pictures before the newest keyframe, or all where there is none behind the first, or that is not enough. */
  #shed(): void {
    const newest = this.#units.findLastIndex(({ track, keyframe }) => isVideo(track) && keyframe);
    const oldest = this.#units.findIndex(({ track }) => isVideo(track));
    if (newest > oldest) this.#keep((unit, at) => at >= newest || !isVideo(unit.track));
    else this.#dropPictures();
    if (this.#bytes > MAX_BYTES) this.#dropPictures();
    // Sound alone may wait no longer either.
    const last = this.#units.at(-1)?.ntp ?? 0;
    this.#keep(({ track, ntp }) => isVideo(track) || last - ntp <= MAX_MS);
  }

  #dropPictures(): void {
    const had = this.dropped;
    this.#keep(({ track }) => !isVideo(track));
    if (this.dropped > had) this.#waitsForKeyframe = true;
  }

  #keep(wanted: (unit: AccessUnit, at: number) => boolean): void {
    const kept: AccessUnit[] = [];
    for (const [at, unit] of this.#units.entries()) {
      if (wanted(unit, at)) kept.push(unit);
      else if (isVideo(unit.track)) this.dropped++;
    }
    this.#units = kept;
    this.#bytes = kept.reduce((sum, unit) => sum + payloadSize(unit), 0);
  }
}
