import type { Track } from '#media/track.ts';
import type { ClientMessage, StreamMessage, TrackInfo, UnsupportedTrack } from './protocol.ts';

export type { ServerMessage, UnsupportedTrack } from './protocol.ts';

export function streamMessage(
  stream: string,
  tracks: readonly Track[],
  unsupported: readonly UnsupportedTrack[],
): StreamMessage {
  return {
    type: 'stream',
    stream,
    tracks: tracks.flatMap(describe),
    mime: mimeType(tracks),
    timescale: 90000,
    unsupported,
  };
}

function describe(track: Track): TrackInfo[] {
  const { id, format } = track;
  if (format.kind === 'data') return [];
  const { kind, codec, codecString } = format;
  return format.kind === 'video'
    ? [{ id, kind, codec, codecString, width: format.width, height: format.height }]
    : [{ id, kind, codec, codecString, sampleRate: format.sampleRate, channels: format.channels }];
}

function mimeType(tracks: readonly Track[]): string {
  const codecs = tracks.flatMap(describe).map((track) => track.codecString);
  if (codecs.length === 0) return '';
  const container = tracks.some(({ format }) => format.kind === 'video') ? 'video/mp4' : 'audio/mp4';
  return `${container}; codecs="${codecs.join(',')}"`;
}

/** Reads a message of the page; undefined for what is none. */
export function parseClientMessage(text: string): ClientMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
  if (value.type === 'pause' || value.type === 'resume') return { type: value.type };
  if (value.type === 'ping' && 't' in value && typeof value.t === 'number')
    return { type: 'ping', t: value.t };
  return undefined;
}
