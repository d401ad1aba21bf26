import { expect, test } from 'vitest';
import { suppressNonMaxima } from './nms.ts';

function candidates(rows: readonly (readonly [number, number, number, number, number, number])[]) {
  const column = (index: number) => Float32Array.from(rows, (row) => row[index] ?? 0);
  return {
    left: column(0),
    top: column(1),
    right: column(2),
    bottom: column(3),
    score: column(4),
    label: Int32Array.from(rows, (row) => row[5]),
  };
}

test('of boxes of one class that overlap the best stays, best score first', () => {
  const boxes = candidates([
    [0, 0, 10, 10, 0.6, 0],
    [1, 0, 11, 10, 0.9, 0],
    [30, 0, 40, 10, 0.7, 0],
  ]);
  expect(suppressNonMaxima(boxes, 3, 0.6)).toEqual([1, 2]);
});

test('boxes of different classes, and boxes that overlap no more than allowed, stay', () => {
  const boxes = candidates([
    [0, 0, 10, 10, 0.6, 0],
    [0, 0, 10, 10, 0.9, 1],
    [3, 0, 13, 10, 0.5, 0],
  ]);
  expect(suppressNonMaxima(boxes, 3, 0.6)).toEqual([1, 0, 2]);
});

test('candidates beyond the count are not looked at', () => {
  const boxes = candidates([
    [0, 0, 10, 10, 0.6, 0],
    [0, 0, 10, 10, 0.9, 0],
  ]);
  expect(suppressNonMaxima(boxes, 1, 0.6)).toEqual([0]);
});
