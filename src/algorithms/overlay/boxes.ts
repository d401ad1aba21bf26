import type { Box, Result, ResultObject } from '../contract.ts';
import type { ResultTrack } from './results.ts';

/** `live`: the lowest latency. `in-step`: playback is held back so that results are there before their frame. */
export type PlayMode = 'live' | 'in-step';

/** Where a drawn box comes from: seen by the algorithm on this very frame, or worked out from other frames. */
export type BoxOrigin = 'measured' | 'interpolated' | 'predicted';

export interface DrawnBox {
  readonly algorithm: string;
  readonly id?: number;
  readonly label: string;
  readonly score: number;
  /** Shares of the picture. */
  readonly box: Box;
  readonly origin: BoxOrigin;
}

const TICKS_PER_MS = 90;
/** A box is predicted for at most so long after it was measured. */
export const PREDICT_TICKS = 500 * TICKS_PER_MS;
/** Between results farther apart than this nothing is interpolated: the object may have been anywhere. */
export const INTERPOLATE_TICKS = 3_000 * TICKS_PER_MS;

/**
 * The boxes of one algorithm for the frame `pts`. A measured box is given for the frame it was measured on and for no
 * other; every other frame gets interpolated boxes (*in step*, where the next result is known) or predicted ones.
 */
export function boxesFor(track: ResultTrack, pts: number, mode: PlayMode): DrawnBox[] {
  const { before, earlier, after } = track.around(pts);
  if (before && before.pts === pts) return measured(before);
  if (!before) return [];
  if (mode === 'in-step' && after && after.pts - before.pts <= INTERPOLATE_TICKS) {
    return interpolated(before, after, pts);
  }
  return pts - before.pts <= PREDICT_TICKS ? predicted(before, earlier, pts) : [];
}

function measured(result: Result): DrawnBox[] {
  return result.objects.map((object) =>
    drawn(result, object, object.box, object.observed ? 'measured' : 'predicted'),
  );
}

function interpolated(before: Result, after: Result, pts: number): DrawnBox[] {
  const share = (pts - before.pts) / (after.pts - before.pts);
  const boxes: DrawnBox[] = [];
  for (const object of before.objects) {
    const next = sameObject(after, object);
    if (next) boxes.push(drawn(before, object, mix(object.box, next.box, share), 'interpolated'));
    // It left somewhere between the two results; the middle is the best that can be said.
    else if (share <= 0.5 && pts - before.pts <= PREDICT_TICKS) {
      boxes.push(drawn(before, object, object.box, 'predicted'));
    }
  }
  return boxes;
}

function predicted(before: Result, earlier: Result | undefined, pts: number): DrawnBox[] {
  return before.objects.map((object) => {
    const previous = earlier && before.pts - earlier.pts <= INTERPOLATE_TICKS && sameObject(earlier, object);
    if (!previous) return drawn(before, object, object.box, 'predicted');
    const share = (pts - earlier.pts) / (before.pts - earlier.pts);
    return drawn(before, object, clip(extrapolate(previous.box, object.box, share)), 'predicted');
  });
}

/** The object of the same identity; objects without one are never taken for each other. */
function sameObject(result: Result, object: ResultObject): ResultObject | undefined {
  if (object.id === undefined) return undefined;
  return result.objects.find((other) => other.id === object.id);
}

function mix(a: Box, b: Box, share: number): Box {
  return [
    a[0] + (b[0] - a[0]) * share,
    a[1] + (b[1] - a[1]) * share,
    a[2] + (b[2] - a[2]) * share,
    a[3] + (b[3] - a[3]) * share,
  ];
}

/** The centre goes on at its speed; the size stays, because its noise would grow faster than any truth in it. */
function extrapolate(a: Box, b: Box, share: number): Box {
  const x = a[0] + a[2] / 2 + (b[0] + b[2] / 2 - a[0] - a[2] / 2) * share;
  const y = a[1] + a[3] / 2 + (b[1] + b[3] / 2 - a[1] - a[3] / 2) * share;
  return [x - b[2] / 2, y - b[3] / 2, b[2], b[3]];
}

function clip(box: Box): Box {
  const x = Math.min(1, Math.max(0, box[0]));
  const y = Math.min(1, Math.max(0, box[1]));
  return [x, y, Math.max(0, Math.min(1, box[0] + box[2]) - x), Math.max(0, Math.min(1, box[1] + box[3]) - y)];
}

function drawn(result: Result, object: ResultObject, box: Box, origin: BoxOrigin): DrawnBox {
  const common = { algorithm: result.algorithm, label: object.label, score: object.score, box, origin };
  return object.id === undefined ? common : { ...common, id: object.id };
}
