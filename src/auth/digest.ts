import { createHash } from 'node:crypto';
import type { Clock } from '#util/clock.ts';
import { SecretKey } from './secrets.ts';

export const REALM = 'Sluice';

/** An answer to an older challenge is answered by a new one, without asking the person again. */
const NONCE_MS = 300_000;

type Parameters = Readonly<Record<string, string>>;

/**
 * Digest authentication (RFC 7616), with SHA-256 and MD5, which is what most cameras and players know. A nonce holds the
 * time it was made at and an HMAC over that and the address of who got it, so nothing has to be kept about it, and
 * nobody elsewhere can use what was listened to.
 */
export class DigestChallenges {
  readonly #clock: Clock;
  readonly #key = new SecretKey();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Values of `WWW-Authenticate`. MD5 comes last, because ffmpeg takes the last one whether it knows it or not. */
  challenges(remote: string, stale: boolean): string[] {
    const time = Math.floor(this.#clock.now()).toString(36);
    const nonce = `${time}.${this.#key.seal(time, remote)}`;
    return ['SHA-256', 'MD5'].map(
      (algorithm) =>
        `Digest realm="${REALM}", nonce="${nonce}", qop="auth", algorithm=${algorithm}${stale ? ', stale=true' : ''}`,
    );
  }

  /** Whether the answer was made with this password, and to a challenge that is ours and not too old. */
  verify(
    parameters: Parameters,
    method: string,
    password: string,
    remote: string,
  ): 'right' | 'wrong' | 'stale' {
    const [time = '', mac = ''] = (parameters['nonce'] ?? '').split('.', 2);
    const made = Number.parseInt(time, 36);
    // A nonce of the server's last life is no mistake of who comes back with it.
    if (!this.#key.equal(mac, this.#key.seal(time, remote))) return 'stale';
    const age = this.#clock.now() - made;
    const expected = digestResponse({ ...parameters, realm: REALM }, method, password);
    if (expected === undefined || parameters['realm'] !== REALM) return 'wrong';
    if (!this.#key.equal(expected, (parameters['response'] ?? '').toLowerCase())) return 'wrong';
    return age <= NONCE_MS ? 'right' : 'stale';
  }
}

/** The response that belongs to the other parameters (RFC 7616 section 3.4.1); undefined where we cannot know it. */
export function digestResponse(parameters: Parameters, method: string, password: string): string | undefined {
  const algorithm = parameters['algorithm']?.toUpperCase() ?? 'MD5';
  if (algorithm !== 'MD5' && algorithm !== 'SHA-256') return undefined;
  const hash = (...parts: readonly string[]) =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(parts.join(':'))
      .digest('hex');
  const { username = '', realm = '', nonce = '', uri = '', qop, nc = '', cnonce = '' } = parameters;
  const secret = hash(username, realm, password);
  const target = hash(method, uri);
  // Without qop: RFC 2069, which live555 (VLC) and many cameras still speak.
  if (qop === undefined) return hash(secret, nonce, target);
  return qop === 'auth' ? hash(secret, nonce, nc, cnonce, qop, target) : undefined;
}
