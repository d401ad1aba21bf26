import { expect, test } from 'vitest';
import { clip, grow, intersectionOverUnion } from './geometry.ts';

test('overlap is 1 for equal boxes, 0 for boxes apart or empty, and the shared share between', () => {
  expect(intersectionOverUnion([0.1, 0.1, 0.2, 0.2], [0.1, 0.1, 0.2, 0.2])).toBeCloseTo(1);
  expect(intersectionOverUnion([0.1, 0.1, 0.2, 0.2], [0.5, 0.1, 0.2, 0.2])).toBe(0);
  expect(intersectionOverUnion([0.1, 0.1, 0, 0], [0.1, 0.1, 0, 0])).toBe(0);
  expect(intersectionOverUnion([0, 0, 0.2, 0.2], [0.1, 0, 0.2, 0.2])).toBeCloseTo(1 / 3);
});

test('a box is grown on all sides and cut at the edges of the picture', () => {
  const grown = grow([0, 0.4, 0.2, 0.2], 0.1, 0.2);
  [-0.1, 0.2, 0.4, 0.6].forEach((value, side) => expect(grown[side]).toBeCloseTo(value));
  const cut = clip([-0.1, 0.9, 0.4, 0.6]);
  [0, 0.9, 0.3, 0.1].forEach((value, side) => expect(cut[side]).toBeCloseTo(value));
  expect(clip([1.2, 0.5, 0.1, 0.1])[2]).toBe(0);
});
