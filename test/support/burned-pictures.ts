import { spawn } from 'node:child_process';
import { colourOf } from '#algorithms/overlay/palette.ts';
import { inkOf } from '../../src/pipelines/draw/planes.ts';
import { barcode } from './media.ts';

/** What is seen in one picture of a barcode clip with the boxes of the algorithm `barcode` drawn in. */
export interface BurnedPicture {
  /** The number in its barcode. */
  readonly number: number;
  /** How wide the left line of the box is that belongs to this number, pixels; 0: there is none in its place. */
  readonly line: number;
  /** The stand-in for a service of the old kind has drawn its frame. */
  readonly framed: boolean;
}

/** Lines are told from the picture behind them where the box of this number stands. */
export function isTelling(number: number): boolean {
  const place = number % 100;
  return (place >= 2 && place <= 22) || (place >= 30 && place <= 55);
}

const { width, height } = barcode;
/** So far from its colour a pixel of a line may be after coding. */
const TOLERANCE = 40;
/** So many of the pixels of a line have to have its colour. */
const SHARE = 0.8;

/** Decodes an H.264 byte stream and looks for barcodes and boxes. */
export async function burnedPictures(bytes: Buffer): Promise<BurnedPicture[]> {
  const output = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-fps_mode', 'passthrough', '-'];
  const args = ['-v', 'error', '-f', 'h264', '-i', '-', ...output];
  const child = spawn('ffmpeg', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(bytes);
  const planes = Buffer.concat(await child.stdout.toArray());
  const size = (width * height * 3) / 2;
  return Array.from({ length: planes.length / size }, (_, n) =>
    look(planes.subarray(n * size, (n + 1) * size)),
  );
}

function look(planes: Buffer): BurnedPicture {
  const { row, left, cell, bits } = barcode;
  const cells = Array.from(
    { length: bits },
    (_, bit) => planes[row * width + left + cell * bit + cell / 2]! > 128,
  );
  const number = cells.reduce((sum, white, bit) => sum + (white ? 2 ** bit : 0), 0);
  // As the plug-in of the algorithm has it.
  const x = Math.round((0.05 + (number % 100) / 200) * width);
  const line = lineAt(planes, x);
  return { number, line: line > 4 ? 0 : line, framed: isFramed(planes) };
}

/** Columns around `x` that have the colour of the box, over the middle of its height. */
function lineAt(planes: Buffer, x: number): number {
  const ink = inkOf(colourOf('barcode'), { fullRange: false, matrix: 'bt601' });
  const [top, bottom] = [Math.round(0.36 * height), Math.round(0.44 * height)];
  const columns = Array.from({ length: 9 }, (_, n) => {
    let count = 0;
    for (let y = top; y < bottom; y++) {
      if (Math.abs(planes[y * width + x - 4 + n]! - ink.y) <= TOLERANCE) count++;
    }
    return count >= SHARE * (bottom - top);
  });
  // What the picture itself has of this colour beside the line does not count.
  const from = columns.findIndex((is, n) => is && n >= 3);
  if (from < 0 || from > 5) return 0;
  const end = columns.findIndex((is, n) => n >= from && !is);
  return (end < 0 ? columns.length : end) - from;
}

/** Magenta on the left side of the frame of `examples/legacy-algorithm`. */
function isFramed(planes: Buffer): boolean {
  const [x, top, bottom] = [width / 4 + 4, (height * 7) / 12, (height * 9) / 12];
  let count = 0;
  for (let y = top; y < bottom; y += 2) {
    const at = (y / 2) * (width / 2) + x / 2;
    const chroma = (plane: number) => planes[width * height * (1 + plane / 4) + at]!;
    if (Math.abs(chroma(0) - 202) < 24 && Math.abs(chroma(1) - 222) < 24) count++;
  }
  return count > ((bottom - top) / 2) * SHARE;
}
