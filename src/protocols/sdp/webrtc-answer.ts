import { vp9Profile } from '#codecs/vp9.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import type { IceCredentials } from '../ice/agent.ts';
import type { IceCandidate } from '../ice/candidate.ts';
import { formatLines, rejectedLines, sessionLines, transportLines } from './webrtc-lines.ts';
import type { OfferedFormat, OfferedMedia, WebRtcOffer } from './webrtc-offer.ts';

/** By this name browsers offer to be told how long to keep pictures. */
export const PLAYOUT_DELAY = 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay';

/** A track that goes to the browser, in which media section and as which payload type. */
export interface AnsweredTrack {
  readonly track: Track;
  readonly mid: string;
  readonly format: OfferedFormat;
  /** The track cannot go as it is: what it has to be made first. */
  readonly convert: 'opus' | 'h264' | undefined;
  /** Payload type of packets that are sent again (RFC 4588), where the browser offers one. */
  readonly rtx: OfferedFormat | undefined;
  /** Id of the header extension by which a browser lets itself be told how long to keep pictures. */
  readonly playoutDelayId?: number | undefined;
}

/** What a browser can be sent: media sections with their formats. */
export type OfferedMedias = Pick<WebRtcOffer, 'medias'>;

/** True for a section in which a browser wants to receive media. */
export function isReceiving({ kind, direction }: OfferedMedia): boolean {
  return kind !== 'application' && (direction === 'recvonly' || direction === 'sendrecv');
}

/**
 * Which tracks a browser can take, one for each media section: the first of its kind that it offers a format for, else the
 * first that can be made into one.
 * @param isReordered whether the pictures of a track come in another order than they are shown (B-frames): RTP of
 *   WebRTC has no decoding times, and browsers play such pictures badly or not at all
 */
export function matchTracks(
  offer: OfferedMedias,
  tracks: readonly Track[],
  isReordered: (track: Track) => boolean,
): AnsweredTrack[] {
  const chosen: AnsweredTrack[] = [];
  for (const media of offer.medias) {
    if (!isReceiving(media)) continue;
    const free = tracks.filter(
      (track) => track.format.kind === media.kind && chosen.every((other) => other.track !== track),
    );
    const direct = free.flatMap((track) => {
      const format = isReordered(track) ? undefined : formatFor(track, media);
      return format ? [{ track, format, convert: undefined }] : [];
    });
    const made = free.flatMap((track) => convertedFor(track, media) ?? []);
    const [best] = [...direct, ...made];
    if (!best) continue;
    const playoutDelayId = media.kind === 'video' ? media.extensions.get(PLAYOUT_DELAY) : undefined;
    chosen.push({ ...best, mid: media.mid, rtx: rtxFor(best.format, media), playoutDelayId });
  }
  return chosen;
}

/** Sound that can be made Opus, and pictures that can be made H.264. */
const CONVERTIBLE: Readonly<Record<string, 'opus' | 'h264'>> = {
  ...{ aac: 'opus', ac3: 'opus', mp3: 'opus', pcma: 'opus', pcmu: 'opus', opus: 'opus' },
  ...{ h264: 'h264', h265: 'h264', av1: 'h264', vp8: 'h264', vp9: 'h264', mpeg4: 'h264' },
};

function convertedFor(track: Track, media: OfferedMedia) {
  const convert = CONVERTIBLE[track.format.codec];
  if (!convert) return undefined;
  const formats = media.formats.filter(({ encodingName, fmtp }) =>
    convert === 'opus' ? encodingName === 'OPUS' : encodingName === 'H264' && hasFragments(fmtp),
  );
  // What is made is constrained baseline.
  const format = formats.find(({ fmtp }) => fmtp.get('profile-level-id')?.startsWith('42')) ?? formats[0];
  return format && { track, format, convert };
}

/** Fragmented NAL units need mode 1. */
function hasFragments(fmtp: ReadonlyMap<string, string>): boolean {
  return fmtp.get('packetization-mode') === '1';
}

function rtxFor({ payloadType }: OfferedFormat, media: OfferedMedia): OfferedFormat | undefined {
  return media.formats.find(
    ({ encodingName, fmtp }) => encodingName === 'RTX' && fmtp.get('apt') === String(payloadType),
  );
}

