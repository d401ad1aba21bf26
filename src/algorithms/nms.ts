/** Boxes as four parallel columns (edges, in any one unit), with a score and a class each. */
export interface Candidates {
  readonly left: Float32Array;
  readonly top: Float32Array;
  readonly right: Float32Array;
  readonly bottom: Float32Array;
  readonly score: Float32Array;
  readonly label: Int32Array;
}

/**
 * Non-maximum suppression per class: of boxes of one class that overlap by more than `iou`, the best one stays.
 * Looks at the first `count` candidates and gives the indices that stay, best score first.
 */
export function suppressNonMaxima(candidates: Candidates, count: number, iou: number): number[] {
  const { left, top, right, bottom, score, label } = candidates;
  const order = Array.from({ length: count }, (_, index) => index);
  order.sort((a, b) => at(score, b) - at(score, a));
  const kept: number[] = [];
  for (const index of order) {
    const area = (at(right, index) - at(left, index)) * (at(bottom, index) - at(top, index));
    const suppressed = kept.some((other) => {
      if (at(label, other) !== at(label, index)) return false;
      const width = Math.min(at(right, index), at(right, other)) - Math.max(at(left, index), at(left, other));
      const height =
        Math.min(at(bottom, index), at(bottom, other)) - Math.max(at(top, index), at(top, other));
      if (width <= 0 || height <= 0) return false;
      const shared = width * height;
      const otherArea = (at(right, other) - at(left, other)) * (at(bottom, other) - at(top, other));
      return shared > iou * (area + otherArea - shared);
    });
    if (!suppressed) kept.push(index);
  }
  return kept;
}

/** An element known to be there. */
function at(values: Float32Array | Int32Array, index: number): number {
  return values[index] as number;
}
