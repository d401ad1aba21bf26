import type { AudioFormat, AudioTrack } from '#media/track.ts';
import { aacFrameDuration, parseAacConfig } from './aac.ts';
import { opusPacketDuration } from './opus.ts';

/** One `raw_data_block` of AAC LC without any spectral data (ISO/IEC 14496-3 §4.4.2.1), for one and two channels. */
const AAC_MONO = Buffer.from('00c800802380', 'hex');
const AAC_STEREO = Buffer.from('210049900219002380', 'hex');
/** A CELT packet of 20 ms that decodes to silence (RFC 6716 §3.1), for one and two channels. */
const OPUS_MONO = Buffer.from('f8fffe', 'hex');
const OPUS_STEREO = Buffer.from('fcfffe', 'hex');

/** Bytes of G.711 that are a sample of nothing (ITU-T G.711 tables 1a and 2a). */
const G711 = { pcma: 0xd5, pcmu: 0xff } as const;
/** What a packet of G.711 usually lasts: a fiftieth of a second. */
const G711_PER_SECOND = 50;

/** Something that sounds like nothing in the format of a track, and its ticks; undefined where none is known. */
export function silence({
  format,
  clockRate,
}: AudioTrack): { readonly payload: Buffer; readonly duration: number } | undefined {
  if (format.codec === 'pcma' || format.codec === 'pcmu') {
    const duration = Math.round(format.sampleRate / G711_PER_SECOND);
    return { payload: Buffer.alloc(duration * format.channels, G711[format.codec]), duration };
  }
  const payload = silentFrame(format);
  if (!payload) return undefined;
  const duration =
    format.codec === 'opus' ? opusPacketDuration(payload) : aacFrameDuration(format, clockRate);
  return { payload, duration };
}

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
