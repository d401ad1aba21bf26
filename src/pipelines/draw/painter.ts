import type { DrawnBox } from '#algorithms/overlay/boxes.ts';
import { placeLabels } from '#algorithms/overlay/label-layout.ts';
import { colourOf } from '#algorithms/overlay/palette.ts';
import { fillRect, inkOf, type PixelRect, strokeRect, type Yuv420 } from './planes.ts';
import { Lettering } from './text.ts';

/** Lines and letters are made for pictures of this height, and grow with larger ones, pixels. */
const DESIGNED_FOR = 540;
/** A box that was measured on this picture, and one that was worked out from others. */
const MEASURED_LINE = 3;
const OTHER_LINE = 1;
const CAPITALS = 9;
const SHADE = '#080a0e';
const EDGE_OPACITY = 0.45;
const PLATE_OPACITY = 0.65;
const CLOCK_COLOUR = '#ffffff';

/** What is drawn on one picture. */
export interface Overlay {
  readonly boxes: readonly DrawnBox[];
  /** Boxes have their labels and scores beside them. */
  readonly labels: boolean;
  /** Stands in the lower right corner. */
  readonly clock?: string;
}

/**
 * Draws boxes as the page does: in the colours of their labels, those measured on this very picture thick, all others thin;
 * labels outside of their boxes, and left out where there is no place. Costs about what its lines and letters cover.
 */
export class Painter {
  #lettering: { readonly capitals: number; readonly letters: Lettering } | undefined;

  /** @param picture is changed */
  draw(picture: Yuv420, { boxes, labels, clock }: Overlay): void {
    const scale = Math.max(1, Math.min(picture.width, picture.height) / DESIGNED_FOR);
    const rects = boxes.map(({ box }) => pixelsOf(box, picture));
    const shade = inkOf(SHADE, picture);
    const edge = Math.round(scale);
    boxes.forEach(({ label, origin }, n) => {
      const rect = rects[n]!;
      const line = Math.floor((origin === 'measured' ? MEASURED_LINE : OTHER_LINE) * scale);
      strokeRect(picture, rect, line + 2 * edge, shade, EDGE_OPACITY);
      strokeRect(picture, rect, line, inkOf(colourOf(label), picture));
    });
    const letters = this.#letters(Math.round(CAPITALS * scale));
    if (labels) {
      const texts = boxes.map(({ label, score }) => `${label} ${Math.round(score * 100)}%`);
      const requests = texts.map((text, n) => ({
        box: rects[n]!,
        width: letters.width(text) + 2 * edge,
        height: letters.height,
      }));
      placeLabels(requests, picture).forEach((place, n) => {
        if (place) plate(picture, letters, texts[n]!, place, edge, colourOf(boxes[n]!.label));
      });
    }
    if (clock === undefined) return;
    const width = letters.width(clock) + 2 * edge;
    const margin = Math.round(4 * scale);
    const place = { x: picture.width - width - margin, y: picture.height - letters.height - margin };
    plate(picture, letters, clock, { ...place, width, height: letters.height }, edge, CLOCK_COLOUR);
  }

  #letters(capitals: number): Lettering {
    if (this.#lettering?.capitals !== capitals) {
      this.#lettering = { capitals, letters: new Lettering(capitals) };
    }
    return this.#lettering.letters;
  }
}

function plate(
  picture: Yuv420,
  letters: Lettering,
  text: string,
  place: PixelRect,
  margin: number,
  colour: string,
): void {
  const [x, y] = [Math.round(place.x), Math.round(place.y)];
  fillRect(picture, { ...place, x, y }, inkOf(SHADE, picture), PLATE_OPACITY);
  letters.draw(picture, text, x + margin, y, inkOf(colour, picture));
}

function pixelsOf(box: DrawnBox['box'], { width, height }: Yuv420): PixelRect {
  const x = Math.round(box[0] * width);
  const y = Math.round(box[1] * height);
  return { x, y, width: Math.round(box[2] * width), height: Math.round(box[3] * height) };
}
