/** One `m=` section of a session description. */
export interface SdpMedia {
  readonly kind: 'video' | 'audio' | 'application' | 'other';
  /** The first payload type of the section. */
  readonly payloadType: number;
  /** Upper case, e.g. `H264`, `MPEG4-GENERIC`; empty where it is neither said nor static. */
  readonly encodingName: string;
  readonly clockRate: number;
  /** Audio; 1 where nothing is said. */
  readonly channels: number;
  /** Parameters of the format: names in lower case, values as they stand. */
  readonly fmtp: ReadonlyMap<string, string>;
  /** `a=control`: absolute address or relative to the session's; empty where there is none. */
  readonly control: string;
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  /** `a=rtcp-fb` (RFC 4585 section 4.2) of the payload type, in lower case, e.g. `nack pli`. */
  readonly feedback: readonly string[];
}

export interface SessionDescription {
  /** `s=`; empty where there is none. */
  readonly name: string;
  /** `a=control` of the session; empty where there is none. */
  readonly control: string;
  readonly medias: SdpMedia[];
}

const STATIC_TYPES: Readonly<Record<number, { encodingName: string; clockRate: number; channels: number }>> =
  {
    0: { encodingName: 'PCMU', clockRate: 8000, channels: 1 },
    8: { encodingName: 'PCMA', clockRate: 8000, channels: 1 },
    14: { encodingName: 'MPA', clockRate: 90_000, channels: 1 },
    26: { encodingName: 'JPEG', clockRate: 90_000, channels: 1 },
    32: { encodingName: 'MPV', clockRate: 90_000, channels: 1 },
    33: { encodingName: 'MP2T', clockRate: 90_000, channels: 1 },
  };

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;
type Direction = (typeof DIRECTIONS)[number];

/** Sections beyond this many are left out; no camera has as many. */
const MAX_MEDIAS = 32;

interface Section {
  readonly media: string;
  readonly attributes: { readonly name: string; readonly value: string }[];
}

/**
 * Reads a session description (RFC 8866) as cameras write it: of what is wrong or unknown, nothing is taken. Never
 * throws; without an `m=` line `medias` is empty.
 */
export function parseSdp(text: string): SessionDescription {
  const session: Section = { media: '', attributes: [] };
  const sections: Section[] = [];
  let name = '';
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const match = /^\s*([a-z])\s*=(.*)$/.exec(raw);
    if (!match) continue;
    const value = (match[2] ?? '').trim();
    if (match[1] === 's' && sections.length === 0) name = value;
    else if (match[1] === 'm') sections.push({ media: value, attributes: [] });
    else if (match[1] === 'a') {
      const colon = value.indexOf(':');
      const attribute =
        colon < 0
          ? { name: value.toLowerCase(), value: '' }
          : { name: value.slice(0, colon).trim().toLowerCase(), value: value.slice(colon + 1).trim() };
      (sections[sections.length - 1] ?? session).attributes.push(attribute);
    }
  }
  const direction = directionOf(session) ?? 'sendrecv';
  const medias = sections.slice(0, MAX_MEDIAS).flatMap((section) => readMedia(section, direction) ?? []);
  return { name, control: find(session, 'control'), medias };
}

function find(section: Section, name: string): string {
  return section.attributes.find((attribute) => attribute.name === name)?.value ?? '';
}

function directionOf(section: Section): Direction | undefined {
  return DIRECTIONS.find((name) => section.attributes.some((attribute) => attribute.name === name));
}

function readMedia(section: Section, direction: Direction): SdpMedia | undefined {
  const [type = '', , , ...formats] = section.media.split(/\s+/);
  const payloadType = Number.parseInt(formats[0] ?? '', 10);
  if (!(payloadType >= 0 && payloadType <= 127)) return undefined;
  const known = STATIC_TYPES[payloadType];
  const described = describedType(section, payloadType);
  const rtpmap = readRtpmap(section, described);
  const kind = (['video', 'audio', 'application'] as const).find((k) => k === type.toLowerCase()) ?? 'other';
  return {
    kind,
    payloadType,
    encodingName: rtpmap?.encodingName ?? known?.encodingName ?? '',
    clockRate: rtpmap?.clockRate ?? known?.clockRate ?? (kind === 'audio' ? 8000 : 90_000),
    channels: rtpmap?.channels ?? known?.channels ?? 1,
    fmtp: readFmtp(section, described),
    control: find(section, 'control'),
    direction: directionOf(section) ?? direction,
    feedback: readFeedback(section, payloadType),
  };
}

/**
 * The number under which a dynamic payload type is described: its own, or where nothing is said of that, the only one
 * that is. Some cameras announce 96 and describe 97.
 */
function describedType(section: Section, payloadType: number): number {
  const described = new Set(
    section.attributes.flatMap(({ name, value }) =>
      name === 'rtpmap' && /^\d+\s/.test(value) ? Number.parseInt(value, 10) : [],
    ),
  );
  const [only = payloadType] = described;
  const isStatic = STATIC_TYPES[payloadType] !== undefined;
  return described.size === 1 && !isStatic ? only : payloadType;
}

function readFeedback(section: Section, payloadType: number): string[] {
  return section.attributes.flatMap(({ name, value }) => {
    const match = name === 'rtcp-fb' && /^(\d+|\*)\s+(.+)$/.exec(value);
    if (!match || (match[1] !== '*' && Number(match[1]) !== payloadType)) return [];
    return [(match[2] ?? '').toLowerCase().replace(/\s+/g, ' ')];
  });
}

function readRtpmap(section: Section, payloadType: number) {
  for (const { name, value } of section.attributes) {
    const match = name === 'rtpmap' && /^(\d+)\s+([^/\s]+)\s*(?:\/\s*(\d+))?\s*(?:\/\s*(\d+))?/.exec(value);
    if (!match || Number(match[1]) !== payloadType) continue;
    const clockRate = Number(match[3]);
    const channels = Number(match[4]);
    return {
      encodingName: (match[2] ?? '').toUpperCase(),
      clockRate: clockRate > 0 && clockRate < 2 ** 31 ? clockRate : undefined,
      channels: channels > 0 && channels <= 255 ? channels : undefined,
    };
  }
  return undefined;
}

function readFmtp(section: Section, payloadType: number): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const { name, value } of section.attributes) {
    const match = name === 'fmtp' && /^(\d+)\s+(.*)$/.exec(value);
    if (!match || Number(match[1]) !== payloadType) continue;
    for (const part of (match[2] ?? '').split(';')) {
      const equals = part.indexOf('=');
      const key = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
      if (key) parameters.set(key, equals < 0 ? '' : part.slice(equals + 1).trim());
    }
  }
  return parameters;
}
