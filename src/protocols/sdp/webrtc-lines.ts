import type { IceCredentials } from '../ice/agent.ts';
import { candidateLines, type IceCandidate } from '../ice/candidate.ts';
import type { OfferedFormat, OfferedMedia } from './webrtc-offer.ts';

/** Lines that offers and answers of WebRTC have in common (RFC 8829). */

/** Our side of a transport that all sections share. */
export interface TransportSide {
  readonly ice: IceCredentials;
  /** SHA-256 of our certificate, in hex pairs with colons. */
  readonly fingerprint: string;
  readonly setup: 'passive' | 'active' | 'actpass';
  readonly candidates: readonly IceCandidate[];
}

/** The head of a description whose sections with these names share one transport. */
export function sessionLines(mids: readonly string[]): string[] {
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', `a=group:BUNDLE ${mids.join(' ')}`];
}

/** All sections share the transport of the first; its candidates are enough, and harmless in the others. */
export function transportLines({ ice, fingerprint, setup, candidates }: TransportSide): string[] {
  return [
    `a=ice-ufrag:${ice.ufrag}`,
    `a=ice-pwd:${ice.password}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    `a=setup:${setup}`,
    ...candidateLines(candidates),
    'a=end-of-candidates',
  ];
}

/** A section that is not taken. */
export function rejectedLines({ kind, protocol, mid, formats }: OfferedMedia): string[] {
  const type = kind === 'application' ? 'webrtc-datachannel' : (formats[0]?.payloadType ?? 0);
  return [`m=${kind} 0 ${protocol} ${type}`, 'c=IN IP4 0.0.0.0', 'a=inactive', `a=mid:${mid}`];
}

/** Names that are written in lower case by everybody. */
const LOWER_CASE: ReadonlySet<string> = new Set(['OPUS', 'RTX']);

/**
 * How a payload type is used.
 * @param use.parameters further ones of the format
 * @param use.feedback which of the offered `a=rtcp-fb` are understood
 */
export function formatLines(
  { payloadType, encodingName, clockRate, channels, fmtp, feedback }: OfferedFormat,
  use: { readonly parameters?: readonly string[]; readonly feedback: RegExp },
): string[] {
  const name = LOWER_CASE.has(encodingName) ? encodingName.toLowerCase() : encodingName;
  const own = [...fmtp].map(([key, value]) => (value === '' ? key : `${key}=${value}`));
  const parameters = [...own, ...(use.parameters ?? [])];
  return [
    `a=rtpmap:${payloadType} ${name}/${clockRate}${channels > 1 ? `/${channels}` : ''}`,
    ...(parameters.length > 0 ? [`a=fmtp:${payloadType} ${parameters.join(';')}`] : []),
    ...feedback
      .filter((value) => use.feedback.test(value))
      .map((value) => `a=rtcp-fb:${payloadType} ${value}`),
  ];
}
