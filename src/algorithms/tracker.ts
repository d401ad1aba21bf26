import { assign } from './assignment.ts';
import type { Box, Detection, ResultObject } from './contract.ts';
import { area, clip, grow, intersection, intersectionOverUnion } from './geometry.ts';
import { TrackedObject } from './tracked-object.ts';

/** Ticks of a result's `pts` per second. */
const clockRate = 90_000;
/** Overlap from which a sure and a weak detection may belong to a known object. */
const leastOverlap = 0.15;
const leastWeakOverlap = 0.3;
/** How far boxes are grown at most before their overlap is taken, as a share of the object's width and height. */
const mostGrowth = 1.5;
/** What a second out of sight adds to the cost of a pair: the object seen last goes first. */
const absenceCost = 0.3;
/**
 * An object not seen for this long ends, but not before it was missed twice: frames may be a second apart. One that is
 * hardly known ends with the second miss.
 */
const memory = 1;
/** An object not seen surely for this long ends in any case: else one lucky frame would make a person of a cone. */
const longestMemory = 3;
/** Sightings after which the speed of an object is known well enough to look for it, or show it, unseen. */
const wellKnown = 3;
/** One missed frame is bridged if it comes this soon after the last sighting; seconds. */
const bridgedSeconds = 0.5;

export interface TrackerOptions {
  /** Score from which a detection makes a new object. Weaker ones only keep objects that are there. */
  readonly threshold: number;
}

/**
 * Follows objects from frame to frame and gives each an identity. Per label, in two stages (after ByteTrack): sure
 * detections are matched to where the known objects should be by now, then weak ones to those still unmatched. Both
 * times the assignment is the best possible one over the overlap of the boxes, grown by how uncertain the prediction is:
 * little for an object in steady motion, much for a new one or after a long interval.
 */
export class Tracker {
  readonly #threshold: number;
  #objects: TrackedObject[] = [];
  #nextId = 1;
  #time: number | undefined;

  constructor({ threshold }: TrackerOptions) {
    this.#threshold = threshold;
  }

  /**
   * Takes the detections of the next frame; `pts` in 90 kHz ticks. Gives the objects seen on it, with the boxes and
   * scores as they were measured, also the weak ones. Beside them stands, with `observed: false`, each well-known
   * object that was missed on this frame for the first time, where it should be: detectors often lose an object for one
   * frame, and without this its box would blink, since a viewer draws up to the newest result before the next one is
   * known. A second miss in a row and it is left out, so that a box never walks on by itself.
   */
  update(pts: number, detections: readonly Detection[]): ResultObject[] {
    const time = pts / clockRate;
    if (this.#time !== undefined && time < this.#time) this.#objects = [];
    const elapsed = Math.max(0, time - (this.#time ?? time));
    this.#time = time;
    this.#objects = this.#objects.filter((object) => time - object.lastSeen <= longestMemory);
    for (const object of this.#objects) object.advance(elapsed);

    const owners = new Map<Detection, TrackedObject>();
    for (const label of new Set(detections.map((detection) => detection.label))) {
      this.#associate(
        detections.filter((detection) => detection.label === label),
        this.#objects.filter((object) => object.label === label),
        owners,
        time,
      );
    }
    const seen = new Set(owners.values());
    for (const object of this.#objects) if (!seen.has(object)) object.missed += 1;
    this.#objects = this.#objects.filter((object) => !isOver(object, time));

    const reported: ResultObject[] = [];
    for (const detection of detections) {
      const owner = owners.get(detection);
      if (owner !== undefined) reported.push({ ...detection, id: owner.id, observed: true });
    }
    return [...reported, ...this.#bridged(reported, time)];
  }

  /** Finds an owner for each detection of one label among the objects of that label, or makes a new one. */
  #associate(
    detections: readonly Detection[],
    objects: readonly TrackedObject[],
    owners: Map<Detection, TrackedObject>,
    time: number,
  ): void {
    const sure = detections.filter((detection) => detection.score >= this.#threshold);
    const weak = detections.filter((detection) => detection.score < this.#threshold);
    const left = match(objects, sure, leastOverlap, owners, time);
    // What has not been seen on the last frames cannot be told by a weak detection: that may be anything.
    const near = left.filter((object) => object.missed < 2);
    match(near, weak, leastWeakOverlap, owners, time);
    for (const [detection, owner] of owners) {
      if (owner.label === detection.label && owner.lastSeen !== time) {
        owner.see(detection, time, detection.score >= this.#threshold);
      }
    }
    const known = detections.filter((detection) => owners.has(detection));
    for (const detection of sure) {
      if (owners.has(detection) || liesAcrossTwo(detection.box, known)) continue;
      const object = new TrackedObject(this.#nextId, detection, time);
      this.#nextId += 1;
      this.#objects.push(object);
      owners.set(detection, object);
    }
  }

  /** The objects just missed that are shown all the same. */
  #bridged(observed: readonly ResultObject[], time: number): ResultObject[] {
    const bridged: ResultObject[] = [];
    for (const object of this.#objects) {
      if (object.missed !== 1 || object.seen < wellKnown) continue;
      if (time - object.lastSeen > bridgedSeconds) continue;
      const box = clip(object.box);
      // Gone over the picture's edge, or hidden by, or double of, one that was seen.
      if (area(box) < 0.5 * area(object.box)) continue;
      if (
        observed.some((other) => other.label === object.label && intersectionOverUnion(other.box, box) > 0.5)
      ) {
        continue;
      }
      // Attributes were measured on another frame and are left out.
      bridged.push({
        label: object.label,
        score: object.detection.score,
        box,
        id: object.id,
        observed: false,
      });
    }
    return bridged;
  }
}

/** Matches objects and detections, enters the pairs into `owners`, and gives the objects left over. */
function match(
  objects: readonly TrackedObject[],
  detections: readonly Detection[],
  least: number,
  owners: Map<Detection, TrackedObject>,
  time: number,
): TrackedObject[] {
  const limit = 1 - least;
  const costs = objects.map((object) => {
    const [width, height] = [object.box[2], object.box[3]];
    const x = Math.min(object.uncertainty[0], mostGrowth * width);
    const y = Math.min(object.uncertainty[1], mostGrowth * height);
    const expected = grow(object.box, x, y);
    const absence = absenceCost * Math.min(1, time - object.lastSeen);
    return detections.map((detection) => {
      const overlap = intersectionOverUnion(expected, grow(detection.box, x, y));
      return overlap < least ? Number.POSITIVE_INFINITY : 1 - overlap + absence;
    });
  });
  const columns = assign(costs, limit + absenceCost);
  return objects.filter((object, row) => {
    const detection = detections[columns[row] ?? -1];
    if (detection !== undefined) owners.set(detection, object);
    return detection === undefined;
  });
}

/**
 * True for a box that two others cover together and neither covers alone: what detectors often see, for a frame or two,
 * in two people who walk side by side. No object is made of it.
 */
function liesAcrossTwo(box: Box, others: readonly Detection[]): boolean {
  const parts = others
    .map((other) => intersection(box, other.box))
    .filter((part) => area(part) > 0.2 * area(box) && area(part) < 0.75 * area(box));
  return parts.some((part, index) =>
    parts
      .slice(index + 1)
      .some((other) => area(part) + area(other) - area(intersection(part, other)) > 0.8 * area(box)),
  );
}

/** True where an object has been out of sight, or seen only weakly, for too long. */
function isOver(object: TrackedObject, time: number): boolean {
  const forgotten = object.missed >= 2 && (time - object.lastSeen > memory || object.seen < wellKnown);
  return forgotten || time - object.lastSure > longestMemory;
}
