/** What an `Authorization` header says, as HTTP and RTSP know it. */
export type Authorization =
  | { readonly scheme: 'basic'; readonly user: string; readonly password: string }
  | { readonly scheme: 'bearer'; readonly token: string }
  /** Parameters by name, in small letters and without quotes. */
  | { readonly scheme: 'digest'; readonly parameters: Readonly<Record<string, string>> };

/** Longer than any header of a real client; JSON Web Tokens are the longest. */
const MAX_LENGTH = 8192;

/** A digest has a dozen parameters. */
const MAX_PARAMETERS = 32;

/** One parameter (RFC 9110 section 11.2) and the comma behind it; sticky, so that nothing is skipped. */
const PARAMETER = /[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)/y;

/**
 * Reads an `Authorization` header: Basic (RFC 7617), Bearer (RFC 6750) or Digest (RFC 7616). Undefined for another
 * scheme, and for one that breaks the rules: who sends it has shown nothing.
 */
export function parseAuthorization(header: string): Authorization | undefined {
  if (header.length > MAX_LENGTH) return undefined;
  const value = header.trim();
  const space = value.search(/\s/);
  if (space < 0) return undefined;
  const rest = value.slice(space).trim();
  switch (value.slice(0, space).toLowerCase()) {
    case 'basic':
      return parseBasic(rest);
    case 'bearer':
      return /^[A-Za-z0-9._~+/=-]+$/.test(rest) ? { scheme: 'bearer', token: rest } : undefined;
    case 'digest':
      return parseDigest(rest);
    default:
      return undefined;
  }
}

function parseBasic(text: string): Authorization | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return undefined;
  const pair = Buffer.from(text, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  return { scheme: 'basic', user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

function parseDigest(text: string): Authorization | undefined {
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  let end = 0;
  while (end < text.length) {
    const match = PARAMETER.exec(text);
    const name = match?.[1]?.toLowerCase();
    // A name that comes twice could be read one way here and another way elsewhere.
    if (!match || name === undefined || parameters.has(name) || parameters.size === MAX_PARAMETERS) {
      return undefined;
    }
    parameters.set(name, match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '');
    end = PARAMETER.lastIndex;
  }
  return parameters.size > 0 ? { scheme: 'digest', parameters: Object.fromEntries(parameters) } : undefined;
}
