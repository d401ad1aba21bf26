import { isVideo, type Track } from '#media/track.ts';
import { formatLines, sessionLines, type TransportSide, transportLines } from './webrtc-lines.ts';
import type { OfferedFormat, WebRtcAnswer } from './webrtc-offer.ts';
import { type ReceivedTrack, receive, TRANSPORT_SEQUENCE } from './webrtc-receive.ts';

/** One media section of an offer of ours. */
export interface OfferSection {
  readonly kind: 'video' | 'audio';
  readonly direction: 'sendonly' | 'recvonly';
  readonly formats: readonly OfferedFormat[];
  /** What we send in it. */
  readonly source?: { readonly ssrc: number; readonly cname: string };
}

const SEQUENCE_ID = 3;
const FEEDBACK = ['nack', 'nack pli', 'transport-cc'];

function format(
  payloadType: number,
  encodingName: string,
  clockRate: number,
  fmtp: Readonly<Record<string, string>> = {},
  channels = 1,
): OfferedFormat {
  const feedback = clockRate === 90_000 ? FEEDBACK : ['nack', 'transport-cc'];
  return { payloadType, encodingName, clockRate, channels, fmtp: new Map(Object.entries(fmtp)), feedback };
}

const h264 = (payloadType: number, profile: string) =>
  format(payloadType, 'H264', 90_000, {
    'level-asymmetry-allowed': '1',
    'packetization-mode': '1',
    'profile-level-id': profile,
  });

/** How packets of a format are sent again (RFC 4588): twenty numbers further on, behind those of pictures and sound. */
const resent = (payloadType: number) => ({
  ...format(payloadType + 20, 'RTX', 90_000, { apt: `${payloadType}` }),
  feedback: [],
});

/** What we take from other servers, those first that most of our readers can play. */
const RECEIVED = {
  video: [
    h264(96, '42e034'),
    h264(97, '4d0034'),
    h264(98, '640034'),
    format(99, 'H265', 90_000),
    format(100, 'AV1', 90_000),
    format(101, 'VP9', 90_000),
    format(102, 'VP8', 90_000),
  ],
  audio: [
    format(111, 'OPUS', 48_000, { minptime: '10', useinbandfec: '1', stereo: '1' }, 2),
    format(0, 'PCMU', 8000),
    format(8, 'PCMA', 8000),
  ],
} as const;

/** The sections by which one picture and one sound are asked for. */
export function receivingSections(): OfferSection[] {
  return (['video', 'audio'] as const).map((kind) => {
    const media = {
      ...{
        kind,
        protocol: '',
        mid: '',
        extensions: new Map(),
        ssrcs: [],
        sctp: { port: 0, maxMessageSize: 0 },
      },
      direction: 'sendonly',
    } as const;
    const formats = RECEIVED[kind].filter((one) => receive({ ...media, formats: [one] }, 0, []));
    const again = kind === 'video' ? formats.map(({ payloadType }) => resent(payloadType)) : [];
    return { kind, direction: 'recvonly', formats: [...formats, ...again] };
  });
}

/** The section in which a track is sent; undefined for one that has no place in WebRTC. */
export function sendingSection(
  track: Track,
  source: { ssrc: number; cname: string },
): OfferSection | undefined {
  const formats = sentFormats(track);
  const { kind } = track.format;
  return formats.length > 0 && kind !== 'data' ? { kind, direction: 'sendonly', formats, source } : undefined;
}

function sentFormats(track: Track): OfferedFormat[] {
  const { codec } = track.format;
  switch (codec) {
    case 'h264': {
      const profile = /^avc1\.([0-9a-f]{6})/i.exec(isVideo(track) ? track.format.codecString : '')?.[1];
      return [h264(96, (profile ?? '42e01f').toLowerCase())];
    }
    case 'opus': {
      const isStereo = track.format.kind === 'audio' && track.format.channels > 1;
      const parameters = isStereo ? { stereo: '1', 'sprop-stereo': '1' } : {};
      return [format(111, 'OPUS', 48_000, { minptime: '10', useinbandfec: '1', ...parameters }, 2)];
    }
    case 'pcmu':
    case 'pcma': {
      const isPlain =
        track.clockRate === 8000 && track.format.kind === 'audio' && track.format.channels === 1;
      return isPlain ? [format(codec === 'pcmu' ? 0 : 8, codec.toUpperCase(), 8000)] : [];
    }
    case 'h265':
      return [format(99, 'H265', 90_000)];
    default:
      return [];
  }
}

/** An offer of ours: either side may begin DTLS, everything in one bundle. */
export function buildClientOffer(
  sections: readonly OfferSection[],
  side: Omit<TransportSide, 'setup'>,
): string {
  const lines = [...sessionLines(sections.map((_, mid) => `${mid}`)), 'a=msid-semantic: WMS sluice'];
  for (const [mid, { kind, direction, formats, source }] of sections.entries()) {
    lines.push(
      `m=${kind} 9 UDP/TLS/RTP/SAVPF ${formats.map(({ payloadType }) => payloadType).join(' ')}`,
      'c=IN IP4 0.0.0.0',
      ...transportLines({ ...side, setup: 'actpass' }),
      `a=mid:${mid}`,
      ...(direction === 'recvonly' ? [`a=extmap:${SEQUENCE_ID} ${TRANSPORT_SEQUENCE}`] : []),
      `a=${direction}`,
      'a=rtcp-mux',
      'a=rtcp-rsize',
      ...formats.flatMap((one) =>
        // When packets arrive is told to senders by us, and by nobody to us: we send what the stream has.
        formatLines(one, { feedback: direction === 'recvonly' ? /./ : /^nack/ }),
      ),
      ...(source ? [`a=msid:sluice ${kind}`, `a=ssrc:${source.ssrc} cname:${source.cname}`] : []),
    );
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** What comes by an answer to `receivingSections`: of each section the first format that the server names and we take. */
export function answeredTracks({ medias }: WebRtcAnswer): ReceivedTrack[] {
  const tracks: ReceivedTrack[] = [];
  for (const media of medias) {
    if (media.direction !== 'sendonly' && media.direction !== 'sendrecv') continue;
    const taken = tracks.map((track) => track.format.payloadType);
    const first = (a: OfferedFormat, b: OfferedFormat) => media.formats.indexOf(a) - media.formats.indexOf(b);
    const track = receive(media, tracks.length, taken, first);
    if (track) tracks.push(track);
  }
  return tracks;
}

/** The payload type under which each of our sections is sent; undefined for one that the server does not take. */
export function answeredPayloadTypes(
  sections: readonly OfferSection[],
  { medias }: WebRtcAnswer,
): (number | undefined)[] {
  return sections.map(({ formats }, mid) => {
    const media = medias.find((one) => one.mid === `${mid}`) ?? medias[mid];
    if (!media || (media.direction !== 'recvonly' && media.direction !== 'sendrecv')) return undefined;
    const offered = formats.map(({ encodingName }) => encodingName);
    return media.formats.find(({ encodingName }) => offered.includes(encodingName))?.payloadType;
  });
}
