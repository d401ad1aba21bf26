import type { IncomingHttpHeaders } from 'node:http';
import { AccessRefusal } from '#util/access-refusal.ts';
import { parseAuthorization } from '#util/authorization.ts';
import type { Credentials } from './access.ts';

/**
 * The cookie of the page; what it holds means something to this server alone. Browsers keep cookies by host without the
 * port, and let none that came over HTTP take the place of one that came over HTTPS: so it has another name there.
 */
export const SESSION_COOKIE = 'sluice_session';
/** Over HTTPS. The prefix has browsers take it from this very host alone (RFC 6265bis section 4.1.3.2). */
export const SECURE_SESSION_COOKIE = '__Host-sluice_session';

/** Longest value of `?token=`, `?user=`, `?pass=` and of the cookie that is looked at. */
const MAX_LENGTH = 8192;

/**
 * What a request over HTTP shows to say who sends it: `Authorization: Bearer …` or `Basic …`, `?token=`,
 * `?user=…&pass=…` (for players that know nothing but addresses), or the cookie of the page. The first of these counts
 * alone: whoever shows wrong credentials is not let in by other ones, so that nobody is mistaken about who they are.
 */
export function credentialsOf(
  headers: Pick<IncomingHttpHeaders, 'authorization' | 'cookie'>,
  query: URLSearchParams,
): Credentials {
  if (headers.authorization !== undefined) {
    const shown = parseAuthorization(headers.authorization);
    if (shown?.scheme === 'basic') {
      return { kind: 'password', user: shown.user, password: shown.password };
    }
    // Over HTTP nobody is asked for a digest.
    return shown?.scheme === 'bearer' ? { kind: 'token', token: shown.token } : { kind: 'none' };
  }
  const token = bounded(query.get('token'));
  if (token) return { kind: 'token', token };
  const user = bounded(query.get('user'));
  if (user) return { kind: 'password', user, password: bounded(query.get('pass')) ?? '' };
  const [session] = sessionsOf(headers.cookie);
  return session ? { kind: 'session', session } : { kind: 'none' };
}

/** The values of the page's cookies; that of HTTPS, which nobody on the way could set, comes first. */
export function sessionsOf(cookie: string | undefined): string[] {
  const found = new Map<string, string>();
  for (const pair of (cookie ?? '').slice(0, MAX_LENGTH).split(';')) {
    const [name = '', value = ''] = pair.split('=', 2).map((part) => part.trim());
    if (!found.has(name)) found.set(name, value);
  }
  return [SECURE_SESSION_COOKIE, SESSION_COOKIE].flatMap((name) => found.get(name) || []);
}

/**
 * The headers that belong to a refusal: `WWW-Authenticate` where credentials may help, `Retry-After` where waiting does.
 * A browser that loads something for a page is not asked for Basic: it would open a window of its own over the page's.
 */
export function refusalHeaders(error: unknown, headers: IncomingHttpHeaders): Record<string, string> {
  if (!(error instanceof AccessRefusal)) return {};
  if (error.retryAfterSeconds !== undefined) return { 'Retry-After': String(error.retryAfterSeconds) };
  if (error.status !== 401) return {};
  const inBrowser = headers['sec-fetch-mode'] !== undefined;
  return {
    'WWW-Authenticate': inBrowser ? 'Bearer realm="Sluice"' : 'Basic realm="Sluice", charset="UTF-8"',
  };
}

function bounded(text: string | null): string | undefined {
  return text !== null && text.length <= MAX_LENGTH ? text : undefined;
}
