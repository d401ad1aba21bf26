import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { permissionTest } from './permissions.ts';
import type { Permission, Principal } from './words.ts';

export interface JwtSettings {
  /** An http(s) address, or the path of a file. */
  readonly jwks: string;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  /** Name of the claim that holds a list of permissions. */
  readonly permissionsClaim: string;
}

/** Signed by a key that others have too, or not at all: never taken. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** The keys cannot be had, so nothing can be said about a token. */
export class KeysUnavailable extends Error {}

/** JSON Web Tokens (RFC 7519), checked with the public keys of who signs them. */
export class Jwt {
  readonly #settings: JwtSettings;
  readonly #keys: ReturnType<typeof createRemoteJWKSet> | ReturnType<typeof fileKeys>;

  constructor(settings: JwtSettings) {
    this.#settings = settings;
    this.#keys = /^https?:\/\//i.test(settings.jwks)
      ? createRemoteJWKSet(new URL(settings.jwks), { timeoutDuration: 5000 })
      : fileKeys(settings.jwks);
  }

  /**
   * Whose token it is; `expired` when it was good once; undefined for what is none, or not for us.
   * @throws KeysUnavailable
   */
  async read(token: string): Promise<Principal | 'expired' | undefined> {
    if (token.split('.').length !== 3) return undefined;
    const { issuer, audience, permissionsClaim } = this.#settings;
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: ALGORITHMS,
        requiredClaims: ['exp'],
        clockTolerance: 5,
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
      });
      const permits = permissionTest(permissionsOf(payload, permissionsClaim));
      return { name: payload.sub ?? 'a bearer of a token', permits };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'expired';
      const isToken =
        error instanceof errors.JOSEError &&
        !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) &&
        error.code !== 'ERR_JOSE_GENERIC';
      if (isToken) return undefined;
      throw new KeysUnavailable('The keys of jwt.jwks cannot be read.', { cause: error });
    }
  }
}

/** The keys of a file, which is read once. */
function fileKeys(path: string) {
  let keys: Promise<ReturnType<typeof createLocalJWKSet>> | undefined;
  return async (...input: Parameters<ReturnType<typeof createLocalJWKSet>>) => {
    keys ??= readFile(path, 'utf8').then((text) => createLocalJWKSet(JSON.parse(text)));
    try {
      return await (await keys)(...input);
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) keys = undefined;
      throw error;
    }
  };
}

/** What does not have the shape of a permission permits nothing. */
function permissionsOf(payload: JWTPayload, claim: string): Permission[] {
  const list = payload[claim];
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: unknown) => {
    const { actions, streams = '*' } = (one ?? {}) as Partial<Record<keyof Permission, unknown>>;
    // Expressions from outside could be made to take for ever.
    if (!Array.isArray(actions) || typeof streams !== 'string' || streams.startsWith('~')) return [];
    return { actions: actions.filter((action) => ['publish', 'read', 'manage'].includes(action)), streams };
  });
}
