import { NamedError } from '#util/named-error.ts';
import type { IceCredentials } from '../ice/agent.ts';
import { type OfferedCandidate, parseCandidate } from '../ice/candidate.ts';

/** One format of a media section. */
export interface OfferedFormat {
  readonly payloadType: number;
  /** Upper case, e.g. `H264`. */
  readonly encodingName: string;
  readonly clockRate: number;
  readonly channels: number;
  /** Names in lower case, values as they stand. */
  readonly fmtp: ReadonlyMap<string, string>;
  /** `a=rtcp-fb` in lower case, e.g. `nack pli`. */
  readonly feedback: readonly string[];
}

export interface OfferedMedia {
  readonly kind: string;
  readonly protocol: string;
  readonly mid: string;
  readonly formats: readonly OfferedFormat[];
  /** `inactive` also where the section is not used (port 0). */
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  /** Header extensions (RFC 8285): their ids by their names. */
  readonly extensions: ReadonlyMap<string, number>;
  /** Sources that are announced (RFC 5576), in their order. */
  readonly ssrcs: readonly number[];
  /** Of data channels (RFC 8841): the port of SCTP, and the largest message that the other side takes, bytes. */
  readonly sctp: { readonly port: number; readonly maxMessageSize: number };
}

/** What a browser offers (RFC 8829, RFC 9429), as far as an answer needs it. */
export interface WebRtcOffer {
  readonly ice: IceCredentials;
  /** SHA-256 of the certificate of its DTLS, in lower case without colons. */
  readonly fingerprint: string;
  readonly medias: readonly OfferedMedia[];
}

/** What a server answers. */
export interface WebRtcAnswer extends WebRtcOffer {
  /** It waits for our DTLS handshake; else it begins its own. */
  readonly isPassive: boolean;
  readonly candidates: readonly OfferedCandidate[];
}

const MAX_MEDIAS = 16;
const MAX_FORMATS = 128;
const MAX_CANDIDATES = 32;
const MAX_SSRCS = 16;
/** Of one section, each of which is looked at for each format: a browser's have some two hundred. */
const MAX_ATTRIBUTES = 1024;

interface Section {
  readonly line: string;
  readonly attributes: [name: string, value: string][];
}

/**
 * Reads an offer for one transport (BUNDLE, rtcp-mux).
 * @throws NamedError SDP_OFFER_INVALID
 */
export function parseWebRtcOffer(text: string): WebRtcOffer {
  const { first, description } = readDescription(text, invalidOffer);
  if (first('setup') === 'passive') throw invalidOffer('wants to be the DTLS server too ("a=setup:passive")');
  return description;
}

/**
 * Reads the answer to an offer of ours.
 * @throws NamedError SDP_ANSWER_INVALID
 */
export function parseWebRtcAnswer(text: string): WebRtcAnswer {
  const { first, all, description } = readDescription(text, invalidAnswer);
  // Many servers write them into every section.
  const candidates = [...new Set(all('candidate'))]
    .slice(0, MAX_CANDIDATES)
    .flatMap((value) => parseCandidate(value) ?? []);
  return { ...description, isPassive: first('setup') !== 'active', candidates };
}

