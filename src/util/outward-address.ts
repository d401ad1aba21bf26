import { isIPv6 } from 'node:net';
import { ForbiddenAddress } from './guarded-lookup.ts';
import { innerPlace } from './inner-address.ts';

/**
 * The host of an address, without brackets; numbers that stand for an IPv4 address (`2130706433`, `0x7f.1`, `017700000001`)
 * are turned into it, as the system does when it looks them up. Empty where there is none.
 */
export function hostOf(url: string): string {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^:/?#]*)/i.exec(url)?.[1] ?? '';
  const parsed = URL.parse(`http://${host}/`)?.hostname ?? host;
  return parsed.replace(/^\[|\]$/g, '');
}

/** The same address with another host, written as addresses are. */
export function withHost(url: string, host: string): string {
  const written = isIPv6(host) ? `[${host}]` : host;
  return url.replace(
    /^([a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?)(?:\[[^\]]*\]|[^:/?#]*)/i,
    (_whole, front: string) => front + written,
  );
}

/** What may stand behind an address of UDP: nothing that names an interface or a port of this machine. */
const UDP_OPTIONS = new Set([
  'bitrate',
  'burst_bits',
  'fifo_size',
  'overrun_nonfatal',
  'buffer_size',
  'pkt_size',
  'timeout',
  'ttl',
  'reuse',
]);

/**
 * Lets no address that is read open a port of this machine: `srt://` has to call, and `udp://` has to be one of a multicast
 * group, to which others send whether we listen or not.
 * @throws ForbiddenAddress
 */
export function forbidListening(url: string, shown: string): void {
  if (/^udp:/i.test(url) && !isGroup(hostOf(url)))
    throw new ForbiddenAddress(shown, 'a port of this machine, because it is no multicast group');
  forbidOptions(url, shown);
}

/**
 * Whether a host is the IP address of a multicast group that more than one cable can have: 224.0.0.0/24 is what routers of
 * one say to each other (RFC 5771 section 4), and so is what has the scope of an interface or a link (RFC 4291 section 2.7).
 * One in other clothes, or with a zone, which names an interface of this machine, counts as none.
 */
export function isGroup(host: string): boolean {
  if (innerPlace(host) !== 'a multicast group') return false;
  return (
    /^(?:2(?:2[4-9]|3\d)\.|ff[0-9a-f]{2}:)[^%]*$/i.test(host) && !/^(?:224\.0\.0\.|ff.[0-2]:)/i.test(host)
  );
}

/**
 * Lets no option of an address name what is this machine's: `srt://` has to call, and `udp://` may choose neither interface
 * nor local port.
 * @throws ForbiddenAddress
 */
export function forbidOptions(url: string, shown: string): void {
  const [scheme = '', query = ''] = [/^[a-z][a-z0-9+.-]*/i.exec(url)?.[0].toLowerCase(), url.split('?')[1]];
  const options = new URLSearchParams(query);
  if (scheme === 'srt') {
    const mode = options.getAll('mode').find((one) => one !== 'caller');
    if (mode !== undefined) throw new ForbiddenAddress(shown, `a port of this machine ("mode=${mode}")`);
  }
  if (scheme !== 'udp') return;
  const other = [...options.keys()].find((key) => !UDP_OPTIONS.has(key));
  if (other !== undefined) throw new ForbiddenAddress(shown, `what "${other}" names`);
}
