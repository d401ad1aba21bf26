import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { isLoopback } from '#config/loopback.ts';
import { NamedError } from '#util/named-error.ts';
import type { Place } from './dependencies.ts';

/**
 * Why a request must not be answered, or undefined.
 *
 * A page from anywhere can make a browser on this machine talk to loopback. Two checks keep such pages out: the name
 * in `Host` must be one of this machine (else a foreign name was pointed at it: DNS rebinding), and what changes
 * something, WebSockets included, must come from our own page (`Origin` equal to `Host`) or from no page at all.
 *
 * Where everybody is asked who they are, a foreign name brings no cookie along, but would still read what anybody may;
 * so names stay as they are, and any address may be used, which nobody can point elsewhere.
 *
 * @param place the address of the configuration and the names beside it, allowed beside those of loopback
 * @param changes true for methods that change something and for WebSockets
 */
export function requestRefusal(
  headers: IncomingHttpHeaders,
  place: Place,
  changes: boolean,
): NamedError | undefined {
  const asked = parseHost(headers.host);
  if (!asked || !isOurs(asked.name, place)) {
    return new NamedError(
      'HOST_FORBIDDEN',
      `The request names the host "${headers.host ?? ''}", and only names and addresses of this machine are served. Add the name to "http.allowedHosts" if it is one; a proxy in front may send "Host: 127.0.0.1" instead.`,
      403,
    );
  }
  const { origin } = headers;
  if (
    changes &&
    origin !== undefined &&
    URL.parse(origin)?.host !== asked.host &&
    !allowsOrigin(origin, place)
  ) {
    return new NamedError(
      'ORIGIN_FORBIDDEN',
      `The request comes from a page of "${origin}", and only Sluice's own page may do this. Add the origin to "http.allowedOrigins" if its pages may; a proxy in front can remove the header "Origin" once it has checked who asks.`,
      403,
    );
  }
  return undefined;
}

const EXPOSED =
  'Accept-Patch, Accept-Post, Content-Length, Content-Range, ETag, Link, Location, Retry-After, WWW-Authenticate';

/** Whether pages of that origin may use the server, by the configuration. */
function allowsOrigin(origin: string, { origins }: Place): boolean {
  return origins.includes('*') || origins.includes(origin);
}

/**
 * The headers by which a browser lets a page of another origin have the answer (Fetch standard, CORS); none where the
 * configuration does not name it. No cookie is taken along, so `Access-Control-Allow-Credentials` is not among them.
 */
export function corsHeaders({ origin }: IncomingHttpHeaders, place: Place): Readonly<Record<string, string>> {
  const headers = { 'access-control-expose-headers': EXPOSED };
  // One answer for all, so that what stands in between may keep it.
  if (place.origins.includes('*')) return { 'access-control-allow-origin': '*', ...headers };
  if (origin === undefined || !allowsOrigin(origin, place)) return {};
  return { 'access-control-allow-origin': origin, vary: 'Origin', ...headers };
}

/** What else the answer to a preflight request of such a page says, for whatever it wants to ask. */
export const PREFLIGHT_HEADERS = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers': 'Authorization, Content-Type, If-Match, Range',
  'access-control-max-age': '7200',
};

function isOurs(name: string, { host, names, asksWho }: Place): boolean {
  const ours = [host, ...names].some((one) => one.toLowerCase() === name);
  return ours || isLoopback(name) || (asksWho && isIP(name) !== 0);
}

/** Name or address of a Host header, and both with the port; undefined when it is no host. */
function parseHost(header: string | undefined): { name: string; host: string } | undefined {
  if (header === undefined || !/^[\w.:[\]-]+$/.test(header)) return undefined;
  const url = URL.parse(`http://${header}`);
  return url ? { name: url.hostname.replace(/^\[|\]$/g, ''), host: url.host } : undefined;
}
