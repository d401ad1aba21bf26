/** Size of the picture that the places below are given for; they scale with the picture. */
const drawn = { width: 640, height: 360 };
const cells = 16;
const cell = { left: 64, width: 32, middle: 24 };
/** Of the cell's middle, so many pixels each way are averaged, away from the blur of its edges. */
const reach = 6;
/** Least difference between black and white; below it there is no barcode. */
const leastContrast = 80;

export interface GrayPicture {
  readonly width: number;
  readonly height: number;
  /** One byte per pixel, packed rows. */
  readonly data: Uint8Array;
}

/**
 * The number in the barcode of a generated clip: on a black strip, 16 cells, least significant bit first, white for 1,
 * then one cell that is always white. Undefined where the picture has none.
 */
export function readBarcode(picture: GrayPicture): number | undefined {
  const white = brightness(picture, cells);
  const black = brightness(picture, -1);
  if (white - black < leastContrast) return undefined;
  let number = 0;
  for (let bit = 0; bit < cells; bit++) {
    if (brightness(picture, bit) > (white + black) / 2) number |= 1 << bit;
  }
  return number;
}

/** Mean of the middle of cell `index`; -1 is the black before the first cell. */
function brightness({ width, height, data }: GrayPicture, index: number): number {
  const x = cell.left + cell.width * (index + 0.5);
  const scaleX = width / drawn.width;
  const scaleY = height / drawn.height;
  const left = Math.round((x - reach) * scaleX);
  const right = Math.max(left + 1, Math.round((x + reach) * scaleX));
  const top = Math.round((cell.middle - reach) * scaleY);
  const bottom = Math.max(top + 1, Math.round((cell.middle + reach) * scaleY));
  let sum = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) sum += data[row * width + column] ?? 0;
  }
  return sum / ((right - left) * (bottom - top));
}
