import type { FrameSize } from '#algorithms/contract.ts';

/** The size in which an algorithm wants a picture; width and height in pixels. */
export function scaledSize(
  size: FrameSize,
  width: number,
  height: number,
): { readonly width: number; readonly height: number } {
  switch (size.kind) {
    case 'source':
      return { width, height };
    case 'fixed':
      return { width: size.width, height: size.height };
    case 'aspect':
      return {
        width: roundUp(size.width, size.multiple),
        height: roundUp((size.width * height) / width, size.multiple),
      };
  }
}

function roundUp(value: number, multiple: number): number {
  return Math.max(1, Math.ceil(value / multiple)) * multiple;
}
