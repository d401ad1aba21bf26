import { parseAv1SequenceHeader } from '#codecs/av1.ts';
import { H265, h265NalType, parseH265Sps } from '#codecs/h265.ts';
import { MPA_CLOCK_RATE } from '#codecs/rtp/mp3.ts';
import { vp9Profile } from '#codecs/vp9.ts';
import { isVideo, type Track } from '#media/track.ts';

/** How a track is sent over RTP. */
interface RtpDescription {
  readonly payloadType: number;
  /** Lines of its media section: `m=`, `a=rtpmap`, `a=fmtp`. */
  readonly lines: string[];
}

export interface SdpOptions {
  /** `s=`; what it has of line ends is removed. */
  readonly sessionName: string;
  /** `o=` and `c=`: our address; `0.0.0.0` where it is not known. */
  readonly address?: string;
}

/**
 * Describes tracks for a reader (RFC 8866, RFC 2326 appendix C): one media section each with
 * `a=control:trackID=<id>`. Tracks without an RTP payload format of ours, such as data, are left out.
 */
export function buildSdp(tracks: readonly Track[], options: SdpOptions): string {
  const address = options.address ?? '0.0.0.0';
  const family = address.includes(':') ? 'IP6' : 'IP4';
  const lines = [
    'v=0',
    `o=- 0 0 IN ${family} ${address}`,
    `s=${options.sessionName.replace(/[\r\n\0]/g, ' ').trim() || '-'}`,
    `c=IN ${family} ${family === 'IP6' ? '::' : '0.0.0.0'}`,
    't=0 0',
    'a=range:npt=now-',
    'a=control:*',
  ];
  for (const track of tracks) {
    const description = describeRtp(track);
    if (description) lines.push(...description.lines, `a=control:trackID=${track.id}`);
  }
  return `${lines.join('\r\n')}\r\n`;
}

/**
 * The payload type under which `buildSdp` offers a track: static for G.711 at 8 kHz mono, else dynamic, 96 + the
 * track's id (within the dynamic range). Undefined for a track that cannot be sent over RTP.
 */
export function payloadTypeOf(track: Track): number | undefined {
  return describeRtp(track)?.payloadType;
}

function describeRtp(track: Track): RtpDescription | undefined {
  const { format, clockRate } = track;
  if (format.kind === 'data') return undefined;
  const dynamic = 96 + (track.id % 32);
  const section = (payloadType: number, rtpmap: string, fmtp = ''): RtpDescription => ({
    payloadType,
    lines: [
      `m=${format.kind} 0 RTP/AVP ${payloadType}`,
      `a=rtpmap:${payloadType} ${rtpmap}`,
      ...(fmtp ? [`a=fmtp:${payloadType} ${fmtp}`] : []),
    ],
  });
  switch (format.codec) {
    case 'h264':
      return section(dynamic, `H264/${clockRate}`, h264Parameters(track));
    case 'h265':
      return section(dynamic, `H265/${clockRate}`, h265Parameters(track));
    case 'av1':
      return section(dynamic, `AV1/${clockRate}`, av1Parameters(track));
    case 'vp9':
      return section(dynamic, `VP9/${clockRate}`, vp9Parameters(track));
    case 'vp8':
      return section(dynamic, `VP8/${clockRate}`);
    case 'mpeg4':
      return section(dynamic, `MP4V-ES/${clockRate}`, mpeg4Parameters(track));
    case 'mp3':
      return section(14, `MPA/${MPA_CLOCK_RATE}`);
    case 'ac3':
      return section(dynamic, `ac3/${clockRate}/${format.channels}`);
    case 'aac': {
      const parameters = `streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3`;
      const config = `config=${format.config.toString('hex')}`;
      return section(dynamic, `MPEG4-GENERIC/${clockRate}/${format.channels}`, `${parameters};${config}`);
    }
    case 'opus':
      // Always two channels in rtpmap (RFC 7587 section 7); what is really sent stands in sprop-stereo.
      return section(dynamic, 'opus/48000/2', `sprop-stereo=${format.channels > 1 ? 1 : 0}`);
    case 'pcmu':
    case 'pcma': {
      const plain = clockRate === 8000 && format.channels === 1;
      const name = format.codec.toUpperCase();
      const fixed = format.codec === 'pcmu' ? 0 : 8;
      return plain
        ? section(fixed, `${name}/8000`)
        : section(dynamic, `${name}/${clockRate}/${format.channels}`);
    }
    default:
      return undefined;
  }
}

function h264Parameters(track: Track): string {
  const parameters = ['packetization-mode=1'];
  if (!isVideo(track)) return parameters.join(';');
  const sets = track.format.parameterSets;
  const sps = sets[0];
  if (sps && sps.length >= 4) {
    parameters.push(`profile-level-id=${sps.toString('hex', 1, 4).toUpperCase()}`);
    parameters.push(`sprop-parameter-sets=${sets.map((nal) => nal.toString('base64')).join(',')}`);
  }
  return parameters.join(';');
}

function h265Parameters(track: Track): string {
  if (!isVideo(track)) return '';
  const parameters: string[] = [];
  const ofType = (type: number) => track.format.parameterSets.filter((nal) => h265NalType(nal) === type);
  const sps = ofType(H265.sps)[0];
  const info = sps && parseH265Sps(sps);
  if (info) {
    parameters.push(`profile-id=${info.profile}`);
    parameters.push(`tier-flag=${((info.profileTierLevel[0] ?? 0) >> 5) & 1}`, `level-id=${info.level}`);
  }
  for (const [key, type] of [
    ['sprop-vps', H265.vps],
    ['sprop-sps', H265.sps],
    ['sprop-pps', H265.pps],
  ] as const) {
    const nals = ofType(type);
    if (nals.length > 0) parameters.push(`${key}=${nals.map((nal) => nal.toString('base64')).join(',')}`);
  }
  return parameters.join(';');
}

/** "RTP Payload Format For AV1" section 7.2.1. */
function av1Parameters(track: Track): string {
  const header = isVideo(track) ? track.format.parameterSets[0] : undefined;
  const info = header && parseAv1SequenceHeader(header);
  return info ? `profile=${info.profile};level-idx=${info.level};tier=${info.tier}` : '';
}

/** RFC 9628 section 7. */
function vp9Parameters(track: Track): string {
  const profile = isVideo(track) ? vp9Profile(track.format) : undefined;
  return profile === undefined ? '' : `profile-id=${profile}`;
}

/** RFC 6416 section 7.1. */
function mpeg4Parameters(track: Track): string {
  const configuration = isVideo(track) ? track.format.parameterSets[0] : undefined;
  if (!configuration || !isVideo(track)) return '';
  const profile = track.format.codecString.split('.')[2] ?? '1';
  return `profile-level-id=${profile};config=${configuration.toString('hex').toUpperCase()}`;
}
