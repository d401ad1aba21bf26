import type { AudioFormat } from '#media/track.ts';

/** G.711 A-law, one byte a sample and channel (RFC 3551 section 4.5.14). */
export function pcmaFormat(sampleRate = 8000, channels = 1): AudioFormat {
  return { kind: 'audio', codec: 'pcma', sampleRate, channels, config: Buffer.alloc(0), codecString: 'pcma' };
}

/** G.711 µ-law, one byte a sample and channel. */
export function pcmuFormat(sampleRate = 8000, channels = 1): AudioFormat {
  return { kind: 'audio', codec: 'pcmu', sampleRate, channels, config: Buffer.alloc(0), codecString: 'pcmu' };
}
