import type { Box, Detection } from './contract.ts';
import { MovingValue } from './motion.ts';

/**
 * How objects move, in widths (across) and heights (up and down) of the object itself, so that it holds for near and
 * far ones alike. Taken from walking people, who go about three of their widths per second and turn at will.
 */
const across = { noise: 0.1, speed: 1.5, acceleration: 1.5 };
const upright = { noise: 0.05, speed: 0.5, acceleration: 0.5 };
/** Width and height: arms and legs swing, and whoever comes nearer grows, slowly. */
const size = { noise: 0.15, speed: 0.2, acceleration: 0.2 };
/** An object is never thought to be smaller than this share of its last measured size, whatever its trend says. */
const leastShare = 0.5;

/** An object followed across frames: where it was seen, and where it should be now. */
export class TrackedObject {
  readonly id: number;
  readonly label: string;
  /** Frames on which it was seen. */
  seen = 1;
  /** Frames in a row, up to now, on which it was not. */
  missed = 0;
  /** When it was last seen, and when last with a score over the threshold; seconds. */
  lastSeen: number;
  lastSure: number;
  detection: Detection;
  readonly #x: MovingValue;
  readonly #y: MovingValue;
  readonly #width: MovingValue;
  readonly #height: MovingValue;

  constructor(id: number, detection: Detection, time: number) {
    const [left, top, width, height] = detection.box;
    this.id = id;
    this.label = detection.label;
    this.detection = detection;
    this.lastSeen = time;
    this.lastSure = time;
    this.#x = new MovingValue(left + width / 2, across.noise * width, across.speed * width);
    this.#y = new MovingValue(top + height / 2, upright.noise * height, upright.speed * height);
    this.#width = new MovingValue(width, size.noise * width, size.speed * width);
    this.#height = new MovingValue(height, size.noise * height, size.speed * height);
  }

  /** The box where it should be at the time it was last advanced to. */
  get box(): Box {
    const [, , lastWidth, lastHeight] = this.detection.box;
    const width = Math.max(this.#width.position, leastShare * lastWidth);
    const height = Math.max(this.#height.position, leastShare * lastHeight);
    return [this.#x.position - width / 2, this.#y.position - height / 2, width, height];
  }

  /** Standard deviations of the centre of {@link box}, across and up and down. */
  get uncertainty(): readonly [number, number] {
    return [this.#x.deviation, this.#y.deviation];
  }

  advance(seconds: number): void {
    const [, , width, height] = this.box;
    this.#x.advance(seconds, across.acceleration * width);
    this.#y.advance(seconds, upright.acceleration * height);
    this.#width.advance(seconds, size.acceleration * width);
    this.#height.advance(seconds, size.acceleration * height);
  }

  /** It was seen at `time`, to which it has been advanced. */
  see(detection: Detection, time: number, sure: boolean): void {
    const [left, top, width, height] = detection.box;
    this.#x.measure(left + width / 2, across.noise * width);
    this.#y.measure(top + height / 2, upright.noise * height);
    this.#width.measure(width, size.noise * width);
    this.#height.measure(height, size.noise * height);
    this.detection = detection;
    this.seen += 1;
    this.missed = 0;
    this.lastSeen = time;
    if (sure) this.lastSure = time;
  }
}
