import { makesPictures } from '#media/rendition-request.ts';
import { NamedError } from '#util/named-error.ts';
import type { Burner } from './burn-in/burner.ts';
import type { Converter, RenditionSpec } from './converter.ts';
import { PictureConverter } from './picture-converter.ts';
import { SoundConverter } from './sound-converter.ts';

/**
 * What makes the track that is requested.
 * @param burner what is drawn into its pictures, and how long they wait for it
 * @throws {NamedError} RENDITION_UNSUPPORTED
 */
export function converterFor(spec: RenditionSpec, burner?: Burner): Converter {
  const { codec } = spec.request;
  if (makesPictures(codec)) {
    if (codec === 'h264') return new PictureConverter(spec, burner);
  } else if (codec === 'aac' || codec === 'opus') {
    return new SoundConverter(spec, codec);
  }
  throw new NamedError('RENDITION_UNSUPPORTED', `There is no encoder for ${codec} here.`, 415);
}
