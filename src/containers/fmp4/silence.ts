import { parseAacConfig } from '#codecs/aac.ts';
import type { AudioFormat } from '#media/track.ts';

/** One `raw_data_block` of AAC LC without any spectral data (ISO/IEC 14496-3 §4.4.2.1), for one and two channels. */
const AAC_MONO = Buffer.from('00c800802380', 'hex');
const AAC_STEREO = Buffer.from('210049900219002380', 'hex');
/** A CELT packet of 20 ms that decodes to silence (RFC 6716 §3.1), for one and two channels. */
const OPUS_MONO = Buffer.from('f8fffe', 'hex');
const OPUS_STEREO = Buffer.from('fcfffe', 'hex');

/** A frame that sounds like nothing, at the place of sound that is missing; undefined where none is known. */
export function silentFrame(format: AudioFormat): Buffer | undefined {
  if (format.channels !== 1 && format.channels !== 2) return undefined;
  const mono = format.channels === 1;
  if (format.codec === 'opus') return mono ? OPUS_MONO : OPUS_STEREO;
  const lowComplexity = 2;
  const plain = format.codec === 'aac' && parseAacConfig(format.config)?.objectType === lowComplexity;
  if (!plain) return undefined;
  return mono ? AAC_MONO : AAC_STEREO;
}
