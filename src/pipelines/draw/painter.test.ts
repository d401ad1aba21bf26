import { describe, expect, it } from 'vitest';
import type { BoxOrigin, DrawnBox } from '#algorithms/overlay/boxes.ts';
import { clockText } from './clock.ts';
import { Painter } from './painter.ts';
import { fillRect, inkOf, strokeRect, type Yuv420 } from './planes.ts';
import { Lettering } from './text.ts';

const GREY = 120;
const white = { y: 235, u: 128, v: 128 };

function grey(width = 320, height = 180): Yuv420 {
  const chroma = ((width + 1) >> 1) * ((height + 1) >> 1);
  return {
    ...{ width, height, fullRange: false, matrix: 'bt601' },
    planes: [
      new Uint8Array(width * height).fill(GREY),
      new Uint8Array(chroma).fill(128),
      new Uint8Array(chroma).fill(128),
    ],
    strides: [width, (width + 1) >> 1, (width + 1) >> 1],
  };
}

const luma = ({ planes, strides }: Yuv420, x: number, y: number) => planes[0][y * strides[0] + x];

function box(origin: BoxOrigin, at: DrawnBox['box'] = [0.25, 0.25, 0.5, 0.5]): DrawnBox {
  return { algorithm: 'a', label: 'person', score: 0.9, box: at, origin };
}

/** Pixels of the row in the middle that are no longer grey, from the left edge of the box to its middle. */
function lineAt(picture: Yuv420): number {
  let count = 0;
  for (let x = 0; x < 160; x++) if (luma(picture, x, 90) !== GREY) count++;
  return count;
}

describe('colours in planes', () => {
  it('are those of ITU-R BT.601 and BT.709, in the range of the picture', () => {
    const limited = { fullRange: false, matrix: 'bt601' } as const;
    expect(inkOf('#ffffff', limited)).toEqual({ y: 235, u: 128, v: 128 });
    expect(inkOf('#000000', limited)).toEqual({ y: 16, u: 128, v: 128 });
    expect(inkOf('#ff0000', limited)).toEqual({ y: 81, u: 90, v: 240 });
    expect(inkOf('#ff0000', { ...limited, matrix: 'bt709' })).toEqual({ y: 63, u: 102, v: 240 });
    expect(inkOf('#ffffff', { fullRange: true, matrix: 'bt709' })).toEqual({ y: 255, u: 128, v: 128 });
  });
});

describe('rectangles', () => {
  it('cover exactly their pixels, and chroma by the share of it that they cover', () => {
    const picture = grey(8, 8);
    fillRect(picture, { x: 1, y: 2, width: 3, height: 2 }, { y: 200, u: 228, v: 28 });
    const rows = [...Array(8).keys()].map((y) =>
      [...Array(8).keys()].map((x) => luma(picture, x, y) === 200),
    );
    expect(rows.flatMap((row, y) => row.flatMap((is, x) => (is ? [[x, y]] : [])))).toEqual([
      ...[1, 2, 3].map((x) => [x, 2]),
      ...[1, 2, 3].map((x) => [x, 3]),
    ]);
    expect([...picture.planes[1].subarray(4, 8)]).toEqual([178, 228, 128, 128]);
    expect([...picture.planes[2].subarray(4, 8)]).toEqual([78, 28, 128, 128]);
  });

  it('are cut at the edges of the picture, be they far outside, empty or thinner than their line', () => {
    const picture = grey(33, 17);
    const outside = grey(33, 17);
    for (const rect of [
      { x: -500, y: -500, width: 100, height: 100 },
      { x: 40, y: 3, width: 10, height: 10 },
    ])
      strokeRect(outside, rect, 3, white);
    expect(outside).toEqual(grey(33, 17));
    for (const rect of [
      { x: -5, y: -5, width: 100, height: 100 },
      { x: 30, y: 14, width: 20, height: 20 },
      { x: 4, y: 4, width: 0, height: 0 },
      { x: 8, y: 4, width: 1, height: 9 },
    ])
      strokeRect(picture, rect, 3, white);
    expect(luma(picture, 4, 4)).toBe(white.y);
    expect(luma(picture, 8, 8)).toBe(white.y);
    expect(luma(picture, 16, 12)).toBe(GREY);
  });
});

describe('a painter', () => {
  it('draws boxes that were measured on the picture thicker than others', () => {
    const lines = (['measured', 'interpolated', 'predicted'] as const).map((origin) => {
      const picture = grey();
      new Painter().draw(picture, { boxes: [box(origin)], labels: false });
      return lineAt(picture);
    });
    expect(lines).toEqual([5, 3, 3]);
  });

  it('leaves everything as it was outside of its lines and labels', () => {
    const picture = grey();
    new Painter().draw(picture, { boxes: [box('measured')], labels: true });
    expect(luma(picture, 160, 90)).toBe(GREY);
    expect(luma(picture, 20, 90)).toBe(GREY);
    expect(luma(picture, 160, 160)).toBe(GREY);
    // Its label stands above it.
    expect(luma(picture, 82, 34)).not.toBe(GREY);
  });

  it('draws nothing where there is nothing to draw', () => {
    const picture = grey();
    new Painter().draw(picture, { boxes: [], labels: true });
    expect(picture).toEqual(grey());
  });

  it('draws anything anywhere without leaving the picture', () => {
    for (const [width, height] of [
      [2, 2],
      [17, 33],
      [1920, 1080],
    ] as const) {
      const picture = grey(width, height);
      const boxes = [
        box('measured', [-1, -1, 3, 3]),
        box('predicted', [0.99, 0.99, 0.5, 0.5]),
        box('measured', [0.5, 0.5, 0, 0]),
        { ...box('measured', [0, 0, 0.1, 0.1]), label: '安全帽 ☃ Ünïcödé '.repeat(20) },
      ];
      new Painter().draw(picture, { boxes, labels: true, clock: clockText(0) });
      expect(picture.planes.map((plane) => plane.length)).toEqual(
        grey(width, height).planes.map((p) => p.length),
      );
    }
  });
});

describe('the built-in letters', () => {
  const letters = new Lettering(9);

  it('differ from each other in every character of ASCII', () => {
    const drawn = new Map<string, string>();
    for (let code = 0x21; code < 0x7f; code++) {
      const picture = grey(40, 40);
      const character = String.fromCharCode(code);
      letters.draw(picture, character, 4, 4, white);
      drawn.set(Buffer.from(picture.planes[0]).toString('base64'), character);
    }
    expect(drawn.size).toBe(0x7f - 0x21);
  });

  it('draw a letter with an accent without it, and an empty box for what they do not have', () => {
    const image = (text: string) => {
      const picture = grey(40, 40);
      letters.draw(picture, text, 4, 4, white);
      return Buffer.from(picture.planes[0]).toString('base64');
    };
    expect(image('é')).toBe(image('e'));
    expect(image('帽')).toBe(image('火'));
    expect(image('帽')).not.toBe(image(' '));
  });

  it('cut what is too long for a label', () => {
    expect(letters.width('x'.repeat(10_000))).toBe(letters.width('x'.repeat(64)));
  });
});

describe('the clock', () => {
  it('shows when a picture was captured, to a tenth of a second', () => {
    expect(clockText(new Date(2026, 10, 26, 21, 5, 3, 480).getTime())).toBe('2026-11-26 21:05:03.4');
  });
});
