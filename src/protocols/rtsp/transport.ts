import type { MulticastGroup } from './application.ts';

/** One choice of a Transport header (RFC 2326 section 12.39). */
export interface TransportOption {
  /** `RTP/AVP`, in capitals. */
  readonly profile: string;
  readonly lower: 'TCP' | 'UDP';
  readonly multicast: boolean;
  /** Channels of RTP and RTCP, where the client asked for certain ones. */
  readonly interleaved?: readonly [number, number];
  /** UDP ports of the client for RTP and RTCP. */
  readonly clientPorts?: readonly [number, number];
  /** UDP ports of the server, in its answer. */
  readonly serverPorts?: readonly [number, number];
  readonly mode: 'play' | 'record';
}

/** The choices of a Transport header in the order of the client's preference; choices that make no sense are left out. */
export function parseTransport(value: string): TransportOption[] {
  const options: TransportOption[] = [];
  for (const choice of splitOutsideQuotes(value, ',')) {
    const option = parseOption(choice);
    if (option) options.push(option);
  }
  return options;
}

/** What we answer to a SETUP: RTP inside this connection. */
export function formatInterleavedTransport(
  channels: readonly [number, number],
  mode: 'play' | 'record',
  ssrc?: number,
): string {
  let value = `RTP/AVP/TCP;unicast;interleaved=${channels[0]}-${channels[1]}`;
  if (ssrc !== undefined) value += `;ssrc=${ssrc.toString(16).toUpperCase().padStart(8, '0')}`;
  return mode === 'record' ? `${value};mode=record` : value;
}

/** What we answer to a SETUP: RTP over UDP. `ssrc` is that of our packets, where we send them. */
export function formatUdpTransport(options: {
  readonly profile: string;
  readonly clientPorts: readonly [number, number];
  readonly serverPorts: readonly [number, number];
  readonly mode: 'play' | 'record';
  readonly ssrc: number | undefined;
}): string {
  const { profile, clientPorts, serverPorts, mode, ssrc } = options;
  const ports = `client_port=${clientPorts.join('-')};server_port=${serverPorts.join('-')}`;
  let value = `${profile};unicast;${ports}`;
  if (ssrc !== undefined) value += `;ssrc=${ssrc.toString(16).toUpperCase().padStart(8, '0')}`;
  return mode === 'record' ? `${value};mode=record` : value;
}

/** What we answer to a SETUP: RTP to a group. */
export function formatMulticastTransport(profile: string, group: MulticastGroup, ssrc?: number): string {
  const { address, ports, ttl } = group;
  let value = `${profile};multicast;destination=${address};port=${ports.join('-')};ttl=${ttl}`;
  if (ssrc !== undefined) value += `;ssrc=${ssrc.toString(16).toUpperCase().padStart(8, '0')}`;
  return value;
}

/** What we ask a server for in a SETUP: RTP over UDP. */
export function wishUdpTransport(clientPorts: readonly [number, number]): string {
  return `RTP/AVP;unicast;client_port=${clientPorts.join('-')}`;
}

function parseOption(choice: string): TransportOption | undefined {
  const [spec = '', ...parameters] = splitOutsideQuotes(choice, ';').map((part) => part.trim());
  const [protocol, profile, lower = 'UDP'] = spec.toUpperCase().split('/');
  if (!protocol || !profile || (lower !== 'TCP' && lower !== 'UDP')) return undefined;
  let multicast = false;
  let mode: 'play' | 'record' = 'play';
  let interleaved: readonly [number, number] | undefined;
  let clientPorts: readonly [number, number] | undefined;
  let serverPorts: readonly [number, number] | undefined;
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=', 2).map((part) => part.trim());
    if (name.toLowerCase() === 'multicast') multicast = true;
    // `mode="RECORD"`, `mode=record`, and `mode=receive` from old versions of ffmpeg.
    else if (name.toLowerCase() === 'mode') mode = /record|receive/i.test(value) ? 'record' : 'play';
    else if (name.toLowerCase() === 'interleaved') interleaved = parsePair(value, 0, 255);
    else if (name.toLowerCase() === 'client_port') clientPorts = parsePair(value, 1, 65_535);
    else if (name.toLowerCase() === 'server_port') serverPorts = parsePair(value, 1, 65_535);
  }
  return {
    profile: `${protocol}/${profile}`,
    lower,
    multicast,
    mode,
    ...(interleaved && { interleaved }),
    ...(clientPorts && { clientPorts }),
    ...(serverPorts && { serverPorts }),
  };
}

/** `0-1`; a single number is that of RTP, and RTCP follows it. */
function parsePair(value: string, least: number, most: number): readonly [number, number] | undefined {
  const match = /^"?(\d{1,5})(?:\s*-\s*(\d{1,5}))?"?$/.exec(value);
  if (!match) return undefined;
  const rtp = Number(match[1]);
  const rtcp = match[2] === undefined ? rtp + 1 : Number(match[2]);
  return Math.min(rtp, rtcp) >= least && Math.max(rtp, rtcp) <= most && rtp !== rtcp
    ? [rtp, rtcp]
    : undefined;
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') quoted = !quoted;
    else if (text[i] === separator && !quoted) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.filter((part) => part.trim() !== '');
}
