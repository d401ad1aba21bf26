import { describe, expect, it } from 'vitest';
import { placeLabels, type Rect } from './label-layout.ts';

const picture = { width: 640, height: 360 };

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

describe('placeLabels', () => {
  it('puts a label above its box', () => {
    const box = { x: 100, y: 100, width: 50, height: 80 };
    expect(placeLabels([{ box, width: 40, height: 16 }], picture)).toEqual([
      { x: 100, y: 84, width: 40, height: 16 },
    ]);
  });

  it('puts it below where there is no room above', () => {
    const box = { x: 100, y: 4, width: 50, height: 80 };
    expect(placeLabels([{ box, width: 40, height: 16 }], picture)[0]?.y).toBe(84);
  });

  it('never lets labels overlap each other, their own box, or the edge of the picture', () => {
    const requests = Array.from({ length: 40 }, (_, i) => ({
      box: { x: (i * 37) % 600, y: (i * 53) % 300, width: 40, height: 60 },
      width: 50,
      height: 16,
    }));
    const placed = placeLabels(requests, picture);
    placed.forEach((label, i) => {
      if (!label) return;
      expect(overlap(label, (requests[i] as (typeof requests)[number]).box)).toBe(false);
      expect(label.x).toBeGreaterThanOrEqual(0);
      expect(label.x + label.width).toBeLessThanOrEqual(picture.width);
      for (const other of placed.slice(i + 1)) if (other) expect(overlap(label, other)).toBe(false);
    });
    expect(placed.filter(Boolean).length).toBeGreaterThan(20);
  });

  it('leaves a label out where its box fills the picture', () => {
    const box = { x: 0, y: 0, width: 640, height: 360 };
    expect(placeLabels([{ box, width: 40, height: 16 }], picture)).toEqual([undefined]);
  });
});
