import type { Clock } from '#util/clock.ts';
import type { SecretKey } from './secrets.ts';
import type { Action, Principal } from './words.ts';

const PREFIX = 'link';

interface LinkClaims {
  readonly stream: string;
  readonly actions: readonly Action[];
  /** Milliseconds since 1970. */
  readonly expires: number;
  /** Who gave it out. */
  readonly by: string;
}

/** Tokens for one stream and a short time, signed; the server remembers nothing about them. */
export class Links {
  readonly #key: SecretKey;
  readonly #clock: Clock;

  constructor(key: SecretKey, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  sign(claims: LinkClaims): string {
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return `${PREFIX}.${body}.${this.#key.seal(PREFIX, body)}`;
  }

  /** Whose it is; `expired` when it was good once; undefined when it is none of ours. */
  read(token: string): { principal: Principal; by: string } | 'expired' | undefined {
    const [prefix, body = '', mac = '', ...rest] = token.split('.');
    if (prefix !== PREFIX || rest.length > 0 || !this.#key.equal(mac, this.#key.seal(PREFIX, body))) {
      return undefined;
    }
    // Nobody but us could have signed it.
    const { stream, actions, expires, by } = JSON.parse(
      Buffer.from(body, 'base64url').toString(),
    ) as LinkClaims;
    if (this.#clock.now() >= expires) return 'expired';
    // The name itself, not a pattern: a name may begin with "~".
    const permits = (action: Action, name: string) => name === stream && actions.includes(action);
    return { principal: { name: `link of ${by}`, permits }, by };
  }
}
