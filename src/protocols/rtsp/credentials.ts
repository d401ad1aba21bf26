import { createHash, randomBytes } from 'node:crypto';
import { percentDecoded } from '#util/percent-decoding.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** An RTSP address without its credentials, and the credentials (percent-decoded) beside it. */
export function splitCredentials(url: string): { url: string; credentials: Credentials | undefined } {
  const match = /^(rtsps?:\/\/)([^/?#]*)@(.*)$/i.exec(url);
  if (!match) return { url, credentials: undefined };
  const [, scheme = '', userinfo = '', rest = ''] = match;
  const colon = userinfo.indexOf(':');
  const user = colon < 0 ? userinfo : userinfo.slice(0, colon);
  const password = colon < 0 ? '' : userinfo.slice(colon + 1);
  return {
    url: scheme + rest,
    credentials: { user: percentDecoded(user), password: percentDecoded(password) },
  };
}

/**
 * The Authorization header that answers the challenges of a 401, the strongest first: Digest with SHA-256 or MD5
 * (RFC 7616, RFC 2617), else Basic (RFC 7617). Undefined when none of them can be answered.
 */
export function authorize(
  challenges: readonly string[],
  credentials: Credentials,
  request: { readonly method: string; readonly uri: string },
  cnonce: string = randomBytes(8).toString('hex'),
  count = 1,
): string | undefined {
  const strongest = strongestDigest(challenges);
  if (strongest) return digestAnswer(strongest, credentials, request, cnonce, count);
  if (challenges.some((challenge) => /^basic\b/i.test(challenge))) {
    return `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;
  }
  return undefined;
}

/** Answers the challenges of one server, request after request. */
export class Authenticator {
  readonly #credentials: Credentials;
  #challenges: readonly string[] = [];
  /** Requests that were authorised with the present challenges (`nc`). */
  #count = 0;
  /** The server took an answer to the present challenges. */
  #proved = false;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** The Authorization header of the next request; undefined while nothing was asked for. */
  header(method: string, uri: string): string | undefined {
    if (this.#challenges.length === 0) return undefined;
    return authorize(this.#challenges, this.#credentials, { method, uri }, undefined, ++this.#count);
  }

  /** A request with the header was answered other than by 401. */
  accepted(): void {
    this.#proved = this.#count > 0;
  }

  /**
   * Takes the challenges of a 401. False where trying again is no use: they cannot be answered, or the answer to the
   * same was refused. A nonce that has run out (`stale`, or simply another one after the first was taken) is answered.
   */
  challenged(challenges: readonly string[]): boolean {
    const stale = strongestDigest(challenges)?.get('stale')?.toLowerCase() === 'true';
    const first = this.#challenges.length === 0;
    if (!first && !stale && !this.#proved) return false;
    this.#challenges = challenges;
    this.#count = 0;
    this.#proved = false;
    return authorize(challenges, this.#credentials, { method: '', uri: '' }) !== undefined;
  }
}

function strongestDigest(challenges: readonly string[]): ReadonlyMap<string, string> | undefined {
  const digests = challenges
    .filter((challenge) => /^digest\s/i.test(challenge))
    .map((challenge) => parseParameters(challenge))
    .filter((digest) => /^(md5|sha-256)$/i.test(digest.get('algorithm') ?? 'MD5'));
  return digests.find((digest) => /sha-256/i.test(digest.get('algorithm') ?? '')) ?? digests[0];
}

function digestAnswer(
  challenge: ReadonlyMap<string, string>,
  { user, password }: Credentials,
  { method, uri }: { readonly method: string; readonly uri: string },
  cnonce: string,
  count: number,
): string {
  const algorithm = challenge.get('algorithm');
  const hash = (text: string) =>
    createHash(/sha-256/i.test(algorithm ?? '') ? 'sha256' : 'md5')
      .update(text)
      .digest('hex');
  const realm = challenge.get('realm') ?? '';
  const nonce = challenge.get('nonce') ?? '';
  const secret = hash(`${user}:${realm}:${password}`);
  const target = hash(`${method}:${uri}`);
  const qop = (challenge.get('qop') ?? '').split(',').some((option) => option.trim() === 'auth');
  const nc = count.toString(16).padStart(8, '0');
  const response = qop
    ? hash(`${secret}:${nonce}:${nc}:${cnonce}:auth:${target}`)
    : hash(`${secret}:${nonce}:${target}`);
  const parts = [`username="${user}"`, `realm="${realm}"`, `nonce="${nonce}"`, `uri="${uri}"`];
  parts.push(`response="${response}"`);
  if (algorithm) parts.push(`algorithm=${algorithm}`);
  if (qop) parts.push('qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`);
  const opaque = challenge.get('opaque');
  if (opaque !== undefined) parts.push(`opaque="${opaque}"`);
  return `Digest ${parts.join(', ')}`;
}

/** `name="value", name=value` behind the scheme; names in lower case. */
function parseParameters(challenge: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const match of challenge.matchAll(/([A-Za-z-]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))/g)) {
    parameters.set((match[1] ?? '').toLowerCase(), match[2] ?? match[3] ?? '');
  }
  return parameters;
}
