import { expect, test } from 'vitest';
import { decode, normalise } from './nanodet-tensors.ts';

const labels = ['person', 'car'];

/** Outputs of a model for a picture of 64 × 64 in which nothing is, in an order of their own. */
function outputs() {
  return [16, 8, 32].flatMap((stride) => {
    const cells = (64 / stride) ** 2;
    return [
      { stride, data: new Float32Array(cells * 44), shape: [1, cells, 44] },
      { stride, data: new Float32Array(cells * 2), shape: [1, cells, 2] },
    ];
  });
}

/** Puts an object into a cell: its score, and for each side the distance in strides (whole bins). */
function put(
  tensors: ReturnType<typeof outputs>,
  stride: number,
  cell: number,
  score: number,
  label: number,
  sides: readonly number[],
) {
  for (const { data, shape, stride: of } of tensors) {
    if (of !== stride) continue;
    if (shape[2] === 2) data[cell * 2 + label] = score;
    else sides.forEach((bin, side) => (data[cell * 44 + side * 11 + bin] = 50));
  }
}

test('a cell over the threshold becomes a box around its centre, as shares of the picture', () => {
  const tensors = outputs();
  // Stride 16, column 1, row 2: centre (24, 40); 1 stride to the left and right, 2 up, 1 down.
  put(tensors, 16, 9, 0.8, 1, [1, 2, 1, 1]);
  const [object, ...others] = decode(tensors, 64, 64, labels, 0.5);
  expect(others).toEqual([]);
  expect(object?.label).toBe('car');
  expect(object?.score).toBeCloseTo(0.8);
  [8 / 64, 8 / 64, 32 / 64, 48 / 64].forEach((side, index) => expect(object?.box[index]).toBeCloseTo(side));
});

test('a distance between two bins is their mean by weight', () => {
  const tensors = outputs();
  put(tensors, 16, 9, 0.8, 0, [1, 1, 1, 1]);
  put(tensors, 16, 9, 0.8, 0, [2, 1, 1, 1]);
  expect(decode(tensors, 64, 64, labels, 0.5)[0]?.box[0]).toBeCloseTo(0);
});

test('of the same thing seen at two strides the better stays, and weak cells give nothing', () => {
  const tensors = outputs();
  put(tensors, 16, 5, 0.7, 0, [1, 1, 1, 1]);
  put(tensors, 8, 27, 0.6, 0, [2, 2, 2, 2]);
  put(tensors, 32, 3, 0.4, 0, [0, 0, 0, 0]);
  const found = decode(tensors, 64, 64, labels, 0.5);
  expect(found.map(({ score }) => Math.round(score * 10))).toEqual([7]);
});

test('a box is cut at the edges of the picture', () => {
  const tensors = outputs();
  put(tensors, 32, 0, 0.9, 0, [2, 2, 2, 2]);
  expect(decode(tensors, 64, 64, labels, 0.5)[0]?.box).toEqual([0, 0, 1, 1]);
});

test('outputs of another form are refused with their shapes', () => {
  expect(() => decode([{ data: new Float32Array(6), shape: [1, 1, 6] }], 64, 64, labels, 0.5)).toThrow(
    '[1, 1, 6]',
  );
});

test('pixels become planes of blue, green and red, whichever order they come in', () => {
  const bgr = new Float32Array(6);
  normalise(Uint8Array.of(10, 20, 30, 40, 50, 60), 2, 1, 'bgr24', bgr);
  const rgb = new Float32Array(6);
  normalise(Uint8Array.of(30, 20, 10, 60, 50, 40), 2, 1, 'rgb24', rgb);
  expect(rgb).toEqual(bgr);
  expect(bgr[0]).toBeCloseTo((10 - 103.53) / 57.375);
  expect(bgr[3]).toBeCloseTo((50 - 116.28) / 57.12);
  expect(bgr[4]).toBeCloseTo((30 - 123.675) / 58.395);
});

test('a picture of the wrong size or without colour is refused', () => {
  expect(() => normalise(new Uint8Array(5), 2, 1, 'bgr24', new Float32Array(6))).toThrow('5 bytes');
  expect(() => normalise(new Uint8Array(2), 2, 1, 'gray8', new Float32Array(6))).toThrow('colour');
});
