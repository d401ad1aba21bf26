import { makesPictures } from '#media/rendition-request.ts';
import type { Conversion, Converter } from './converter.ts';
import { PictureConverter } from './picture-converter.ts';
import { SoundConverter } from './sound-converter.ts';

/**
 * What makes the track that is requested.
 * @throws {NamedError} RENDITION_UNSUPPORTED for wishes that no source could meet
 */
export function converterFor(conversion: Conversion): Converter {
  return makesPictures(conversion.request.codec)
    ? new PictureConverter(conversion)
    : new SoundConverter(conversion);
}
