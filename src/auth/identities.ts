import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#util/clock.ts';
import { looksHashed } from '#util/password-hash.ts';
import { AuthHook, type HookSettings } from './hook.ts';
import { Jwt, type JwtSettings } from './jwt.ts';
import { permissionTest } from './permissions.ts';
import type { Permission, Principal } from './words.ts';

/** The user that everybody is who shows nothing. */
export const ANYBODY = 'any';

export interface AuthSettings {
  readonly users: readonly {
    readonly name: string;
    /** An argon2id hash, or plain text. Nobody logs in without one. */
    readonly password?: string | undefined;
    readonly permissions: readonly Permission[];
  }[];
  /** Tokens of programs. */
  readonly tokens: readonly {
    readonly name: string;
    readonly token: string;
    readonly permissions: readonly Permission[];
  }[];
  readonly jwt?: JwtSettings | undefined;
  readonly authHook?: HookSettings | undefined;
}

export interface User {
  readonly principal: Principal;
  readonly password: string | undefined;
  readonly hashed: boolean;
}

export interface ApiToken {
  readonly principal: Principal;
  readonly token: string;
}

/** Everybody whom a configuration knows, and whom else to ask. */
export class Identities {
  readonly settings: AuthSettings;
  readonly users: ReadonlyMap<string, User>;
  readonly tokens: readonly ApiToken[];
  readonly anybody: Principal | undefined;
  readonly jwt: Jwt | undefined;
  readonly hook: AuthHook | undefined;

  /** @param former what it takes the place of: keys and answers that were fetched stay where nothing about them changed */
  constructor(settings: AuthSettings, clock: Clock, former?: Identities) {
    this.settings = settings;
    const { users, tokens, jwt, authHook } = settings;
    this.users = new Map(
      users.map(({ name, password, permissions }) => [
        name,
        {
          principal: { name, permits: permissionTest(permissions) },
          password: name === ANYBODY ? undefined : password,
          hashed: password !== undefined && looksHashed(password),
        },
      ]),
    );
    this.anybody = this.users.get(ANYBODY)?.principal;
    this.tokens = tokens.map(({ name, token, permissions }) => ({
      principal: { name, permits: permissionTest(permissions) },
      token,
    }));
    const sameJwt = isDeepStrictEqual(jwt, former?.settings.jwt);
    this.jwt = sameJwt ? former?.jwt : jwt && new Jwt(jwt);
    const sameHook = isDeepStrictEqual(authHook, former?.settings.authHook);
    this.hook = sameHook ? former?.hook : authHook && new AuthHook(authHook, clock);
  }

  /** Whether there is anybody at all; else everybody may do everything. */
  get any(): boolean {
    return this.users.size > 0 || this.tokens.length > 0 || !!this.jwt || !!this.hook;
  }

  /**
   * Whether digests can be answered for whoever has a password: not with a hash of it, nor for a service that wants to
   * see it. A program that is offered a digest mostly tries nothing else.
   */
  get digestible(): boolean {
    const withPassword = [...this.users.values()].filter(({ password }) => password !== undefined);
    return !this.hook && withPassword.length > 0 && withPassword.every(({ hashed }) => !hashed);
  }
}
