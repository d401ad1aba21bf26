import type { StreamMessage } from './protocol.ts';

/** What of a stream cannot be played here. */
export interface Unplayable {
  readonly media: 'video' | 'audio';
  /** As people call it. */
  readonly codec: string;
}

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

const families: readonly (readonly [prefix: string, codec: string])[] = [
  ['avc', 'h264'],
  ['hvc', 'h265'],
  ['hev', 'h265'],
  ['av01', 'av1'],
  ['vp08', 'vp8'],
  ['vp09', 'vp9'],
  ['mp4a.40', 'aac'],
  ['opus', 'opus'],
  ['ac-3', 'ac3'],
];

/** The codec of an RFC 6381 name, by the word the API has for it. */
export function codecOf(codecString: string): string {
  const name = codecString.toLowerCase();
  return families.find(([prefix]) => name.startsWith(prefix))?.[1] ?? codecString;
}

/** What of the stream the browser cannot play; undefined where it can play it. */
export function unplayable(
  message: StreamMessage,
  isTypeSupported: (type: string) => boolean,
): Unplayable | undefined {
  if (message.tracks.length === 0) {
    // Nothing of it fits into fMP4; the server said which.
    const first = message.unsupported.find((track) => track.kind === 'video') ?? message.unsupported[0];
    if (!first) return undefined;
    return { media: first.kind === 'audio' ? 'audio' : 'video', codec: codecName(first.codec) };
  }
  if (isTypeSupported(message.mime)) return undefined;
  for (const track of message.tracks) {
    if (!isTypeSupported(`${track.kind}/mp4; codecs="${track.codecString}"`)) {
      return { media: track.kind, codec: codecName(track.codec) };
    }
  }
  const first = message.tracks[0];
  return { media: first?.kind === 'audio' ? 'audio' : 'video', codec: codecName(first?.codec ?? '') };
}
