import { expect, test } from 'vitest';
import { scaledSize } from './frame-size.ts';

const nanodet = { kind: 'aspect', width: 416, multiple: 32 } as const;

test('a height by the aspect ratio is rounded up to the multiple', () => {
  expect(scaledSize(nanodet, 768, 576)).toEqual({ width: 416, height: 320 });
  expect(scaledSize(nanodet, 1920, 1080)).toEqual({ width: 416, height: 256 });
});

test('a height that fits is not rounded', () => {
  expect(scaledSize(nanodet, 416, 320)).toEqual({ width: 416, height: 320 });
});

test('a picture much wider than high has at least one multiple of height', () => {
  expect(scaledSize(nanodet, 4000, 10)).toEqual({ width: 416, height: 32 });
});

test('the source size and a fixed size are taken as they are', () => {
  expect(scaledSize({ kind: 'source' }, 641, 359)).toEqual({ width: 641, height: 359 });
  expect(scaledSize({ kind: 'fixed', width: 300, height: 200 }, 641, 359)).toEqual({
    width: 300,
    height: 200,
  });
});