function readDescription(text: string, invalid: (what: string) => NamedError) {
  const session: Section = { line: '', attributes: [] };
  const sections: Section[] = [];
  for (const raw of text.split(/\r\n|\r|\n/)) {
    if (raw.startsWith('m=')) sections.push({ line: raw.slice(2).trim(), attributes: [] });
    else if (raw.startsWith('a=')) {
      const colon = raw.indexOf(':');
      const name = (colon < 0 ? raw.slice(2) : raw.slice(2, colon)).trim().toLowerCase();
      const { attributes } = sections.at(-1) ?? session;
      if (attributes.length >= MAX_ATTRIBUTES) continue;
      attributes.push([name, colon < 0 ? '' : raw.slice(colon + 1).trim()]);
    }
  }
  if (!text.startsWith('v=0') || sections.length === 0) throw invalid('has no media section ("m=")');
  if (sections.length > MAX_MEDIAS) throw invalid(`has more than ${MAX_MEDIAS} media sections`);
  const used = sections.filter((section) => !isRejected(section));
  const [leader] = used;
  if (!leader) throw invalid('has no media section that is used');
  if (used.some((section) => find(section, 'rtcp-mux') === undefined && !isData(section))) {
    throw invalid('has a media section without "a=rtcp-mux"');
  }
  const bundle = find(session, 'group')?.split(/\s+/) ?? [];
  const mids = sections.map((section) => find(section, 'mid') ?? '');
  const bundled = (section: Section) => bundle.includes(find(section, 'mid') ?? '');
  if (used.length > 1 && (bundle[0] !== 'BUNDLE' || !used.every(bundled))) {
    throw invalid('does not put all its media into one bundle ("a=group:BUNDLE …")');
  }
  if (new Set(mids).size !== mids.length) throw invalid('names two media sections alike ("a=mid")');
  const first = (name: string) => find(leader, name) ?? find(session, name);
  const all = (name: string) =>
    [session, ...used].flatMap(({ attributes }) =>
      attributes.flatMap(([is, value]) => (is === name ? [value] : [])),
    );
  const ufrag = first('ice-ufrag');
  const password = first('ice-pwd');
  if (!ufrag || !password) throw invalid('has no ICE credentials ("a=ice-ufrag", "a=ice-pwd")');
  const fingerprint = /^sha-256\s+((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(first('fingerprint') ?? '')?.[1];
  if (!fingerprint) throw invalid('has no SHA-256 fingerprint ("a=fingerprint:sha-256 …")');
  const description: WebRtcOffer = {
    ice: { ufrag, password },
    fingerprint: fingerprint.replaceAll(':', '').toLowerCase(),
    medias: sections.map((section, i) => readMedia(section, mids[i] ?? '')),
  };
  return { first, all, description };
}

function invalidOffer(what: string): NamedError {
  return new NamedError(
    'SDP_OFFER_INVALID',
    `The SDP offer ${what}. Send the offer of an RTCPeerConnection as it is, as application/sdp.`,
    400,
  );
}

function invalidAnswer(what: string): NamedError {
  return new NamedError('SDP_ANSWER_INVALID', `The SDP answer of the server ${what}.`, 502);
}

/** Port 0, unless that says only that the section has no transport of its own (RFC 9143 section 6). */
function isRejected(section: Section): boolean {
  return section.line.split(/\s+/)[1] === '0' && find(section, 'bundle-only') === undefined;
}

function isData({ line }: Section): boolean {
  return line.startsWith('application');
}

function find({ attributes }: Section, name: string): string | undefined {
  return attributes.find(([is]) => is === name)?.[1];
}

function readMedia(section: Section, mid: string): OfferedMedia {
  const [kind = '', , protocol = '', ...types] = section.line.split(/\s+/);
  const directions = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;
  const formats = types
    .slice(0, MAX_FORMATS)
    .flatMap((type) => (/^\d{1,3}$/.test(type) ? (readFormat(section, Number(type)) ?? []) : []));
  const direction = isRejected(section)
    ? 'inactive'
    : (directions.find((name) => find(section, name) !== undefined) ?? 'sendrecv');
  const extensions = new Map<string, number>();
  const ssrcs = new Set<number>();
  for (const [name, value] of section.attributes) {
    const [id = '', uri] = value.split(/\s+/);
    if (name === 'extmap' && uri && /^\d{1,3}(?:\/|$)/.test(id)) extensions.set(uri, Number.parseInt(id, 10));
    const ssrc = name === 'ssrc' && /^\d{1,10}$/.test(id) ? Number(id) : 0;
    if (ssrc > 0 && ssrc < 2 ** 32 && ssrcs.size < MAX_SSRCS) ssrcs.add(ssrc);
  }
  const number = (name: string, otherwise: number) => {
    const value = find(section, name) ?? '';
    return /^\d{1,9}$/.test(value) ? Number(value) : otherwise;
  };
  // RFC 8841 sections 5.1 and 6.1: 64 kB where nothing is said, and no limit is said by 0.
  const sctp = {
    port: number('sctp-port', 5000) & 0xffff,
    maxMessageSize: number('max-message-size', 64 << 10) || Number.POSITIVE_INFINITY,
  };
  return { kind, protocol, mid, formats, direction, extensions, ssrcs: [...ssrcs], sctp };
}

function readFormat(section: Section, payloadType: number): OfferedFormat | undefined {
  const own = (name: string) =>
    section.attributes.flatMap(([is, value]) => {
      // Where blanks end is said, or a line that has many would be tried at each of them.
      const match = is === name && /^(\d+|\*)\s+(\S.*)$/s.exec(value);
      return match && (match[1] === '*' || Number(match[1]) === payloadType) ? [match[2] ?? ''] : [];
    });
  const fixed: Record<number, string> = { 0: 'PCMU/8000', 8: 'PCMA/8000' };
  const rtpmap = /^([^/\s]+)\/(\d{1,9})(?:\/(\d{1,3}))?$/.exec(own('rtpmap')[0] ?? fixed[payloadType] ?? '');
  if (!rtpmap || payloadType > 127) return undefined;
  const fmtp = new Map<string, string>();
  for (const part of own('fmtp').join(';').split(';')) {
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    if (name) fmtp.set(name, equals < 0 ? '' : part.slice(equals + 1).trim());
  }
  return {
    payloadType,
    encodingName: (rtpmap[1] ?? '').toUpperCase(),
    clockRate: Number(rtpmap[2]),
    channels: Number(rtpmap[3] ?? 1),
    fmtp,
    feedback: own('rtcp-fb').map((value) => value.toLowerCase()),
  };
}
