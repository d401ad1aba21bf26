import { makesPictures } from '#media/rendition-request.ts';
import { NamedError } from '#util/named-error.ts';
import type { Converter, RenditionSpec } from './converter.ts';
import { PictureConverter } from './picture-converter.ts';
import { SoundConverter } from './sound-converter.ts';

/**
 * What makes the track that is requested.
 * @throws {NamedError} RENDITION_UNSUPPORTED
 */
export function converterFor(spec: RenditionSpec): Converter {
  const { codec } = spec.request;
  if (makesPictures(codec)) {
    if (codec === 'h264') return new PictureConverter(spec);
  } else if (codec === 'aac' || codec === 'opus') {
    return new SoundConverter(spec, codec);
  }
  throw new NamedError('RENDITION_UNSUPPORTED', `There is no encoder for ${codec} here.`, 415);
}
