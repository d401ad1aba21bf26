import type { Box } from './contract.ts';

/** Area shared by two boxes over the area covered by either, 0..1; 0 where both are empty. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const shared = area(intersection(a, b));
  const union = area(a) + area(b) - shared;
  return union > 0 ? shared / union : 0;
}

/** The part of `box` that `cover` lies on; its width or height is 0 where they are apart. */
export function intersection(box: Box, cover: Box): Box {
  const left = Math.max(box[0], cover[0]);
  const top = Math.max(box[1], cover[1]);
  return [
    left,
    top,
    Math.max(0, Math.min(box[0] + box[2], cover[0] + cover[2]) - left),
    Math.max(0, Math.min(box[1] + box[3], cover[1] + cover[3]) - top),
  ];
}

export function area(box: Box): number {
  return box[2] * box[3];
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
