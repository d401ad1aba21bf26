import { isAudio, isVideo, type Track } from '#media/track.ts';
import type { IceCredentials } from '../ice/agent.ts';
import type { IceCandidate } from '../ice/candidate.ts';
import { formatLines, rejectedLines, sessionLines, transportLines } from './webrtc-lines.ts';
import type { OfferedFormat, OfferedMedia, WebRtcOffer } from './webrtc-offer.ts';

/** A track that goes to the browser, in which media section and as which payload type. */
export interface AnsweredTrack {
  readonly track: Track;
  readonly mid: string;
  readonly format: OfferedFormat;
}

/**
 * Which tracks a browser can take: the first of each kind that it offers a format for, one for each media section.
 */
export function matchTracks(offer: WebRtcOffer, tracks: readonly Track[]): AnsweredTrack[] {
  const chosen: AnsweredTrack[] = [];
  for (const media of offer.medias) {
    if (media.direction !== 'recvonly' && media.direction !== 'sendrecv') continue;
    for (const track of tracks) {
      if (track.format.kind !== media.kind || chosen.some((other) => other.track === track)) continue;
      const format = formatFor(track, media);
      if (!format) continue;
      chosen.push({ track, mid: media.mid, format });
      break;
    }
  }
  return chosen;
}

function formatFor(track: Track, media: OfferedMedia): OfferedFormat | undefined {
  const named = (name: string) => media.formats.filter(({ encodingName }) => encodingName === name);
  const { format } = track;
  switch (format.codec) {
    case 'h264': {
      // Fragmented NAL units need mode 1. Browsers decode every profile they can whatever was agreed on, so where the
      // stream's own is not offered, the first that is offered will do.
      const formats = named('H264').filter(({ fmtp }) => fmtp.get('packetization-mode') === '1');
      const profile = /^avc1\.([0-9a-f]{2})/i
        .exec(isVideo(track) ? track.format.codecString : '')?.[1]
        ?.toLowerCase();
      const same = formats.find(({ fmtp }) =>
        (fmtp.get('profile-level-id') ?? '').toLowerCase().startsWith(profile ?? '-'),
      );
      return same ?? formats[0];
    }
    case 'h265':
      return named('H265')[0];
    case 'opus':
      return named('OPUS').find(({ clockRate }) => clockRate === 48_000);
    case 'pcma':
    case 'pcmu': {
      if (track.clockRate !== 8000 || !isAudio(track) || track.format.channels !== 1) return undefined;
      return named(format.codec.toUpperCase()).find(({ clockRate }) => clockRate === 8000);
    }
    default:
      return undefined;
  }
}

export interface WebRtcAnswerOptions {
  readonly offer: WebRtcOffer;
  /** What is sent; other sections are refused. */
  readonly tracks: readonly (AnsweredTrack & { readonly ssrc: number })[];
  readonly ice: IceCredentials;
  /** SHA-256 of our certificate, in hex pairs with colons. */
  readonly fingerprint: string;
  readonly candidates: readonly IceCandidate[];
  readonly cname: string;
}

/** Feedback of viewers that we understand. */
const FEEDBACK = /^(nack|nack pli|ccm fir)$/;

/** The answer of a server that only sends: ICE lite, DTLS passive, everything in one bundle (RFC 8829). */
export function buildWebRtcAnswer(options: WebRtcAnswerOptions): string {
  const { offer, tracks } = options;
  const of = (media: OfferedMedia) => tracks.find(({ mid }) => mid === media.mid);
  const mids = offer.medias.filter(of).map(({ mid }) => mid);
  const lines = [...sessionLines(mids), 'a=ice-lite', 'a=msid-semantic: WMS sluice'];
  for (const media of offer.medias) {
    const answered = of(media);
    if (!answered) {
      lines.push(...rejectedLines(media));
      continue;
    }
    lines.push(
      `m=${media.kind} 9 ${media.protocol} ${answered.format.payloadType}`,
      'c=IN IP4 0.0.0.0',
      ...transportLines({ ...options, setup: 'passive' }),
      `a=mid:${media.mid}`,
      'a=sendonly',
      'a=rtcp-mux',
      'a=rtcp-rsize',
      ...formatLines(answered.format, { parameters: stereo(answered.track), feedback: FEEDBACK }),
      `a=msid:sluice ${media.mid}`,
      `a=ssrc:${answered.ssrc} cname:${options.cname}`,
    );
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** Without it a browser plays the left channel only (RFC 7587 section 7). */
function stereo({ format }: Track): readonly string[] {
  const isStereo = format.kind === 'audio' && format.codec === 'opus' && format.channels > 1;
  return isStereo ? ['stereo=1', 'sprop-stereo=1'] : [];
}
