/** A picture's size, and the shape of its pixels. */
export interface PictureSize {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Width to height of one pixel; undefined: square, or not known. */
  readonly pixelAspect?: readonly [horizontal: number, vertical: number] | undefined;
}

/** By so much the shape of a pixel may be off before it is said: sizes are even numbers. */
const TOLERANCE = 0.01;
/** H.264 and MPEG-4 part 2 have 16 and 8 bits for each side of a pixel. */
const LARGEST = 255;

/**
 * The size to encode. Of one side that is wanted the other follows, even numbers both; where both are wanted, pixels get
 * the shape with which the picture looks as before.
 */
export function fittedSize(
  source: PictureSize,
  wanted: { readonly width?: number | undefined; readonly height?: number | undefined },
): PictureSize {
  const { pixelAspect } = source;
  if (wanted.width === undefined && wanted.height === undefined) {
    const [width, height] = [source.width, source.height].map((side) => Math.max(2, side - (side % 2)));
    return { width: width!, height: height!, ...(pixelAspect && { pixelAspect }) };
  }
  const scale = wanted.width ? wanted.width / source.width : (wanted.height ?? source.height) / source.height;
  const width = even(wanted.width ?? source.width * scale);
  const height = even(wanted.height ?? source.height * scale);
  const [horizontal, vertical] = pixelAspect ?? [1, 1];
  const before = horizontal / vertical;
  const after = (before * source.width * height) / (source.height * width);
  if (Math.abs(after / before - 1) <= TOLERANCE)
    return { width, height, ...(pixelAspect && { pixelAspect }) };
  if (Math.abs(after - 1) <= TOLERANCE) return { width, height };
  return { width, height, pixelAspect: fraction(after) };
}

function even(value: number): number {
  return Math.max(2, 2 * Math.round(value / 2));
}

/** The nearest ratio of numbers that codecs have room for. */
function fraction(value: number): readonly [number, number] {
  let best: readonly [number, number] = [1, 1];
  for (let vertical = 1; vertical <= LARGEST; vertical++) {
    const horizontal = Math.round(value * vertical);
    if (horizontal < 1 || horizontal > LARGEST) continue;
    const off = Math.abs(horizontal / vertical - value);
    if (off < Math.abs(best[0] / best[1] - value) - 1e-9) best = [horizontal, vertical];
  }
  return best;
}
