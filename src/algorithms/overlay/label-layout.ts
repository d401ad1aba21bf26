/** A rectangle in canvas pixels. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A box that wants a label of the given size. */
export interface LabelRequest {
  readonly box: Rect;
  readonly width: number;
  readonly height: number;
}

/**
 * Places labels outside their boxes: above, else below, else at a side; inside the picture, and clear of labels that
 * were placed before. Undefined for a label that has no free place: no label is better than an unreadable one.
 */
export function placeLabels(
  requests: readonly LabelRequest[],
  picture: { width: number; height: number },
): (Rect | undefined)[] {
  const placed: Rect[] = [];
  return requests.map((request) => {
    const place = candidates(request, picture).find((rect) => !placed.some((other) => overlaps(rect, other)));
    if (place) placed.push(place);
    return place;
  });
}

function candidates(request: LabelRequest, picture: { width: number; height: number }): Rect[] {
  const { box, width, height } = request;
  const right = box.x + box.width;
  const spots: [number, number][] = [
    [box.x, box.y - height],
    [right - width, box.y - height],
    [box.x, box.y + box.height],
    [right - width, box.y + box.height],
    [right, box.y],
    [box.x - width, box.y],
    [box.x, box.y - 2 * height],
    [right, box.y + height],
  ];
  return spots
    .map(([x, y]) => ({ x: Math.min(Math.max(0, x), picture.width - width), y, width, height }))
    .filter(
      (rect) => rect.x >= 0 && rect.y >= 0 && rect.y + height <= picture.height && !overlaps(rect, box),
    );
}

function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
