import { percentDecoded } from '#util/percent-decoding.ts';
import { splitCredentials } from './credentials.ts';

/** What the address of an RTSP request names. */
export interface RtspAddress {
  /** `rtsp://host:port`, as the client wrote it (it knows by which name it reaches us); empty for `*` and bare paths. */
  readonly origin: string;
  /** Path without leading and trailing slashes, percent-decoded; may end in a track, see splitTrack. */
  readonly path: string;
  /** Without the question mark; empty where there is none. */
  readonly query: string;
}

/**
 * Takes an address apart; undefined when it is none. Credentials are left out, the query is kept away from the name.
 * Players that join base and track as text send `rtsp://host/name?query/trackID=0`: the track is moved to the path.
 */
export function parseRtspAddress(uri: string): RtspAddress | undefined {
  if (uri === '*' || uri === '') return { origin: '', path: '', query: '' };
  const match = /^(?:(rtsps?):\/\/([^/?#]*))?(\/[^?#]*)?(?:\?([^#]*))?/i.exec(uri);
  if (!match || match[0].length === 0) return undefined;
  const host = (match[2] ?? '').replace(/^.*@/, '');
  let path = match[3] ?? '';
  let query = match[4] ?? '';
  const slash = query.lastIndexOf('/');
  if (slash >= 0) {
    const track = query.slice(slash + 1);
    if (track === '' || /^(trackID|streamid|stream|track)=?\d+$/i.test(track)) {
      path = `${path}/${track}`;
      query = query.slice(0, slash);
    }
  }
  return {
    origin: match[1] ? `${match[1].toLowerCase()}://${host}` : '',
    path: percentDecoded(path)
      .replace(/\/{2,}/g, '/')
      .replace(/^\/+|\/+$/g, ''),
    query,
  };
}

/**
 * Splits a path into the stream's name and the track inside it. Where the name is known (`base`, from DESCRIBE or
 * ANNOUNCE) the rest is the track; else the track is recognised by the form we give out ourselves, `trackID=0`.
 */
export function splitTrack(path: string, base?: string): { name: string; track: string } {
  if (base !== undefined) {
    if (path === base) return { name: base, track: '' };
    if (path.startsWith(`${base}/`)) return { name: base, track: path.slice(base.length + 1) };
  }
  const match = /^(.*)\/(trackID=\d+)$/i.exec(path);
  return match ? { name: match[1] ?? '', track: match[2] ?? '' } : { name: path, track: '' };
}

/** The address of a stream, with the slash at its end that makes `trackID=0` a part of it. */
export function contentBase(address: RtspAddress, name: string): string {
  return `${address.origin}/${name}/`;
}

/**
 * The address that a Content-Base or Content-Location header gives, made absolute; `request`, the address that was
 * asked, where the header has nothing that can be used.
 */
export function resolveBase(header: string | undefined, request: string): string {
  if (header !== undefined && /^rtsps?:\/\/[^/]/i.test(header)) return splitCredentials(header).url;
  if (!header?.startsWith('/')) return request;
  return `${/^rtsps?:\/\/[^/?#]*/i.exec(request)?.[0] ?? ''}${header}`;
}

/**
 * The address of a part of a presentation by its `a=control`: absolute as it stands, else put behind the base as text.
 * That is no resolution by RFC 3986, which would cut the last segment of a base without a slash; but servers expect it
 * (RFC 2326 appendix C.1.1 as everybody reads it), also behind a query.
 */
export function resolveControl(base: string, control: string): string {
  if (/^rtsps?:\/\//i.test(control)) return splitCredentials(control).url;
  if (control === '' || control === '*') return base;
  if (control.startsWith('?')) return base + control;
  return `${base.replace(/\/+$/, '')}/${control.replace(/^\/+/, '')}`;
}
