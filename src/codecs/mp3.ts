import type { AudioFormat } from '#media/track.ts';

const RATES = [44_100, 48_000, 32_000];

/** What the header of an MPEG audio layer III frame says (ISO/IEC 11172-3 section 2.4.2.3); undefined for any other. */
export function parseMp3Header(
  frame: Buffer,
): { readonly sampleRate: number; readonly channels: number; readonly samples: number } | undefined {
  if (frame.length < 4 || frame[0] !== 0xff || (frame[1]! & 0xe0) !== 0xe0) return undefined;
  const version = (frame[1]! >> 3) & 3;
  const layer = (frame[1]! >> 1) & 3;
  const rate = RATES[(frame[2]! >> 2) & 3];
  if (version === 1 || layer !== 1 || rate === undefined) return undefined;
  const isFirst = version === 3;
  return {
    sampleRate: rate / (isFirst ? 1 : version === 2 ? 2 : 4),
    channels: frame[3]! >> 6 === 3 ? 1 : 2,
    samples: isFirst ? 1152 : 576,
  };
}

export function mp3Format(sampleRate: number, channels: number): AudioFormat {
  return { kind: 'audio', codec: 'mp3', sampleRate, channels, config: Buffer.alloc(0), codecString: 'mp3' };
}
