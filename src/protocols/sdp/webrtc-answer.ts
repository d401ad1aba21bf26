import { vp9Profile } from '#codecs/vp9.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
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
    case 'vp8':
      return named('VP8')[0];
    case 'vp9':
      // The bit depth and the subsampling of a profile are nothing that a decoder of another one can do (RFC 9628 section
      // 7). Before the first keyframe the usual one is assumed.
      return ofProfile(named('VP9'), 'profile-id', isVideo(track) ? vp9Profile(track.format) : undefined);
    case 'av1': {
      const profile = /^av01\.(\d)\./.exec(isVideo(track) ? track.format.codecString : '')?.[1];
      return ofProfile(named('AV1'), 'profile', profile === undefined ? undefined : Number(profile));
    }
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

/** The first format whose parameter names this profile; one that is not named, offered or wanted, is 0. */
function ofProfile(
  formats: readonly OfferedFormat[],
  parameter: string,
  profile = 0,
): OfferedFormat | undefined {
  return formats.find(({ fmtp }) => Number(fmtp.get(parameter) ?? 0) === profile);
}

export interface WebRtcAnswerOptions {
  readonly offer: WebRtcOffer;
  /** What is sent; other sections are refused. */
  readonly tracks: readonly (AnsweredTrack & { readonly ssrc: number })[];
  readonly ice: { readonly ufrag: string; readonly password: string };
  /** SHA-256 of our certificate, in hex pairs with colons. */
  readonly fingerprint: string;
  readonly candidates: readonly { readonly address: string; readonly port: number }[];
  readonly cname: string;
}

/** The answer of a server that only sends: ICE lite, DTLS passive, everything in one bundle (RFC 8829). */
export function buildWebRtcAnswer(options: WebRtcAnswerOptions): string {
  const { offer, tracks, ice, fingerprint } = options;
  const of = (media: OfferedMedia) => tracks.find(({ mid }) => mid === media.mid);
  const mids = offer.medias.filter(of).map(({ mid }) => mid);
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mids.join(' ')}`,
    'a=ice-lite',
    'a=msid-semantic: WMS sluice',
  ];
  for (const media of offer.medias) {
    const answered = of(media);
    if (!answered) {
      const type = media.formats[0]?.payloadType ?? 0;
      lines.push(
        `m=${media.kind} 0 ${media.protocol} ${media.kind === 'application' ? 'webrtc-datachannel' : type}`,
      );
      lines.push('c=IN IP4 0.0.0.0', 'a=inactive', `a=mid:${media.mid}`);
      continue;
    }
    lines.push(
      `m=${media.kind} 9 ${media.protocol} ${answered.format.payloadType}`,
      'c=IN IP4 0.0.0.0',
      `a=ice-ufrag:${ice.ufrag}`,
      `a=ice-pwd:${ice.password}`,
      `a=fingerprint:sha-256 ${fingerprint}`,
      'a=setup:passive',
      `a=mid:${media.mid}`,
      'a=sendonly',
      'a=rtcp-mux',
      'a=rtcp-rsize',
      ...formatLines(answered),
      `a=msid:sluice ${media.mid}`,
      `a=ssrc:${answered.ssrc} cname:${options.cname}`,
    );
    // All sections share the transport of the first; its candidates are enough, and harmless in the others.
    options.candidates.forEach(({ address, port }, i) => {
      lines.push(`a=candidate:${i + 1} 1 udp ${2_130_706_431 - i} ${address} ${port} typ host`);
    });
    lines.push('a=end-of-candidates');
  }
  return `${lines.join('\r\n')}\r\n`;
}

function formatLines({ track, format }: AnsweredTrack): string[] {
  const { payloadType, encodingName, clockRate, channels, fmtp, feedback } = format;
  const name = encodingName === 'OPUS' ? 'opus' : encodingName;
  const parameters = [...fmtp].map(([key, value]) => (value === '' ? key : `${key}=${value}`));
  if (track.format.codec === 'opus' && track.format.kind === 'audio' && track.format.channels > 1) {
    // Without it a browser plays the left channel only (RFC 7587 section 7).
    parameters.push('stereo=1', 'sprop-stereo=1');
  }
  const understood = feedback.filter((value) => /^(nack|nack pli|ccm fir)$/.test(value));
  return [
    `a=rtpmap:${payloadType} ${name}/${clockRate}${channels > 1 ? `/${channels}` : ''}`,
    ...(parameters.length > 0 ? [`a=fmtp:${payloadType} ${parameters.join(';')}`] : []),
    ...understood.map((value) => `a=rtcp-fb:${payloadType} ${value}`),
  ];
}
