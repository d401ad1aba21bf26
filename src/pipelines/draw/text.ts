import { ASCENT, CAPITAL_HEIGHT, DESCENT, GLYPHS, SPACE, SPACING, STROKE, UNKNOWN_GLYPH } from './glyphs.ts';
import { fillMask, type Ink, type Mask, type Yuv420 } from './planes.ts';

interface Glyph {
  /** How much of each pixel is covered, 0 to 255; rows as high as a line. */
  readonly covers: Uint8Array;
  readonly width: number;
  /** From its left edge to that of the next one, pixels. */
  readonly advance: number;
}

/** Longer texts are cut: a label is no place for a novel, and its width has to stay within reason. */
const LONGEST = 64;
/** So many texts are kept ready: labels come again with the next picture. */
const READY = 128;

/**
 * The built-in letters in one size: Latin letters, digits and signs of ASCII. Letters with accents lose them, and what there
 * is no glyph for is an empty box.
 */
export class Lettering {
  /** Of a line, pixels, even. */
  readonly height: number;
  readonly #unit: number;
  readonly #glyphs = new Map<string, Glyph>();
  /** The one that was used last comes last. */
  readonly #texts = new Map<string, Mask>();

  /** @param capitals height of capital letters, pixels */
  constructor(capitals: number) {
    this.#unit = capitals / CAPITAL_HEIGHT;
    this.height = even((CAPITAL_HEIGHT + ASCENT + DESCENT) * this.#unit);
  }

  /** Pixels. */
  width(text: string): number {
    return this.#mask(text).width;
  }

  /** @param x left edge. @param y top of the line; both go to the next even pixel */
  draw(picture: Yuv420, text: string, x: number, y: number, ink: Ink): void {
    fillMask(picture, this.#mask(text), even(x), even(y), ink);
  }

  #mask(text: string): Mask {
    const known = this.#texts.get(text);
    this.#texts.delete(text);
    const mask = known ?? this.#compose(plain(text));
    this.#texts.set(text, mask);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > READY && oldest !== undefined) this.#texts.delete(oldest);
    return mask;
  }

  #compose(text: string): Mask {
    let end = 0;
    for (const character of text) end += this.#advance(character);
    const width = even(end + 1);
    const luma = new Uint8Array(width * this.height);
    let at = 0;
    for (const character of text) {
      if (character !== ' ') {
        const glyph = this.#glyph(character);
        const left = Math.round(at);
        for (let row = 0; row < this.height; row++) {
          const covers = glyph.covers.subarray(row * glyph.width, (row + 1) * glyph.width);
          luma.set(covers.subarray(0, width - left), row * width + left);
        }
      }
      at += this.#advance(character);
    }
    return { width, luma, chroma: quarter(luma, width) };
  }

  #advance(character: string): number {
    return character === ' ' ? SPACE * this.#unit : this.#glyph(character).advance;
  }

  #glyph(character: string): Glyph {
    // All that have no glyph share one, so there are never more than there are letters.
    const known = character in GLYPHS ? character : '';
    let glyph = this.#glyphs.get(known);
    if (!glyph) this.#glyphs.set(known, (glyph = this.#make(GLYPHS[known] ?? UNKNOWN_GLYPH)));
    return glyph;
  }

  #make(strokes: string): Glyph {
    const unit = this.#unit;
    const lines = strokes.split(';').map((stroke) =>
      stroke.split(' ').map((point) => {
        const [x, y] = point.split(',').map(Number) as [number, number];
        return { x: (x + SPACING / 2) * unit, y: (y + ASCENT) * unit };
      }),
    );
    const right = Math.max(...lines.flat().map(({ x }) => x)) + (SPACING / 2) * unit;
    const width = Math.ceil(right);
    const covers = new Uint8Array(width * this.height);
    const reach = (STROKE * unit) / 2;
    for (let row = 0; row < this.height; row++) {
      for (let column = 0; column < width; column++) {
        let distance = Number.POSITIVE_INFINITY;
        for (const line of lines) {
          for (let n = 1; n < line.length; n++) {
            distance = Math.min(distance, away(column + 0.5, row + 0.5, line[n - 1]!, line[n]!));
          }
        }
        covers[row * width + column] = Math.round(255 * Math.min(1, Math.max(0, reach - distance + 0.5)));
      }
    }
    return { covers, width, advance: right };
  }
}

/** Covers of two by two pixels together. */
function quarter(covers: Uint8Array, width: number): Uint8Array {
  const quarters = new Uint8Array(covers.length / 4);
  for (let n = 0; n < quarters.length; n++) {
    const at = Math.floor((2 * n) / width) * 2 * width + ((2 * n) % width);
    const sum = covers[at]! + covers[at + 1]! + covers[at + width]! + covers[at + width + 1]!;
    quarters[n] = Math.round(sum / 4);
  }
  return quarters;
}

function even(value: number): number {
  return 2 * Math.ceil(value / 2);
}

/** The characters that are drawn. */
function plain(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').replaceAll(/\s+/gu, ' ').slice(0, LONGEST);
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Distance of a point from a line between two others. */
function away(x: number, y: number, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / length));
  return Math.hypot(x - a.x - share * dx, y - a.y - share * dy);
}
