import { parseH264Sps } from '#codecs/h264.ts';
import { parseH265Sps } from '#codecs/h265.ts';
import type { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import type { Stream } from '#hub/stream.ts';
import { isVideo, type Track } from '#media/track.ts';
import { type OfferSection, sendingSection } from '#protocols/sdp/webrtc-client-offer.ts';
import { NamedError } from '#util/named-error.ts';

/** A track that is published elsewhere, and how it is offered. */
export interface SentTrack {
  readonly track: Track;
  readonly ssrc: number;
  readonly section: OfferSection;
}

/**
 * The picture and the sound of a stream, as WebRTC can carry them. What it cannot carry is refused and not left out: a
 * forward without its sound would be found out too late.
 * @throws NamedError FORWARD_CODEC_UNSUPPORTED
 */
export function sentTracks(stream: Stream, sequences: RtpSequences): SentTrack[] {
  const { name, tracks } = stream;
  const chosen = (['video', 'audio'] as const).flatMap(
    (kind) => tracks.find(({ format }) => format.kind === kind) ?? [],
  );
  return chosen
    .toSorted((a, b) => a.id - b.id)
    .map((track) => {
      const ssrc = sequences.ssrc(stream, track.id);
      const section = sendingSection(track, { ssrc, cname: name });
      if (!section) throw unsupported(name, `${track.format.codec}, which WebRTC does not know`);
      if (reorders(track))
        throw unsupported(name, 'pictures in another order than they are shown (B-frames)');
      return { track, ssrc, section };
    });
}

/** Whether decoding order may differ from the order of display, as the parameter sets say it. */
function reorders(track: Track): boolean {
  if (!isVideo(track)) return false;
  const { codec, parameterSets } = track.format;
  const [first, second] = parameterSets;
  const info =
    codec === 'h264' && first
      ? parseH264Sps(first)
      : codec === 'h265' && second
        ? parseH265Sps(second)
        : undefined;
  return (info?.maxReorderFrames ?? 0) > 0;
}

function unsupported(name: string, what: string): NamedError {
  return new NamedError(
    'FORWARD_CODEC_UNSUPPORTED',
    `The stream "${name}" has ${what}. Over WHIP go H.264 and H.265 without B-frames, Opus and G.711; forward it over RTSP.`,
    415,
  );
}
