import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { SdpMedia } from './sdp.ts';
import { trackFromMedia } from './tracks.ts';
import {
  formatLines,
  rejectedLines,
  sessionLines,
  type TransportSide,
  transportLines,
} from './webrtc-lines.ts';
import type { OfferedFormat, OfferedMedia, WebRtcOffer } from './webrtc-offer.ts';

/** Numbers the packets of all sections in one row, for feedback on when each arrived. */
export const TRANSPORT_SEQUENCE = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';

/** A track that the other side sends, in which media section and as which payload type. */
export interface ReceivedTrack {
  readonly track: Track;
  readonly mid: string;
  readonly format: OfferedFormat;
  /**
   * As which payload type packets come that are sent again (RFC 4588); undefined where they come as they were. With it
   * padding comes so as well, of which lost packets would be waited for in vain otherwise.
   */
  readonly again: OfferedFormat | undefined;
  /** The same as RTSP would describe it. */
  readonly media: SdpMedia;
  /** Sources that were announced for it. */
  readonly ssrcs: readonly number[];
  /** Id of the header extension with transport-wide sequence numbers; undefined where it is not offered. */
  readonly sequenceExtension: number | undefined;
}

/**
 * Codecs in the order in which they are taken where several are offered, those first that most readers can play.
 * Whoever wants another one offers no other. What `trackFromMedia` knows beside these comes last.
 */
const PREFERRED = ['H264', 'H265', 'AV1', 'VP9', 'VP8', 'OPUS', 'PCMA', 'PCMU'];

/**
 * What a publisher offers to send: one track for each section. All sections or none: a stream that lacks its sound
 * because of a codec is found out too late (RFC 9725 section 4.4.3).
 * @throws NamedError SDP_OFFER_INVALID (nothing is sent), WEBRTC_CODEC_UNSUPPORTED
 */
export function matchPublished({ medias }: WebRtcOffer): ReceivedTrack[] {
  const sent = medias.filter(
    ({ kind, direction }) =>
      (kind === 'video' || kind === 'audio') && (direction === 'sendonly' || direction === 'sendrecv'),
  );
  if (sent.length === 0) {
    throw new NamedError(
      'SDP_OFFER_INVALID',
      'The SDP offer sends no picture and no sound. Offer at least one of them with "a=sendonly".',
      400,
    );
  }
  const tracks: ReceivedTrack[] = [];
  for (const media of sent) {
    const taken = tracks.map(({ format }) => format.payloadType);
    const track = receive(media, tracks.length, taken);
    if (track) tracks.push(track);
    else throw unsupported(media);
  }
  return tracks;
}

/**
 * The track of a section in the best format that it has; undefined where there is none.
 * @param taken payload types of other sections: packets are told apart by them
 * @param better which of two formats is the better one: by our preference, unless something else is given
 */
export function receive(
  media: OfferedMedia,
  id: number,
  taken: readonly number[],
  better: (a: OfferedFormat, b: OfferedFormat) => number = (a, b) => rank(a) - rank(b),
): ReceivedTrack | undefined {
  const sequenceExtension = media.extensions.get(TRANSPORT_SEQUENCE);
  const possible = media.formats.flatMap((format) => {
    const described = describe(media, format);
    const track = trackFromMedia(described, id);
    if ('unsupported' in track || track.format.kind !== media.kind || taken.includes(format.payloadType))
      return [];
    const { mid, ssrcs } = media;
    const again = media.formats.find(
      ({ encodingName, fmtp }) => encodingName === 'RTX' && fmtp.get('apt') === `${format.payloadType}`,
    );
    return [{ track, mid, format, again, media: described, ssrcs, sequenceExtension }];
  });
  return possible.toSorted((a, b) => better(a.format, b.format))[0];
}

function rank({ encodingName, fmtp }: OfferedFormat): number {
  const at = PREFERRED.indexOf(encodingName);
  // Mode 0 knows no fragments: what is larger than a packet cannot be sent.
  const isSingle = encodingName === 'H264' && fmtp.get('packetization-mode') !== '1';
  return (at < 0 ? PREFERRED.length : at) + (isSingle ? 0.5 : 0);
}

function describe({ kind, direction }: OfferedMedia, format: OfferedFormat): SdpMedia {
  const { payloadType, encodingName, clockRate, channels, fmtp, feedback } = format;
  return {
    kind: kind === 'video' || kind === 'audio' ? kind : 'other',
    control: '',
    ...{ payloadType, encodingName, clockRate, channels, fmtp, direction, feedback },
  };
}

function unsupported({ kind, formats }: OfferedMedia): NamedError {
  const names = [...new Set(formats.map(({ encodingName }) => encodingName))].join(', ') || 'nothing';
  const known = kind === 'video' ? 'H264' : 'opus, PCMA or PCMU';
  return new NamedError(
    'WEBRTC_CODEC_UNSUPPORTED',
    `The ${kind} is offered as ${names}, and this server takes none of these. Offer ${known}, or leave the ${kind} out.`,
    422,
  );
}

/** Feedback to a sender that we give; REMB only to whom knows nothing newer. */
const FEEDBACK = /^(nack|nack pli|ccm fir|transport-cc)$/;
const OLD_FEEDBACK = /^(nack|nack pli|ccm fir|goog-remb)$/;

/** True where the sender is told by REMB how much it may send. */
export function usesRemb({ format, sequenceExtension }: ReceivedTrack): boolean {
  return !usesTransportFeedback({ format, sequenceExtension }) && format.feedback.includes('goog-remb');
}

/** True where the sender is told when each of its packets arrived. */
export function usesTransportFeedback({
  format,
  sequenceExtension,
}: Pick<ReceivedTrack, 'format' | 'sequenceExtension'>): boolean {
  return sequenceExtension !== undefined && format.feedback.includes('transport-cc');
}

/** The answer of a server that only receives: ICE lite, DTLS passive, everything in one bundle, one layer of each track. */
export function buildPublishAnswer(
  offer: WebRtcOffer,
  tracks: readonly ReceivedTrack[],
  side: Omit<TransportSide, 'setup'>,
): string {
  const lines = [...sessionLines(tracks.map(({ mid }) => mid)), 'a=ice-lite'];
  for (const media of offer.medias) {
    const track = tracks.find(({ mid }) => mid === media.mid);
    if (!track) {
      lines.push(...rejectedLines(media));
      continue;
    }
    const hasArrivals = usesTransportFeedback(track);
    const isOpus = track.track.format.codec === 'opus';
    const types = [track.format, track.again].flatMap((format) => format?.payloadType ?? []);
    lines.push(
      `m=${media.kind} 9 ${media.protocol} ${types.join(' ')}`,
      'c=IN IP4 0.0.0.0',
      ...transportLines({ ...side, setup: 'passive' }),
      `a=mid:${media.mid}`,
      ...(hasArrivals ? [`a=extmap:${track.sequenceExtension} ${TRANSPORT_SEQUENCE}`] : []),
      'a=recvonly',
      'a=rtcp-mux',
      'a=rtcp-rsize',
      ...formatLines(track.format, {
        // Says that we take both channels; a browser sends one otherwise (RFC 7587 section 7).
        parameters: isOpus && !track.format.fmtp.has('stereo') ? ['stereo=1'] : [],
        feedback: hasArrivals ? FEEDBACK : OLD_FEEDBACK,
      }),
      ...(track.again ? formatLines(track.again, { feedback: FEEDBACK }) : []),
    );
  }
  return `${lines.join('\r\n')}\r\n`;
}
