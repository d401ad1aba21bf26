import type { StreamMessage } from './protocol.ts';

/** Why a stream, or part of it, cannot be played here. */
export type Unplayable =
  /** This browser has no decoder for it. */
  | { readonly kind: 'browser'; readonly media: 'video' | 'audio'; readonly codec: string }
  /** The browser has no Media Source Extensions at all. */
  | { readonly kind: 'no-mse' };

const names: Readonly<Record<string, string>> = {
  h264: 'H.264',
  h265: 'H.265',
  av1: 'AV1',
  vp8: 'VP8',
  vp9: 'VP9',
  mjpeg: 'Motion JPEG',
  mpeg4: 'MPEG-4 Part 2',
  aac: 'AAC',
  opus: 'Opus',
  ac3: 'AC-3',
  pcma: 'G.711 A-law',
  pcmu: 'G.711 µ-law',
  mp3: 'MP3',
};

/** What people call a codec. */
export function codecName(codec: string): string {
  return names[codec] ?? codec;
}

/** What of the stream the browser cannot play; undefined where it can play it. */
export function unplayable(
  message: StreamMessage,
  isTypeSupported: ((type: string) => boolean) | undefined,
): Unplayable | undefined {
  if (!isTypeSupported) return { kind: 'no-mse' };
  if (message.tracks.length === 0) {
    // Nothing of it fits into fMP4; the server said which.
    const first = message.unsupported.find((track) => track.kind === 'video') ?? message.unsupported[0];
    if (!first) return undefined;
    return {
      kind: 'browser',
      media: first.kind === 'audio' ? 'audio' : 'video',
      codec: codecName(first.codec),
    };
  }
  if (isTypeSupported(message.mime)) return undefined;
  for (const track of message.tracks) {
    if (!isTypeSupported(`${track.kind}/mp4; codecs="${track.codecString}"`)) {
      return { kind: 'browser', media: track.kind, codec: codecName(track.codec) };
    }
  }
  const first = message.tracks[0];
  return {
    kind: 'browser',
    media: first?.kind === 'audio' ? 'audio' : 'video',
    codec: codecName(first?.codec ?? ''),
  };
}