function formatFor(track: Track, media: OfferedMedia): OfferedFormat | undefined {
  const named = (name: string) => media.formats.filter(({ encodingName }) => encodingName === name);
  const { format } = track;
  switch (format.codec) {
    case 'h264': {
      // Browsers decode every profile they can whatever was agreed on, so where the stream's own is not offered, the
      // first that is offered will do.
      const formats = named('H264').filter(({ fmtp }) => hasFragments(fmtp));
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

/** A track and the sources under which its packets go out. */
export interface SentTrack extends AnsweredTrack {
  readonly ssrc: number;
  /** Of packets that are sent again; used where there is a payload type for it. */
  readonly rtxSsrc: number;
  /** The block of header extensions that each of its packets carries: how long the browser may keep pictures. */
  readonly playoutDelay?: Buffer | undefined;
}

export interface WebRtcAnswerOptions {
  readonly offer: WebRtcOffer;
  /** What is sent; other sections are refused, but for the one of the data channels. */
  readonly tracks: readonly SentTrack[];
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
  const mids = offer.medias.filter((media) => of(media) || hasDataChannels(media)).map(({ mid }) => mid);
  const lines = [...sessionLines(mids), 'a=ice-lite', 'a=msid-semantic: WMS sluice'];
  for (const media of offer.medias) {
    const answered = of(media);
    if (hasDataChannels(media)) {
      lines.push(...dataChannelLines(media, transportLines({ ...options, setup: 'passive' })));
      continue;
    }
    if (!answered) {
      lines.push(...rejectedLines(media));
      continue;
    }
    const { format, rtx, ssrc, rtxSsrc, playoutDelay, playoutDelayId } = answered;
    const types = [format, ...(rtx ? [rtx] : [])].map(({ payloadType }) => payloadType);
    lines.push(
      `m=${media.kind} 9 ${media.protocol} ${types.join(' ')}`,
      'c=IN IP4 0.0.0.0',
      ...transportLines({ ...options, setup: 'passive' }),
      `a=mid:${media.mid}`,
      ...(playoutDelay ? [`a=extmap:${playoutDelayId} ${PLAYOUT_DELAY}`] : []),
      'a=sendonly',
      'a=rtcp-mux',
      'a=rtcp-rsize',
      ...formatLines(format, { parameters: stereo(answered), feedback: FEEDBACK }),
      ...(rtx ? formatLines(rtx, { feedback: FEEDBACK }) : []),
      `a=msid:sluice ${media.mid}`,
      ...(rtx ? [`a=ssrc-group:FID ${ssrc} ${rtxSsrc}`] : []),
      `a=ssrc:${ssrc} cname:${options.cname}`,
      ...(rtx ? [`a=ssrc:${rtxSsrc} cname:${options.cname}`] : []),
    );
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** Without it a browser plays the left channel only (RFC 7587 section 7). */
function stereo({ track, format: { encodingName } }: AnsweredTrack): readonly string[] {
  const isStereo = encodingName === 'OPUS' && isAudio(track) && track.format.channels > 1;
  return isStereo ? ['stereo=1', 'sprop-stereo=1'] : [];
}

/** Our side of SCTP (RFC 8841): its port, and the largest message that is taken; what viewers have to say is short. */
export const SCTP = { port: 5000, maxMessageSize: 64 << 10 } as const;

/** True for the section of the data channels (RFC 8841). */
export function hasDataChannels({ kind, protocol, direction }: OfferedMedia): boolean {
  return kind === 'application' && direction !== 'inactive' && /^(UDP|TCP)\/DTLS\/SCTP$/.test(protocol);
}

function dataChannelLines({ kind, protocol, mid }: OfferedMedia, transport: readonly string[]): string[] {
  return [
    `m=${kind} 9 ${protocol} webrtc-datachannel`,
    'c=IN IP4 0.0.0.0',
    ...transport,
    `a=mid:${mid}`,
    `a=sctp-port:${SCTP.port}`,
    `a=max-message-size:${SCTP.maxMessageSize}`,
  ];
}
