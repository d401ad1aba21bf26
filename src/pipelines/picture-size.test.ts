import { describe, expect, it } from 'vitest';
import { fittedSize } from './picture-size.ts';

describe('the size of pictures that are made', () => {
  it('is that of the source where nothing is wished, made even', () => {
    expect(fittedSize({ width: 1920, height: 1080 }, {})).toEqual({ width: 1920, height: 1080 });
    expect(fittedSize({ width: 641, height: 361 }, {})).toEqual({ width: 640, height: 360 });
  });

  it('follows from one side by the shape of the picture', () => {
    expect(fittedSize({ width: 1920, height: 1080 }, { width: 640 })).toEqual({ width: 640, height: 360 });
    expect(fittedSize({ width: 1920, height: 1080 }, { height: 240 })).toEqual({ width: 426, height: 240 });
    expect(fittedSize({ width: 704, height: 576, pixelAspect: [12, 11] }, { width: 352 })).toEqual({
      width: 352,
      height: 288,
      pixelAspect: [12, 11],
    });
  });

  it('makes pixels other than square where both sides are wished, so that it looks as before', () => {
    expect(fittedSize({ width: 1280, height: 720 }, { width: 640, height: 480 })).toEqual({
      width: 640,
      height: 480,
      pixelAspect: [4, 3],
    });
    expect(
      fittedSize({ width: 720, height: 576, pixelAspect: [64, 45] }, { width: 1024, height: 576 }),
    ).toEqual({
      width: 1024,
      height: 576,
    });
  });
});
