import { NamedError } from '#util/named-error.ts';

/** Widths that can be asked for, pixels: few, so that many who ask share what is made. */
const WIDTHS = [64, 128, 160, 240, 320, 480, 640, 800, 960, 1280, 1600, 1920];
const MAX_FPS = 10;
const STANDARD_FPS = 5;

/**
 * `?width=`, pixels; undefined where it is left out.
 * @throws NamedError PICTURES_WIDTH_INVALID
 */
export function wantedWidth(query: URLSearchParams): number | undefined {
  const text = query.get('width');
  if (text === null) return undefined;
  const width = WIDTHS.find((one) => String(one) === text);
  if (width !== undefined) return width;
  throw new NamedError(
    'PICTURES_WIDTH_INVALID',
    `"width" must be one of ${WIDTHS.join(', ')}; leave it out for pictures as wide as the video.`,
  );
}

/**
 * `?fps=`, pictures a second.
 * @throws NamedError PICTURES_FPS_INVALID
 */
export function wantedFps(query: URLSearchParams): number {
  const text = query.get('fps') ?? String(STANDARD_FPS);
  const fps = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (fps >= 1 && fps <= MAX_FPS) return fps;
  throw new NamedError(
    'PICTURES_FPS_INVALID',
    `"fps" must be a whole number from 1 to ${MAX_FPS}; leave it out for ${STANDARD_FPS} pictures a second.`,
  );
}
