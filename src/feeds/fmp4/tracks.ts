import { unsupportedReason } from '#containers/fmp4/sample-entry.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';

/** A track that is not sent, and why, for people. */
export interface UnsupportedTrack {
  readonly kind: string;
  readonly codec: string;
  readonly reason: string;
}

/** What of a stream goes to players of fragmented MP4: its first video and its first audio track. */
export interface Selection {
  /** Tracks that are written as they are. */
  readonly tracks: readonly Track[];
  /** Sound that has to be made AAC first. */
  readonly convert: Track | undefined;
  readonly unsupported: readonly UnsupportedTrack[];
}

/** Sound that fMP4 does not carry here, or no browser plays in it. */
const MADE_AAC: ReadonlySet<string> = new Set(['pcma', 'pcmu', 'mp3']);

/** @param refuse why a track that fMP4 carries is left out all the same; undefined for one that is not */
export function selectTracks(
  tracks: readonly Track[],
  refuse: (track: Track) => string | undefined = () => undefined,
): Selection {
  const direct: Track[] = [];
  const unsupported: UnsupportedTrack[] = [];
  let convert: Track | undefined;
  for (const track of [tracks.find(isVideo), tracks.find(isAudio)]) {
    if (!track) continue;
    const { codec } = track.format;
    const reason = MADE_AAC.has(codec) ? undefined : (reasonAgainst(track) ?? refuse(track));
    if (reason) unsupported.push(unsupportedTrack(track, reason));
    else if (MADE_AAC.has(codec)) convert = track;
    else direct.push(track);
  }
  return { tracks: direct, convert, unsupported };
}

export function unsupportedTrack(track: Track, reason: string): UnsupportedTrack {
  return { kind: track.format.kind, codec: track.format.codec, reason };
}

function reasonAgainst(track: Track): string | undefined {
  if (track.format.kind === 'audio' && track.format.codec === 'aac' && track.format.config.length === 0) {
    return 'The publisher has not said how its AAC is coded (no AudioSpecificConfig in its description).';
  }
  return unsupportedReason(track);
}

/**
 * Why a track is not for pages, though fMP4 carries it: most browsers have no decoder for AC-3, and one track that it
 * cannot play keeps a page from playing the other.
 */
export function unplayableInPages(track: Track): string | undefined {
  if (track.format.codec !== 'ac3') return undefined;
  return 'Most browsers do not play AC-3. Listen over HLS, RTSP or FLV, or let the publisher send AAC or Opus.';
}
