import type { Box } from './contract.ts';

/** Area shared by two boxes over the area covered by either, 0..1; 0 where both are empty. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const shared = overlap(a[0], a[2], b[0], b[2]) * overlap(a[1], a[3], b[1], b[3]);
  const union = a[2] * a[3] + b[2] * b[3] - shared;
  return union > 0 ? shared / union : 0;
}

/** Length that two intervals, each given by start and length, have in common. */
function overlap(startA: number, lengthA: number, startB: number, lengthB: number): number {
  return Math.max(0, Math.min(startA + lengthA, startB + lengthB) - Math.max(startA, startB));
}

/** The box made larger by `x` to the left and to the right, and by `y` above and below. */
export function grow(box: Box, x: number, y: number): Box {
  return [box[0] - x, box[1] - y, box[2] + 2 * x, box[3] + 2 * y];
}

/** The part of the box that lies in the picture; its width or height is 0 where nothing does. */
export function clip(box: Box): Box {
  const left = clamp(box[0]);
  const top = clamp(box[1]);
  return [left, top, clamp(box[0] + box[2]) - left, clamp(box[1] + box[3]) - top];
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
