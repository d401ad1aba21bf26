import { createHash } from 'node:crypto';
import type { RtmpTarget } from './target.ts';

/** What one connection adds to the application and to the key, so that the server knows who asks. */
export interface RtmpLogin {
  /** Sent behind the application, `?` included. */
  readonly app: string;
  /** Sent in the query of the key: pairs without `?`. */
  readonly key: string;
  readonly step: 'nameless' | 'named' | 'answered' | 'query';
}

export const NAMELESS: RtmpLogin = { app: '', key: '', step: 'nameless' };

/**
 * How to ask again after a refusal, on a new connection; undefined where trying again is no use.
 *
 * Servers that speak `authmod=adobe` refuse `connect` twice: first they say that they want to know who it is, and to a
 * name they give salt and challenge, which are answered by digests of MD5. Others take a name and a password in the
 * query (Sluice, MediaMTX), and say only that it may not be. That is tried last, since it shows the password.
 * @param description what the server said
 * @param phase `connect`, or what came after it
 * @param nonce eight hexadecimal digits, new each time
 */
export function nextLogin(
  target: Pick<RtmpTarget, 'credentials'>,
  login: RtmpLogin,
  { description, phase }: { readonly description: string; readonly phase: 'connect' | 'stream' },
  nonce: string,
): RtmpLogin | undefined {
  const { credentials } = target;
  if (!credentials) return undefined;
  const { user, password } = credentials;
  if (phase === 'connect' && /authmod=adobe/i.test(description)) {
    const name = `?authmod=adobe&user=${encodeURIComponent(user)}`;
    if (login.step === 'nameless') return { app: name, key: '', step: 'named' };
    const challenge = challengeOf(description);
    if (login.step !== 'named' || !challenge) return undefined;
    const response = adobeResponse(challenge, user, password, nonce);
    const opaque = challenge.opaque === undefined ? '' : `&opaque=${challenge.opaque}`;
    return { app: `${name}&challenge=${nonce}&response=${response}${opaque}`, key: '', step: 'answered' };
  }
  // A server that asks for another kind of answer is not shown the password instead.
  if (login.step !== 'nameless' || /authmod=/i.test(description)) return undefined;
  return { app: '', key: String(new URLSearchParams({ user, pass: password })), step: 'query' };
}

interface Challenge {
  readonly salt: string;
  readonly challenge: string;
  readonly opaque: string | undefined;
}

/** `… ?reason=needauth&user=…&salt=…&challenge=…&opaque=…`: Base64 that is not percent-encoded. */
function challengeOf(description: string): Challenge | undefined {
  if (!/reason=needauth/i.test(description)) return undefined;
  const value = (name: string) => new RegExp(`[?&]${name}=([^&\\s\\]]*)`, 'i').exec(description)?.[1];
  const salt = value('salt');
  const challenge = value('challenge') ?? value('opaque');
  if (salt === undefined || challenge === undefined) return undefined;
  return { salt, challenge, opaque: value('opaque') };
}

function adobeResponse(
  { salt, challenge, opaque }: Challenge,
  user: string,
  password: string,
  nonce: string,
): string {
  const digest = (text: string) => createHash('md5').update(text).digest('base64');
  return digest(digest(user + salt + password) + (opaque ?? challenge) + nonce);
}
