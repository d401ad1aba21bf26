import type { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { isReordered } from '#feeds/webrtc/is-reordered.ts';
import type { Rendition, RenditionCodec } from '#hub/rendition.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import { type OfferSection, sendingSection } from '#protocols/sdp/webrtc-client-offer.ts';
import { NamedError } from '#util/named-error.ts';

/** A track that is published elsewhere, and how it is offered. */
export interface SentTrack {
  /** As it is sent: the stream's own, or a rendition of that. */
  readonly track: Track;
  readonly ssrc: number;
  readonly section: OfferSection;
}

/**
 * The picture and the sound of a stream, as WebRTC can carry them; what it cannot is made what it can. Nothing is left
 * out: a forward without its sound would be found out too late.
 * @param hold is given each rendition before it is waited for, and releases it at the end
 * @throws NamedError FORWARD_CODEC_UNSUPPORTED, RENDITION_FAILED
 */
export async function sentTracks(
  stream: Stream,
  sequences: RtpSequences,
  hold: (rendition: Rendition) => void,
): Promise<SentTrack[]> {
  const chosen = (['video', 'audio'] as const).flatMap(
    (kind) => stream.tracks.find(({ format }) => format.kind === kind) ?? [],
  );
  if (chosen.length === 0) {
    const sentence = `The stream "${stream.name}" has neither picture nor sound.`;
    throw new NamedError('FORWARD_CODEC_UNSUPPORTED', sentence, 415);
  }
  const renditions = chosen.map((track) => {
    const codec = conversionOf(stream, track);
    if (codec === undefined) return Promise.resolve(track);
    const rendition = stream.acquireRendition(track.id, codec);
    hold(rendition);
    return rendition.track;
  });
  const made = await Promise.all(renditions);
  return made.flatMap((track) => {
    const ssrc = sequences.ssrc(stream, track.id);
    const section = sendingSection(track, { ssrc, cname: stream.name });
    return section ? [{ track, ssrc, section }] : [];
  });
}

/** What a track has to be made so that it can travel; undefined where it can as it is. */
export function conversionOf(stream: Stream, track: Track): RenditionCodec | undefined {
  const canTravel = sendingSection(track, { ssrc: 0, cname: '' }) !== undefined;
  if (canTravel && !isReordered(stream, track)) return undefined;
  return track.format.kind === 'audio' ? 'opus' : 'h264';
}
