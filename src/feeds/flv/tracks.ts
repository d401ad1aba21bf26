import { isKnown, unsupportedInFlv } from '#containers/flv/write.ts';
import type { Stream } from '#hub/stream.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';

/**
 * What of a stream goes into FLV: its first video and its first audio track that can.
 * @throws NamedError CODEC_UNSUPPORTED
 */
export function selectFlvTracks(stream: Pick<Stream, 'name' | 'tracks'>): Track[] {
  const { name, tracks } = stream;
  const fits = (track: Track) => reasonAgainst(track) === undefined;
  const chosen = [
    tracks.find((track) => isVideo(track) && fits(track)),
    tracks.find((track) => isAudio(track) && fits(track)),
  ].filter((track) => track !== undefined);
  if (chosen.length > 0) return chosen;
  const reasons = tracks.map((track) => reasonAgainst(track)).join(' ');
  throw new NamedError('CODEC_UNSUPPORTED', `The stream "${name}" has nothing for FLV. ${reasons}`, 415);
}

function reasonAgainst(track: Track): string | undefined {
  if (track.format.codec === 'aac' && !isKnown(track)) {
    return 'The publisher has not said how its AAC is coded (no AudioSpecificConfig in its description).';
  }
  return unsupportedInFlv(track);
}
