/**
 * A picture of 8 bits in planes of luma and chroma, 4:2:0: one value of each chroma for two by two pixels. The planes are
 * drawn into as they are; nothing goes through RGB.
 */
export interface Yuv420 {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Y, Cb, Cr. */
  readonly planes: readonly [Uint8Array, Uint8Array, Uint8Array];
  /** Bytes from one row of a plane to the next. */
  readonly strides: readonly [number, number, number];
  /** Luma and chroma use all values (JPEG range). */
  readonly fullRange: boolean;
  readonly matrix: 'bt601' | 'bt709';
}

/** A colour as the planes have it. */
export interface Ink {
  readonly y: number;
  readonly u: number;
  readonly v: number;
}

/** Pixels, whole numbers; may lie outside of the picture. */
export interface PixelRect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How much of each pixel is covered, 0 to 255, in rows without padding. */
export interface Mask {
  /** Pixels, even. */
  readonly width: number;
  readonly luma: Uint8Array;
  /** Half as wide and half as high. */
  readonly chroma: Uint8Array;
}

/** Luma of red and blue (ITU-R BT.601 and BT.709); green has the rest. */
const WEIGHTS = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722] } as const;

/** @param hex `#rrggbb` */
export function inkOf(hex: string, { fullRange, matrix }: Pick<Yuv420, 'fullRange' | 'matrix'>): Ink {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255) as [
    number,
    number,
    number,
  ];
  const [kr, kb] = WEIGHTS[matrix];
  const luma = kr * r + (1 - kr - kb) * g + kb * b;
  const [base, lumaSpan, chromaSpan] = fullRange ? [0, 255, 255] : [16, 219, 224];
  return {
    y: Math.round(base + lumaSpan * luma),
    u: Math.round(128 + (chromaSpan * (b - luma)) / (2 * (1 - kb))),
    v: Math.round(128 + (chromaSpan * (r - luma)) / (2 * (1 - kr))),
  };
}

/** @param opacity 0..1; what lies under it shines through by the rest */
export function fillRect(picture: Yuv420, rect: PixelRect, ink: Ink, opacity = 1): void {
  const left = Math.max(0, rect.x);
  const top = Math.max(0, rect.y);
  const right = Math.min(picture.width, rect.x + rect.width);
  const bottom = Math.min(picture.height, rect.y + rect.height);
  if (left >= right || top >= bottom) return;
  const [luma] = picture.planes;
  const [stride] = picture.strides;
  for (let row = top; row < bottom; row++) {
    blendRow(luma, row * stride + left, row * stride + right, ink.y, opacity);
  }
  for (const [plane, value] of [
    [1, ink.u],
    [2, ink.v],
  ] as const) {
    const chroma = picture.planes[plane];
    const chromaStride = picture.strides[plane];
    for (let row = top >> 1; row < (bottom + 1) >> 1; row++) {
      const rows = (Math.min(bottom, 2 * row + 2) - Math.max(top, 2 * row)) / 2;
      const at = row * chromaStride;
      const [first, last] = [left >> 1, ((right + 1) >> 1) - 1];
      // Only the first and the last one can be covered by half.
      const half = (column: number) => (Math.min(right, 2 * column + 2) - Math.max(left, 2 * column)) / 2;
      blendRow(chroma, at + first, at + first + 1, value, opacity * rows * half(first));
      if (last === first) continue;
      blendRow(chroma, at + first + 1, at + last, value, opacity * rows);
      blendRow(chroma, at + last, at + last + 1, value, opacity * rows * half(last));
    }
  }
}

/** Draws the outline of a rectangle; half of the line stands outside of it. */
export function strokeRect(picture: Yuv420, rect: PixelRect, line: number, ink: Ink, opacity = 1): void {
  const outside = Math.floor(line / 2);
  const x = rect.x - outside;
  const y = rect.y - outside;
  const width = Math.max(line, rect.width + 2 * outside);
  const height = Math.max(line, rect.height + 2 * outside);
  const sides = Math.min(line, width - line);
  const inner = height - 2 * line;
  fillRect(picture, { x, y, width, height: line }, ink, opacity);
  if (height - line > 0) {
    const from = Math.max(y + line, y + height - line);
    fillRect(picture, { x, y: from, width, height: y + height - from }, ink, opacity);
  }
  if (inner <= 0) return;
  fillRect(picture, { x, y: y + line, width: line, height: inner }, ink, opacity);
  if (sides > 0) {
    fillRect(picture, { x: x + width - sides, y: y + line, width: sides, height: inner }, ink, opacity);
  }
}

/** Draws in one colour, where the mask says. @param x even, like `y`: that is what the mask is made for */
export function fillMask(picture: Yuv420, mask: Mask, x: number, y: number, ink: Ink): void {
  const [luma, cb, cr] = picture.planes;
  const [lumaStride, cbStride, crStride] = picture.strides;
  fillPlane(luma, lumaStride, picture.width, picture.height, mask.luma, mask.width, x, y, ink.y);
  const [width, height] = [(picture.width + 1) >> 1, (picture.height + 1) >> 1];
  const [left, top] = [x >> 1, y >> 1];
  fillPlane(cb, cbStride, width, height, mask.chroma, mask.width >> 1, left, top, ink.u);
  fillPlane(cr, crStride, width, height, mask.chroma, mask.width >> 1, left, top, ink.v);
}

function fillPlane(
  plane: Uint8Array,
  stride: number,
  width: number,
  height: number,
  covers: Uint8Array,
  columns: number,
  x: number,
  y: number,
  value: number,
): void {
  const rows = covers.length / columns;
  const left = Math.max(0, x);
  const right = Math.min(width, x + columns);
  const bottom = Math.min(height, y + rows);
  for (let row = Math.max(0, y); row < bottom; row++) {
    const from = (row - y) * columns - x;
    const to = row * stride;
    for (let column = left; column < right; column++) {
      const cover = covers[from + column]!;
      if (cover === 0) continue;
      const before = plane[to + column]!;
      plane[to + column] = before + Math.round(((value - before) * cover) / 255);
    }
  }
}

function blendRow(plane: Uint8Array, from: number, to: number, value: number, opacity: number): void {
  if (opacity >= 1) {
    plane.fill(value, from, to);
    return;
  }
  const blended = blendTable(value, opacity);
  for (let at = from; at < to; at++) plane[at] = blended[plane[at]!]!;
}

/** There are a few colours and opacities, so these are few as well. */
const tables = new Map<number, Uint8Array>();

/** What becomes of each value where another one lies over it. */
function blendTable(value: number, opacity: number): Uint8Array {
  const share = Math.round(opacity * 256);
  const key = value * 257 + share;
  let table = tables.get(key);
  if (!table) {
    table = Uint8Array.from(
      { length: 256 },
      (_, before) => before + Math.round(((value - before) * share) / 256),
    );
    tables.set(key, table);
  }
  return table;
}
