import { randomBytes } from 'node:crypto';
import type { Clock } from '#util/clock.ts';
import { SecretKey } from './secrets.ts';

/** A session that is not used for so long is over. */
export const SESSION_MS = 12 * 3_600_000;
const MAX_SESSIONS = 1000;

interface Session {
  readonly user: string;
  /** What the user was proved by; another password ends the session. */
  readonly proof: string;
  expires: number;
}

/** Who is logged in at the page. Bounded: the one that was not used for longest has to log in again. */
export class Sessions {
  readonly #clock: Clock;
  readonly #key = new SecretKey();
  /** By the sealed id, in the order of their last use. */
  readonly #sessions = new Map<string, Session>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins one; gives its id, which is not kept. */
  begin(user: string, proof: string): string {
    const id = randomBytes(32).toString('base64url');
    this.#sessions.set(this.#key.seal(id), {
      user,
      proof: this.#key.seal(proof),
      expires: this.#clock.now() + SESSION_MS,
    });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    return id;
  }

  /** The user of a session, whose proof must still be the one that `proofOf` gives. */
  use(id: string, proofOf: (user: string) => string | undefined): string | undefined {
    const sealed = this.#key.seal(id);
    const session = this.#sessions.get(sealed);
    if (!session) return undefined;
    this.#sessions.delete(sealed);
    const proof = proofOf(session.user);
    const now = this.#clock.now();
    if (now >= session.expires || proof === undefined || this.#key.seal(proof) !== session.proof) {
      return undefined;
    }
    session.expires = now + SESSION_MS;
    this.#sessions.set(sealed, session);
    return session.user;
  }

  end(id: string): void {
    this.#sessions.delete(this.#key.seal(id));
  }
}
